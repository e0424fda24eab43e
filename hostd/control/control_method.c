/*
 * control method: each reads its parameters, asks the VM, and answers; where the VM answers later,
 * a struct pending holds the call until then, or until its client goes away.
 */
#include "control_method.h"

#include "base/json.h"
#include "config/text.h"
#include "control_params.h"
#include "control_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GRACE_MAX_MS 3600000u

struct pending {
    struct varlink_call *call;
    struct vm *vm;
};

void control_method_fail_text(struct varlink_call *call, const char *error, const char *key,
                              const char *value)
{
    varlink_call_fail(call, error, json_texts(key, value, NULL));
}

void control_method_fail(struct varlink_call *call, int error, const char *reason)
{
    struct json_object *params = json_object_new_object();

    json_add_number(params, "errno", (uint64_t)error);
    json_add_text(params, "reason", reason != NULL && reason[0] != '\0' ? reason : strerror(error));
    varlink_call_fail(call, "io.guestlink.Failed", params);
}

void control_method_fail_vm(struct varlink_call *call, const struct vm *vm, int r)
{
    struct vm_view view;

    vm_get_view(vm, &view);
    if (r == -ENOTCONN)
        control_method_fail_text(call, "io.guestlink.NotConnected", "vm", view.config->name);
    else if (r == -ENOBUFS)
        control_method_fail(call, ENOBUFS,
                            "cannot send the request: the guest reads too slowly; try again");
    else if (r == -E2BIG)
        control_method_fail(call, E2BIG,
                            "the command's arguments and variables are too long for one message "
                            "to the guest (64 KiB)");
    else if (r == -EOPNOTSUPP)
        control_method_fail(call, EOPNOTSUPP,
                            "cannot give the command a terminal: the guest's guestlink-init is "
                            "older than 0.2; nothing was started; rebuild the guest's image, or "
                            "run the command without a terminal");
    else
        control_method_fail(call, -r, NULL);
}

struct vm *control_method_find_vm(struct fleet *fleet, struct varlink_call *call,
                                  struct json_object *params)
{
    const char *name;
    char id[37]; /* lower-case, as the daemon knows it */
    struct vm *vm;

    if (!control_params_text(call, params, "vm", &name))
        return NULL;
    vm = fleet_find_vm(fleet, config_text_parse_uuid(name, id) ? id : name);
    if (vm == NULL)
        control_method_fail_text(call, "io.guestlink.NoSuchVm", "vm", name);
    return vm;
}

static void on_closed(void *userdata)
{
    struct pending *pending = userdata;

    vm_forget(pending->vm, pending);
    free(pending);
}

/* @return NULL after answering that there is no memory */
static struct pending *pending_new(struct varlink_call *call, struct vm *vm)
{
    struct pending *pending = malloc(sizeof(*pending));

    if (pending == NULL) {
        control_method_fail(call, ENOMEM, NULL);
        return NULL;
    }
    *pending = (struct pending){call, vm};
    varlink_call_watch(call, on_closed, NULL, pending);
    return pending;
}

/* The call's answer is on its way: nobody is to be told of the client's end any more. */
static struct varlink_call *pending_finish(struct pending *pending)
{
    struct varlink_call *call = pending->call;

    varlink_call_watch(call, NULL, NULL, NULL);
    free(pending);
    return call;
}

static void pending_fail(struct pending *pending, int r)
{
    struct vm *vm = pending->vm;

    control_method_fail_vm(pending_finish(pending), vm, r);
}

static void reply_remark(void *userdata, int error, const char *text)
{
    struct varlink_call *call = pending_finish(userdata);

    if (error != 0)
        control_method_fail(call, error, text);
    else
        varlink_call_reply(call, json_texts("remark", text != NULL ? text : "", NULL), false);
}

void control_method_show(void *userdata, struct varlink_call *call, struct json_object *params)
{
    const struct vm *vm = control_method_find_vm(userdata, call, params);

    if (vm != NULL)
        varlink_call_reply(call, json_members("vm", control_view_vm(vm), NULL), false);
}

static void reply_capabilities(struct varlink_call *call, const struct vm *vm,
                               const struct guest_capabilities *capabilities)
{
    struct json_object *reply =
        json_members("capabilities", control_view_capabilities(capabilities), NULL);
    struct vm_view view;

    vm_get_view(vm, &view);
    json_add_text(reply, "pool",
                  view.verdict == POOL_USABLE ? "usable" : pool_verdict_text(view.verdict));
    json_add_text(reply, "token", view.token);
    varlink_call_reply(call, reply, false);
}

static void on_capabilities(void *userdata, int error, const char *text,
                            const struct guest_capabilities *measured)
{
    struct pending *pending = userdata;
    const struct vm *vm = pending->vm;
    struct varlink_call *call = pending_finish(pending);

    if (error != 0 || measured == NULL)
        control_method_fail(call, error != 0 ? error : EIO, text);
    else
        reply_capabilities(call, vm, measured);
}

void control_method_capabilities(void *userdata, struct varlink_call *call,
                                 struct json_object *params)
{
    struct vm *vm = control_method_find_vm(userdata, call, params);
    struct pending *pending;
    struct vm_view view;
    bool refresh = false;
    int r;

    if (vm == NULL || !control_params_optional_flag(call, params, "refresh", &refresh))
        return;
    vm_get_view(vm, &view);
    if (!refresh && view.boot_known && view.capabilities != NULL) {
        reply_capabilities(call, vm, view.capabilities);
        return;
    }
    pending = pending_new(call, vm);
    if (pending == NULL)
        return;
    r = vm_refresh_capabilities(vm, on_capabilities, pending);
    if (r < 0)
        pending_fail(pending, r);
}

void control_method_command_line(void *userdata, struct varlink_call *call,
                                 struct json_object *params)
{
    struct fleet *fleet = userdata;
    const struct vm *vm = control_method_find_vm(fleet, call, params);
    struct vm_view view;
    char text[256];
    int r;

    if (vm == NULL)
        return;
    vm_get_view(vm, &view);
    r = policy_format_cmdline(view.policy, policy_guest_port(fleet->settings->config, view.config),
                              text, sizeof(text));
    if (r < 0) {
        control_method_fail(call, -r, NULL);
        return;
    }
    varlink_call_reply(call, json_texts("command_line", text, NULL), false);
}

static void on_pool_usage(void *userdata, int error, const char *text,
                          const struct event_pool_usage *usage)
{
    struct varlink_call *call = pending_finish(userdata);

    if (error != 0 || usage == NULL)
        control_method_fail(call, error != 0 ? error : EIO, text);
    else
        varlink_call_reply(call, control_view_pools(usage), false);
}

void control_method_pool_usage(void *userdata, struct varlink_call *call,
                               struct json_object *params)
{
    struct vm *vm = control_method_find_vm(userdata, call, params);
    struct pending *pending = vm == NULL ? NULL : pending_new(call, vm);
    int r;

    if (pending == NULL)
        return;
    r = vm_query_pool(vm, on_pool_usage, pending);
    if (r < 0)
        pending_fail(pending, r);
}

/* @return false after answering what is wrong with the value */
static bool check_value(struct varlink_call *call, const char *key, const char *value,
                        const char *expected)
{
    char reason[512];

    if (expected == NULL)
        return true;
    (void)snprintf(reason, sizeof(reason), "%s: \"%.80s\", expected %s; not adding the share", key,
                   value, expected);
    control_method_fail_text(call, "io.guestlink.Refused", "reason", reason);
    return false;
}

static bool read_share(struct varlink_call *call, struct json_object *params,
                       struct config_share *ret_share)
{
    const char *tag, *path, *target, *transport = "auto";
    bool read_only = false;
    size_t i = 0;

    if (!control_params_text(call, params, "tag", &tag) ||
        !control_params_text(call, params, "path", &path) ||
        !control_params_text(call, params, "target", &target) ||
        !control_params_optional_flag(call, params, "read_only", &read_only) ||
        !control_params_optional_text(call, params, "transport", &transport))
        return false;
    while (config_transport_names[i] && strcmp(config_transport_names[i], transport) != 0)
        i++;
    if (!check_value(call, "tag", tag, config_text_check_tag(tag)) ||
        !check_value(call, "path", path, config_text_check_path(path)) ||
        !check_value(call, "target", target, config_text_check_target(target)) ||
        !check_value(call, "transport", transport,
                     config_transport_names[i] ? NULL : "auto, virtiofs or 9p"))
        return false;
    /* copied by vm_add_share(): only its type is not const */
    *ret_share = (struct config_share){
        .tag = (char *)(uintptr_t)tag,
        .path = (char *)(uintptr_t)path,
        .target = (char *)(uintptr_t)target,
        .read_only = read_only,
        .transport = (enum config_transport)i,
    };
    return true;
}

void control_method_add_share(void *userdata, struct varlink_call *call, struct json_object *params)
{
    struct vm *vm = control_method_find_vm(userdata, call, params);
    struct config_share share;
    struct pending *pending;
    char reason[256];
    int r;

    if (vm == NULL || !read_share(call, params, &share))
        return;
    pending = pending_new(call, vm);
    if (pending == NULL)
        return;
    r = vm_add_share(vm, &share, reply_remark, pending);
    if (r == -EEXIST || r == -EBUSY) {
        (void)snprintf(
            reason, sizeof(reason),
            "the %s \"%.160s\" is already used, expected a unique one; not adding the share",
            r == -EEXIST ? "tag" : "target", r == -EEXIST ? share.tag : share.target);
        control_method_fail(pending_finish(pending), -r, reason);
    } else if (r < 0) {
        pending_fail(pending, r);
    }
}

void control_method_remove_share(void *userdata, struct varlink_call *call,
                                 struct json_object *params)
{
    struct vm *vm = control_method_find_vm(userdata, call, params);
    struct pending *pending;
    char reason[256];
    const char *tag;
    int r;

    if (vm == NULL || !control_params_text(call, params, "tag", &tag))
        return;
    pending = pending_new(call, vm);
    if (pending == NULL)
        return;
    r = vm_remove_share(vm, tag, reply_remark, pending);
    if (r == -ENOENT || r == -EBUSY) {
        (void)snprintf(reason, sizeof(reason),
                       r == -ENOENT
                           ? "no share has the tag \"%.80s\"; `guestlinkctl show` lists them"
                           : "the share \"%.80s\" is being added or removed; try again",
                       tag);
        control_method_fail(pending_finish(pending), -r, reason);
    } else if (r < 0) {
        pending_fail(pending, r);
    }
}

void control_method_shut_down(void *userdata, struct varlink_call *call, struct json_object *params)
{
    struct vm *vm = control_method_find_vm(userdata, call, params);
    struct pending *pending;
    uint32_t grace_ms = 0;
    bool reboot = false;
    int r;

    if (vm == NULL || !control_params_optional_flag(call, params, "reboot", &reboot) ||
        !control_params_optional_number(call, params, "grace_ms", GRACE_MAX_MS, &grace_ms))
        return;
    pending = pending_new(call, vm);
    if (pending == NULL)
        return;
    r = vm_shut_down(vm, reboot, grace_ms, reply_remark, pending);
    if (r < 0)
        pending_fail(pending, r);
}
