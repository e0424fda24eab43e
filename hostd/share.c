/* share: a directory of the host's on its way to a mount in the guest. */
#include "share.h"

#include "clock.h"
#include "limits.h"
#include "log.h"
#include "p9_share.h"
#include "report.h"
#include "vm_parts.h"

#include "protocol/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Frees one that is on no list any more. */
static void destroy(struct share *share)
{
    guest_forget(share->vm->guest, share);
    (void)sd_event_source_disable_unref(share->timer);
    (void)sd_event_source_disable_unref(share->later);
    share->p9 = p9_share_free(share->p9);
    free(share->config.tag);
    free(share->config.path);
    free(share->config.target);
    free(share->error);
    free(share);
}

static void share_free(struct share *share)
{
    struct share **position = &share->vm->shares.first;

    while (*position != share)
        position = &(*position)->next;
    *position = share->next;
    share->vm->shares.count--;
    destroy(share);
}

struct share *share_find(struct vm *vm, const char *tag)
{
    struct share *share = vm->shares.first;

    while (share && (!share->wanted || strcmp(share->config.tag, tag) != 0))
        share = share->next;
    return share;
}

bool share_is_going(const struct vm *vm, const char *tag)
{
    for (const struct share *s = vm->shares.first; s; s = s->next) {
        if (!s->wanted && strcmp(s->config.tag, tag) == 0)
            return true;
    }
    return false;
}

/* True if a predecessor with its tag or on its target has not gone yet. */
static bool must_wait(const struct share *share)
{
    for (const struct share *s = share->vm->shares.first; s != share; s = s->next) {
        if (!s->wanted && (strcmp(s->config.tag, share->config.tag) == 0 ||
                           strcmp(s->config.target, share->config.target) == 0))
            return true;
    }
    return false;
}

int share_new(struct vm *vm, const struct config_share *config, bool configured,
              struct share **ret_share)
{
    struct share **last = &vm->shares.first;
    struct share *share;

    if (share_find(vm, config->tag))
        return -EEXIST;
    if (vm->shares.count >= LIMITS_SHARES)
        return -ENOBUFS;
    share = calloc(1, sizeof(*share));
    if (!share)
        return -ENOMEM;
    while (*last)
        last = &(*last)->next;
    *last = share;
    vm->shares.count++;
    share->vm = vm;
    share->configured = configured;
    share->wanted = true;
    share->config = *config;
    share->config.tag = strdup(config->tag);
    share->config.path = strdup(config->path);
    share->config.target = strdup(config->target);
    if (!share->config.tag || !share->config.path || !share->config.target) {
        share_free(share);
        return -ENOMEM;
    }
    *ret_share = share;
    return 0;
}

bool share_is_settled(const struct share *share)
{
    return !share->wanted || share->failed || share->state == VM_DEVICE_IN_USE;
}

/* Tells whoever waits for it, and the bring-up, that it has come to rest. */
static void settle(struct share *share, int error, const char *text)
{
    struct vm *vm = share->vm;
    struct operation *operation = share->operation;
    bool unwanted = operation && error != 0 && share->wanted;

    clock_disarm(share->timer);
    share->operation = NULL;
    /* one that was asked for at runtime and failed goes again */
    if (unwanted)
        share->wanted = false;
    operation_finish(operation, error, text);
    if (unwanted)
        share_step(share);
    bringup_check(vm);
}

void share_fail(struct share *share, const char *phase, int error, const char *text)
{
    if (share->failed)
        return;
    share->failed = true;
    share->state = VM_DEVICE_FAILED;
    free(share->error);
    share->error = strdup(text);
    report_device_failed(share->vm, "share", share->config.tag, phase, error, text);
    settle(share, error, text);
}

static int on_device_late(sd_event_source *source, uint64_t at_us, void *userdata)
{
    struct share *share = userdata;
    uint32_t given_ms = share->vm->config->timeouts.device;
    char text[LIMITS_TEXT];

    (void)source;
    (void)at_us;
    if (share_is_settled(share) || share->asked)
        return 0;
    (void)snprintf(text, sizeof(text), "the device was not there within %u ms%s%s", given_ms,
                   share->vm->host_error ? ": " : "",
                   share->vm->host_error ? share->vm->host_error : "");
    report_timeout(share->vm, "device", given_ms, share->config.tag);
    share_fail(share, "device", ETIMEDOUT, text);
    return 0;
}

/* Waits for the device, for as long as the phase is given. */
static void await_device(struct share *share, enum vm_device_state state)
{
    struct vm *vm = share->vm;
    int enabled = SD_EVENT_OFF;

    share->state = state;
    if (share->timer)
        (void)sd_event_source_get_enabled(share->timer, &enabled);
    if (enabled == SD_EVENT_OFF)
        (void)clock_arm(vm->services->event, &share->timer, vm->config->timeouts.device,
                        on_device_late, share);
}

static struct operation *share_take_operation(struct share *share)
{
    struct operation *operation = share->operation;

    share->operation = NULL;
    return operation;
}

static void on_mounted(void *userdata, const struct guest_answer *answer)
{
    struct share *share = userdata;
    struct vm *vm = share->vm;

    share->asked = false;
    share->mounted = answer->error == 0;
    if (answer->error == ECONNRESET) {
        share->state = VM_DEVICE_WAITING;
        if (!share->wanted) {
            share_step(share);
            return;
        }
        operation_finish(share_take_operation(share), 0,
                         "the guest went away; the share is mounted when it is back");
        return;
    }
    latency_add(&vm->services->latencies.mount, clock_now_us() - share->asked_us);
    report_mount(share, answer->error, answer->text);
    if (answer->error == ETIMEDOUT)
        report_timeout(vm, "mount", vm->config->timeouts.mount, share->config.tag);
    if (answer->error != 0 && share->wanted)
        share_fail(share, "mount", answer->error, answer->text);
    else
        share_step(share);
}

static void mount(struct share *share)
{
    const struct config_vm *config = share->vm->config;
    bool virtiofs = share->transport == POLICY_TRANSPORT_VIRTIOFS;
    const char *tag = share->device ? share->device->tag : share->config.tag;
    struct request_mount request = {
        .flags = share->config.read_only ? REQUEST_MOUNT_READ_ONLY : 0,
        .transport = virtiofs ? REQUEST_TRANSPORT_VIRTIOFS : REQUEST_TRANSPORT_9P,
        .port = p9_share_port(share->p9),
        .timeout_ms = config->timeouts.mount,
        .tag = wire_text_of(tag),
        .target = wire_text_of(share->config.target),
    };
    uint8_t payload[LIMITS_PATH + 256];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    int r;

    request_mount_pack(&writer, &request);
    r = writer.overflow
            ? -EMSGSIZE
            : guest_ask(share->vm->guest, FRAME_MOUNT, payload, writer.size,
                        config->timeouts.mount + LIMITS_ANSWER_SLACK_MS, on_mounted, share);
    if (r < 0) {
        share_fail(share, "mount", -r, "the guest cannot be asked to mount it");
        return;
    }
    clock_disarm(share->timer);
    share->asked = true;
    share->asked_us = clock_now_us();
    share->state = VM_DEVICE_SETTING;
}

/* Why there is no device: names what was asked for. */
static void fail_taking(struct share *share, int error)
{
    const struct config_share *config = &share->config;
    char text[LIMITS_PATH + LIMITS_TEXT];

    switch (error) {
    case ENOENT:
        (void)snprintf(text, sizeof(text), "its path %s does not exist on the host", config->path);
        break;
    case ENOTDIR:
        (void)snprintf(text, sizeof(text), "its path %s is no directory on the host", config->path);
        break;
    case EEXIST:
        (void)snprintf(text, sizeof(text), "the tag %s is taken by another device of this VM",
                       config->tag);
        break;
    case EOPNOTSUPP:
        (void)snprintf(text, sizeof(text),
                       "neither the policy nor the guest's kernel leave a transport for it%s",
                       config->transport == CONFIG_TRANSPORT_AUTO ? "" : " (it names one itself)");
        break;
    default:
        (void)snprintf(text, sizeof(text), "%s on the host: %s", config->path,
                       strerrordesc_np(error));
        break;
    }
    share_fail(share, "device", error, text);
}

/* Gets what the mount needs. @return 0: it is there; -EAGAIN: it comes; or -errno */
static int prepare(struct share *share)
{
    int r = 0;

    if (share->transport == POLICY_TRANSPORT_9P)
        return share->p9 ? 0 : p9_share_new(share->vm, &share->config, &share->p9);
    if (!share->device)
        r = share_device_take(share);
    if (r < 0)
        return r;
    return share->device->state == SHARE_DEVICE_THERE && !share->device->stale ? 0 : -EAGAIN;
}

static void step_up(struct share *share)
{
    struct vm *vm = share->vm;
    int r;

    if (share->failed || share->asked || !vm->boot.known || !guest_is_attached(vm->guest))
        return;
    if (must_wait(share)) {
        await_device(share, VM_DEVICE_WAITING);
        return;
    }
    share->transport =
        policy_share_transport(&vm->policy, &share->config, vm->boot.capabilities.features);
    r = share->transport == POLICY_TRANSPORT_NONE ? -EOPNOTSUPP : prepare(share);
    if (r == -EAGAIN && !share->device && vm->host_error) {
        share_fail(share, "device", ENOTCONN, vm->host_error);
    } else if (r == -EAGAIN) {
        await_device(share, share->device ? VM_DEVICE_ADDING : VM_DEVICE_WAITING);
    } else if (r < 0) {
        fail_taking(share, -r);
    } else {
        if (share->device && !share->told)
            report_share_added(share);
        share->told = true;
        if (!share->mounted) {
            mount(share);
            return;
        }
        share->state = VM_DEVICE_IN_USE;
        settle(share, 0, "");
    }
}

static int on_shares_later(sd_event_source *source, void *userdata)
{
    (void)source;
    shares_step(userdata);
    return 0;
}

/* Another may have waited for this one's tag or target. */
static void shares_step_later(struct vm *vm)
{
    sd_event_source **later = &vm->shares.later;

    if (!vm->shares.first)
        return;
    if (*later)
        (void)sd_event_source_set_enabled(*later, SD_EVENT_ONESHOT);
    else
        (void)sd_event_add_defer(vm->services->event, later, on_shares_later, vm);
}

/* The last step of a share that goes. */
static void go(struct share *share, const char *remark)
{
    struct vm *vm = share->vm;
    struct operation *operation = share->operation;
    int error = share->leave_error;

    share->operation = NULL;
    share_free(share);
    vm_save_now(vm);
    operation_finish(operation, error, error ? "its device could not be removed" : remark);
    shares_step_later(vm);
    bringup_check(vm);
    vm_check_left(vm);
}

static void on_unmounted(void *userdata, const struct guest_answer *answer)
{
    struct share *share = userdata;

    share->asked = false;
    /* EINVAL: it is not mounted, as umount(2) says it */
    if (answer->error != 0 && answer->error != EINVAL && answer->error != ECONNRESET &&
        !share->remount) {
        struct operation *operation = share->operation;

        report_device_failed(share->vm, "share", share->config.tag, "unmount", answer->error,
                             answer->text);
        share->operation = NULL;
        share->wanted = true;
        share->state = VM_DEVICE_IN_USE;
        operation_finish(operation, answer->error, answer->text);
        return;
    }
    share->mounted = false;
    if (share->remount) {
        share->remount = false;
        share->state = share->failed ? VM_DEVICE_FAILED : VM_DEVICE_WAITING;
        if (share->device && share->device->stale)
            share_device_release(share);
    }
    share_step(share);
}

/* @return 0, or -errno: nobody to ask */
static int unmount(struct share *share)
{
    struct request_unmount request = {.flags = share->remount ? REQUEST_UNMOUNT_DETACH : 0,
                                      .target = wire_text_of(share->config.target)};
    uint8_t payload[LIMITS_PATH + 64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    int r;

    request_unmount_pack(&writer, &request);
    r = guest_ask(share->vm->guest, FRAME_UNMOUNT, payload, writer.size,
                  share->vm->config->timeouts.mount + LIMITS_ANSWER_SLACK_MS, on_unmounted, share);
    if (r < 0)
        return r;
    share->asked = true;
    share->state = VM_DEVICE_RELEASING;
    return 0;
}

static void step_down(struct share *share)
{
    if (share->asked)
        return;
    if (share->mounted && unmount(share) == 0)
        return;
    if (share->device)
        share->state = VM_DEVICE_REMOVING;
    if (!share_device_leave(share))
        return;
    go(share, share->mounted ? "the guest is not connected and was not asked to unmount it" : "");
}

void share_step(struct share *share)
{
    if (share->wanted)
        step_up(share);
    else
        step_down(share);
}

void share_drop(struct share *share)
{
    share->wanted = false;
    clock_disarm(share->timer);
    share_step(share);
}

static int on_later(sd_event_source *source, void *userdata)
{
    (void)source;
    share_step(userdata);
    return 0;
}

/* Without a source the step is taken at once: a `done` that comes too early is better than none. */
static void step_later(struct share *share)
{
    if (share->later)
        (void)sd_event_source_set_enabled(share->later, SD_EVENT_ONESHOT);
    else if (sd_event_add_defer(share->vm->services->event, &share->later, on_later, share) < 0)
        share_step(share);
}

void share_begin_later(struct share *share, struct operation *operation)
{
    share->operation = operation;
    step_later(share);
}

void share_drop_later(struct share *share, struct operation *operation)
{
    share->operation = operation;
    share->wanted = false;
    clock_disarm(share->timer);
    step_later(share);
}

/* A step may free the share that it is for, never another. */
void shares_step(struct vm *vm)
{
    struct share *next;

    for (struct share *share = vm->shares.first; share; share = next) {
        next = share->next;
        share_step(share);
    }
}

void shares_begin(struct vm *vm, bool same_boot)
{
    if (!same_boot)
        share_devices_mark_stale(vm);
    for (struct share *s = vm->shares.first; s; s = s->next) {
        s->failed = false;
        if (same_boot)
            continue;
        s->mounted = false;
        s->remount = false;
        s->retries = 0;
        s->state = VM_DEVICE_WAITING;
        s->p9 = p9_share_free(s->p9);
        free(s->error);
        s->error = NULL;
        if (s->device && s->device->stale)
            share_device_release(s);
    }
}

void shares_forget_devices(struct vm *vm)
{
    struct share_device *next;

    for (struct share_device *device = vm->shares.devices; device; device = next) {
        next = device->next;
        if (device->state == SHARE_DEVICE_THERE)
            share_device_forget(device);
    }
}

bool shares_are_settled(const struct vm *vm)
{
    for (const struct share *s = vm->shares.first; s; s = s->next) {
        if (!share_is_settled(s))
            return false;
    }
    return true;
}

/* @return true if the share has another try */
static bool may_retry(struct share *share)
{
    uint64_t now_us = clock_now_us();

    if (now_us - share->retried_us > LIMITS_SHARE_RETRY_FORGIVE_MS * UINT64_C(1000))
        share->retries = 0;
    share->retried_us = now_us;
    return share->retries++ < LIMITS_SHARE_RETRIES;
}

/* The mount is of no use any more: it is taken away, and the share made again, or given up. */
static void lose(struct share *share, const char *text)
{
    bool mounted = share->mounted && guest_is_attached(share->vm->guest) && !share->asked;

    if (mounted) {
        share->remount = true;
        mounted = unmount(share) == 0;
    }
    if (!mounted) {
        share->mounted = false;
        share_device_release(share);
    }
    if (!may_retry(share))
        share_fail(share, "serve", EPIPE, text);
    else if (!mounted)
        share_step(share);
}

void shares_lost(struct vm *vm, const char *tag, bool restored, const char *text)
{
    struct share_device *device = share_device_find(vm, tag);
    struct share *next;

    report_device_failed(vm, "share", tag, "serve", EPIPE, text);
    if (!device)
        return;
    device->stale = !restored;
    for (struct share *share = vm->shares.first; share; share = next) {
        next = share->next;
        if (share->device == device && (!restored || share->mounted))
            lose(share, text);
    }
    vm_save_now(vm);
}

void shares_done(struct vm *vm)
{
    struct share *share = vm->shares.first, *next;

    share_devices_done(vm);
    vm->shares.first = NULL;
    for (; share; share = next) {
        next = share->next;
        share->p9 = p9_share_release(share->p9);
        destroy(share);
    }
    vm->shares.later = sd_event_source_disable_unref(vm->shares.later);
}
