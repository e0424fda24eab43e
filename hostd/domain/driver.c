/* domain driver: whether the domain runs, and what happens to it. */
#include "driver.h"

#include "advice.h"
#include "base/clock.h"
#include "base/fd.h"
#include "domain.h"
#include "leftover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Of the state directory, as of the device host "qemu". */
#define DIRECTORY "fs"

#define DESCRIBE_MS 30000u

#define LOOK_AGAIN_MS 2000u

/* A guest's reboot is told twice (within 32 ms): by QEMU's RESET, and by libvirt's own. */
#define REBOOT_TWICE_US UINT64_C(1000000)

static bool is_up(const struct device_host *host)
{
    return ((const struct device_domain *)host)->is_up;
}

static const char *version(const struct device_host *host)
{
    const struct device_domain *domain = (const struct device_domain *)host;

    return domain->is_up ? libvirt_hypervisor(domain->libvirt) : "";
}

static struct json_object *remember(const struct device_host *host)
{
    return domain_devices_remember((const struct device_domain *)host);
}

static int remove_share(struct device_host *host, const char *tag,
                        struct device_operation *operation)
{
    return domain_task_begin_removal(host, true, tag, operation);
}

static int remove_adapter(struct device_host *host, const char *id,
                          struct device_operation *operation)
{
    return domain_task_begin_removal(host, false, id, operation);
}

/* ---- is it there */

/* @param ended  its QEMU is gone; else nothing is known of it */
static void go_down(struct device_domain *domain, bool ended, const char *text)
{
    bool tell = domain->is_up || (ended && domain->was_up);

    domain->is_up = false;
    if (ended) {
        domain_devices_clean_up(domain);
        domain->no_iommu_shares = false; /* the next one may be another version */
        domain->was_up = false;
        domain_leftovers_drop(domain);
    }
    domain_devices_stay(domain, NULL);
    domain_tasks_lose_unplugs(domain, text);
    if (tell)
        domain->host.events.down(domain->host.userdata, ended, text);
}

/* The VM's own socket, where QEMU connects a <channel>, gets QEMU's user, who is known only now:
 * QEMU tries again each second. Of a socket alone, and of nothing that a link leads to. */
static void own_door(const struct device_domain *domain, struct json_object *description)
{
    const char *path = domain->host.vm->socket;
    FD fd = path && geteuid() == 0 ? open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
    struct stat status;
    uid_t uid;
    gid_t gid;

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) &&
        description_owner(description, &uid, &gid))
        (void)!fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
}

static void go_up(struct device_domain *domain, struct json_object *description)
{
    int64_t run = description_run(description);

    domain->is_unknown = false;
    own_door(domain, description);
    if (domain->was_up && domain->run != run)
        go_down(domain, true, "the domain was restarted");
    if (domain->is_up)
        return;
    domain->run = run;
    domain->is_up = domain->was_up = true;
    domain->host.events.up(domain->host.userdata);
    domain_leftovers_remove(domain); /* what is wanted again was dropped from them */
}

/* Of the first look that is told, too: a person wants to know. */
static void be_absent(struct device_domain *domain, const char *text)
{
    bool first = (!domain->was_told || domain->is_unknown) && !domain->was_up;

    domain->was_told = true;
    domain->is_unknown = false;
    if (domain->was_up) {
        go_down(domain, true, text);
        return;
    }
    domain_devices_clean_up(domain);
    if (first)
        domain->host.events.down(domain->host.userdata, false, text);
}

static void look(struct device_domain *domain);

/* The domain keeps running, if it runs, with its devices. @param first  is to be told in any case
 */
static void be_unknown(struct device_domain *domain, bool first, const char *text)
{
    bool tell = first && !domain->is_up;

    domain->was_told = true;
    go_down(domain, false, text);
    if (tell)
        domain->host.events.down(domain->host.userdata, false, text);
}

static int on_look_again(sd_event_source *source, uint64_t now, void *userdata)
{
    (void)source;
    (void)now;
    look(userdata);
    return 0;
}

/* libvirt refused to describe the domain, and may send no event that would be a reason to ask
 * again: a timer is. */
static void be_refused(struct device_domain *domain, const char *text)
{
    be_unknown(domain, !domain->is_unknown, text);
    domain->is_unknown = true;
    (void)clock_arm(domain->host.event, &domain->look_timer, LOOK_AGAIN_MS, on_look_again, domain);
}

static void on_description(void *userdata, const struct libvirt_reply *reply)
{
    struct device_domain *domain = userdata;
    char text[DEVICE_TEXT_SIZE];

    domain->looking = false;
    (void)snprintf(text, sizeof(text), "domain \"%s\": %s%s", domain->host.vm->device_host.domain,
                   reply->text, advice_find(reply));
    if (domain->look_again || reply->error == ETIMEDOUT) {
        look(domain);
    } else if (reply->error == EREMOTEIO && reply->code == LIBVIRT_ERROR_NO_DOMAIN) {
        be_absent(domain, text);
    } else if (reply->error == EREMOTEIO) {
        be_refused(domain, text);
    } else if (!reply->error && description_is_active(reply->result)) {
        go_up(domain, reply->result);
    } else if (!reply->error) {
        (void)snprintf(text, sizeof(text), "domain \"%s\" is not running",
                       domain->host.vm->device_host.domain);
        be_absent(domain, text);
    }
}

/* Asks whether it runs. What happens meanwhile makes the answer outdated. */
static void look(struct device_domain *domain)
{
    domain->look_again = domain->looking;
    if (domain->looking)
        return;
    domain->looking =
        libvirt_call(domain->libvirt, "describe", NULL, DESCRIBE_MS, on_description, domain) == 0;
}

/* ---- what is heard */

static void on_libvirt_up(void *userdata)
{
    look(userdata);
}

static void on_libvirt_down(void *userdata, const char *text)
{
    struct device_domain *domain = userdata;

    domain->is_unknown = false;
    be_unknown(domain, !domain->was_told, text);
}

static void on_lifecycle(struct device_domain *domain, const char *state)
{
    if (strcmp(state, "stopped") == 0 || strcmp(state, "crashed") == 0) {
        domain->look_again = domain->looking;
        be_absent(domain, "the domain was stopped");
    } else if (strcmp(state, "started") == 0 || strcmp(state, "defined") == 0 ||
               strcmp(state, "undefined") == 0) {
        look(domain);
    } else if (strcmp(state, "resumed") == 0 && domain->is_up) {
        domain->host.events.resumed(domain->host.userdata);
    }
}

static void on_reboot(struct device_domain *domain)
{
    uint64_t now = 0;

    (void)sd_event_now(domain->host.event, CLOCK_BOOTTIME, &now);
    if (!domain->is_up || (domain->reset_us && now - domain->reset_us < REBOOT_TWICE_US))
        return;
    domain->reset_us = now;
    domain_devices_stay(domain, NULL); /* a request that the guest had not seen is forgotten */
    domain->host.events.reset(domain->host.userdata);
}

static bool has_task(const struct device_domain *domain, const char *alias)
{
    for (const struct domain_task *task = domain->tasks; task; task = task->next)
        if (strcmp(task->alias, alias) == 0)
            return true;
    return false;
}

/* That nobody asked for now: by somebody else, or before libvirt was restarted. Where a process
 * serves the device, its end tells. */
static void lose_adapter(struct device_domain *domain, const char *alias)
{
    const struct config_vm *vm = domain->host.vm;

    for (size_t i = 0; i < vm->network_count; i++) {
        const struct config_network *network = &vm->networks[i];
        char own[DEVICE_XML_ALIAS_SIZE];

        if (network->backend != CONFIG_BACKEND_PASST &&
            device_xml_alias(DEVICE_XML_ADAPTER, network->id, own) == 0 && strcmp(own, alias) == 0)
            domain->host.events.adapter_lost(domain->host.userdata, network->id, false,
                                             "the device was removed from the domain");
    }
}

static void on_unplugged(struct device_domain *domain, const char *alias, int error)
{
    bool expected = has_task(domain, alias);

    domain_devices_stay(domain, alias);
    domain_tasks_on_unplugged(domain, alias, error);
    if (!error && !expected && domain->is_up)
        lose_adapter(domain, alias);
}

static void on_event(void *userdata, const char *name, struct json_object *message)
{
    struct device_domain *domain = userdata;
    const char *state = json_as_text(json_member(message, "state"), LIBVIRT_TEXT_MAX);
    const char *alias = json_as_text(json_member(message, "alias"), LIBVIRT_TEXT_MAX);

    if (state && strcmp(name, "lifecycle") == 0)
        on_lifecycle(domain, state);
    else if (strcmp(name, "reboot") == 0)
        on_reboot(domain);
    else if (alias && strcmp(name, "removed") == 0)
        on_unplugged(domain, alias, 0);
    else if (alias && strcmp(name, "removal-failed") == 0)
        on_unplugged(domain, alias, EBUSY);
}

/* ---- its life */

static struct device_host *domain_free(struct device_host *host)
{
    struct device_domain *domain = device_domain_of(host);

    /* ends the calls, and with them most operations */
    domain->libvirt = libvirt_leave(domain->libvirt);
    device_host_done(host);
    while (domain->devices)
        (void)domain_device_free(domain->devices, false);
    domain_leftovers_drop(domain);
    sd_event_source_disable_unref(domain->look_timer);
    json_object_put(domain->memory);
    free(domain->directory);
    free(domain->parent);
    free(domain);
    return NULL;
}

static int name_directories(struct device_domain *domain, const char *state_dir)
{
    char name[DEVICE_NAME_HASH_SIZE];

    device_name_hash(name, domain->host.vm->id, NULL);
    if (asprintf(&domain->parent, "%s/" DIRECTORY, state_dir) < 0) {
        domain->parent = NULL;
        return -ENOMEM;
    }
    if (asprintf(&domain->directory, "%s/%s", domain->parent, name) < 0) {
        domain->directory = NULL;
        return -ENOMEM;
    }
    return 0;
}

int domain_driver_new(sd_event *event, const struct config_vm *vm, const char *state_dir,
                      struct json_object *memory, const struct device_host_events *events,
                      void *userdata, struct device_host **ret_host)
{
    static const struct device_driver driver = {
        .add_share = domain_share_add,
        .remove_share = remove_share,
        .add_adapter = domain_adapter_add,
        .remove_adapter = remove_adapter,
        .get_aperture = domain_get_share_aperture,
        .get_adapter_aperture = domain_get_adapter_aperture,
        .confirm_aperture = domain_confirm_share_aperture,
        .confirm_adapter_aperture = domain_confirm_adapter_aperture,
        .is_up = is_up,
        .version = version,
        .remember = remember,
        .free = domain_free,
    };
    static const struct libvirt_events libvirt_events = {
        .up = on_libvirt_up,
        .down = on_libvirt_down,
        .event = on_event,
    };
    struct device_domain *domain = calloc(1, sizeof(*domain));
    int r;

    if (!domain)
        return -ENOMEM;
    device_host_init(&domain->host, &driver, event, vm, events, userdata);
    domain->memory = json_object_get(memory);
    domain->run = -1;
    domain->absent = be_absent;
    r = name_directories(domain, state_dir);
    if (r == 0) {
        /* What cannot be made is said when a share needs it. */
        (void)mkdir(state_dir, 0755);
        r = libvirt_join(event, vm->device_host.uri, vm->device_host.domain, &libvirt_events,
                         domain, &domain->libvirt);
    }
    if (r < 0) {
        (void)domain_free(&domain->host);
        return r;
    }
    *ret_host = &domain->host;
    return 0;
}
