/* domain, its devices: what serves them, watched. */
#include "domain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BALLOON                                                                                    \
    "the domain has a <memballoon> (or virtio-mem) device: after QEMU discards a page, the "       \
    "guest and the device's process would use different memory; give the domain <memballoon "      \
    "model='none'/>"

static struct domain_device *find(const struct device_domain *domain, bool is_share,
                                  const char *name)
{
    struct domain_device *device = domain->devices;

    while (device && (device->is_share != is_share || strcmp(device->name, name) != 0))
        device = device->next;
    return device;
}

struct domain_device *domain_device_free(struct domain_device *device, bool stop)
{
    struct domain_device **position;

    if (!device)
        return NULL;
    position = &device->domain->devices;
    while (*position != device)
        position = &(*position)->next;
    *position = device->next;
    if (stop)
        device_server_stop(device->server);
    else
        device_server_free(device->server);
    free(device->name);
    free(device);
    return NULL;
}

struct domain_device *domain_device_new(struct domain_task *task, const char *file)
{
    struct device_domain *domain = task->domain;
    struct domain_device *device = calloc(1, sizeof(*device));

    if (!device || !(device->name = strdup(task->name))) {
        free(device);
        return NULL;
    }
    /* looked at as by a new daemon */
    (void)domain_device_free(find(domain, task->is_share, task->name), false);
    device->domain = domain;
    device->task = task;
    device->is_share = task->is_share;
    memcpy(device->alias, task->alias, sizeof(device->alias));
    (void)snprintf(device->file, sizeof(device->file), "%s", file);
    device->next = domain->devices;
    domain->devices = device;
    return device;
}

int domain_device_adopt(struct domain_device *device)
{
    return device_server_adopt(device->domain->host.event, device->domain->directory, device->file,
                               &domain_device_events, device, &device->server);
}

const char *domain_device_socket(const struct domain_device *device, char *buffer)
{
    struct device_server_files files;

    buffer[0] = '\0';
    if (device_server_files_name(device->domain->directory, device->file, &files) == 0)
        memcpy(buffer, files.socket, sizeof(files.socket));
    return buffer;
}

struct share_server_place domain_place(const struct device_domain *domain,
                                       struct json_object *description)
{
    struct share_server_place place = {
        .directory = domain->directory,
        .parent = domain->parent,
        .uid = (uid_t)-1,
        .gid = (gid_t)-1,
    };
    uid_t uid;
    gid_t gid;

    /* A daemon that is not root cannot give it away, and its domains' QEMUs are its own user's. */
    if (geteuid() == 0 && description_owner(description, &uid, &gid)) {
        place.uid = uid;
        place.gid = gid;
    }
    return place;
}

void domain_task_note_old(struct domain_task *task, const struct description_device *found)
{
    const char *socket = found->is_share ? found->socket : found->source;
    const char *slash = strrchr(socket, '/');
    size_t size = strlen(task->domain->directory);

    task->old_file[0] = '\0';
    if (!slash || (size_t)(slash - socket) != size ||
        memcmp(socket, task->domain->directory, size) != 0)
        return; /* it is not one of ours */
    (void)snprintf(task->old_file, sizeof(task->old_file), "%.*s", (int)strcspn(slash + 1, "."),
                   slash + 1);
}

void domain_task_sweep_old(struct domain_task *task)
{
    struct device_domain *domain = task->domain;
    struct domain_device *device = find(domain, task->is_share, task->name);

    if (device && !device->task)
        (void)domain_device_free(device, true);
    if (device_name_is_hash(task->old_file) || passt_server_is_name(task->old_file))
        device_server_sweep(domain->host.event, domain->directory, task->old_file);
}

/* ---- the end of all */

/* Ends what an earlier daemon remembered. */
static void sweep(struct device_domain *domain, struct json_object *names)
{
    json_object_object_foreach(names, alias, value)
    {
        const char *name = json_as_text(value, LIBVIRT_TEXT_MAX);

        (void)alias;
        if (name && (device_name_is_hash(name) || passt_server_is_name(name)))
            device_server_sweep(domain->host.event, domain->directory, name);
    }
}

void domain_devices_clean_up(struct device_domain *domain)
{
    struct json_object *names = json_member(domain->memory, "devices");
    struct domain_device *device = domain->devices, *next;

    for (; device; device = next) {
        next = device->next;
        if (!device->task) /* else its task ends it */
            (void)domain_device_free(device, true);
    }
    if (json_is_object(names))
        sweep(domain, names);
    (void)rmdir(domain->directory); /* of a VM that may be configured no more */
    json_object_put(domain->memory);
    domain->memory = NULL;
}

/* {"devices": {ALIAS: NAME, …}}: only to clean up after a domain that ended while no daemon ran. */
struct json_object *domain_devices_remember(const struct device_domain *domain)
{
    struct json_object *names = json_object_new_object();

    for (const struct domain_device *device = domain->devices; device; device = device->next)
        json_add_text(names, device->alias, device->file);
    return json_members("devices", names, NULL);
}

void domain_devices_stay(struct device_domain *domain, const char *alias)
{
    for (struct domain_device *device = domain->devices; device; device = device->next)
        if (!alias || strcmp(device->alias, alias) == 0)
            device->leaving = false;
}

/* ---- what is heard of a server */

static void on_ready(void *userdata, const char *remark)
{
    struct domain_task *task = ((const struct domain_device *)userdata)->task;

    (void)snprintf(task->remark, sizeof(task->remark), "%s%s%s",
                   task->serving_remark ? task->serving_remark : "",
                   task->serving_remark && task->serving_remark[0] && remark[0] ? "; " : "",
                   remark);
    task->awaits_ready = false;
    task->ready(task, &(struct libvirt_reply){.text = ""});
}

static void on_detached(void *userdata, const struct libvirt_reply *reply)
{
    struct device_domain *domain = userdata;

    if (reply->error)
        domain_devices_stay(domain, NULL);
}

/* What serves a device is gone. At once, and before anybody unmounts: what the guest asks of a
 * device that nobody serves is never answered, and its driver waits forever; of a device that is
 * gone it fails with ENOTCONN. */
static void unplug_dead(struct domain_device *device)
{
    struct device_domain *domain = device->domain;

    device->leaving =
        libvirt_call(domain->libvirt, "detach", json_texts("alias", device->alias, NULL),
                     domain->host.timeout_ms, on_detached, domain) == 0;
}

/* True if there is no device of it, for its aperture cannot be kept. @param ret_status  says why */
static bool is_refused(const struct domain_device *device, struct aperture_status *ret_status)
{
    return device->server && device_server_get_aperture(device->server, ret_status) == 0 &&
           ret_status->state == APERTURE_REFUSED;
}

static void tell_lost(const struct domain_device *device, const char *text)
{
    const struct device_host *host = &device->domain->host;
    struct aperture_status status;
    bool refused = is_refused(device, &status);

    if (device->is_share && refused)
        host->events.share_refused(host->userdata, device->name, status.reason);
    else if (device->is_share)
        host->events.share_lost(host->userdata, device->name, false, text);
    else if (refused)
        host->events.adapter_refused(host->userdata, device->name, status.reason);
    else
        host->events.adapter_lost(host->userdata, device->name, false, text);
}

/* True while a task unplugs it: libvirt says that it is gone after what serves it knows. */
static bool is_unplugged(const struct domain_device *device)
{
    for (const struct domain_task *task = device->domain->tasks; task; task = task->next)
        if (task->unplugging && strcmp(task->alias, device->alias) == 0)
            return true;
    return false;
}

static void on_ended(void *userdata, const char *text)
{
    struct domain_device *device = userdata;
    struct domain_task *task = device->task;

    if (task && task->awaits_ready) {
        task->awaits_ready = false;
        task->ready(task, &(struct libvirt_reply){.error = EIO,
                                                  .text = device->is_share
                                                              ? "virtiofsd cannot serve the share"
                                                              : "passt cannot serve the adapter"});
    } else if (!task && !is_unplugged(device)) {
        if (device->is_share)
            unplug_dead(device);
        tell_lost(device, text);
    }
    /* Else QEMU is about to find out, and the attachment fails; or it hung up. */
}

static void on_aperture(void *userdata)
{
    const struct domain_device *device = userdata;
    const struct device_host *host = &device->domain->host;

    /* The end of the task, or of the server, is what tells otherwise. */
    if (device->task || device_server_has_ended(device->server))
        return;
    if (device->is_share)
        host->events.aperture_changed(host->userdata, device->name);
    else
        host->events.adapter_aperture_changed(host->userdata, device->name);
}

static void on_restored(void *userdata, const char *text)
{
    const struct domain_device *device = userdata;
    const struct device_host *host = &device->domain->host;
    char whole[DEVICE_SERVER_TEXT_SIZE + 64];

    (void)snprintf(whole, sizeof(whole), "started another passt, the guest lost packets: %s", text);
    if (!device->is_share)
        host->events.adapter_lost(host->userdata, device->name, true, whole);
}

const struct device_server_events domain_device_events = {
    .ready = on_ready,
    .ended = on_ended,
    .aperture = on_aperture,
    .restored = on_restored,
};

/* ---- its aperture */

static int get_aperture(const struct domain_device *device, struct aperture_status *ret_status)
{
    int r;

    if (!device || device->task || !device->server)
        return -ENOENT;
    if (device->obstacle) {
        *ret_status = (struct aperture_status){.state = APERTURE_NONE};
        (void)snprintf(ret_status->reason, sizeof(ret_status->reason), "%s", device->obstacle);
        return 0;
    }
    r = device_server_get_aperture(device->server, ret_status);
    if (r == 0 && device->discards && ret_status->state == APERTURE_ENFORCED)
        (void)snprintf(ret_status->reason, sizeof(ret_status->reason), "%s", BALLOON);
    return r;
}

static int confirm(const struct domain_device *device, uint64_t number)
{
    return device && device->server ? device_server_confirm_aperture(device->server, number)
                                    : -ENOENT;
}

int domain_get_share_aperture(const struct device_host *host, const char *tag,
                              struct aperture_status *ret_status)
{
    return get_aperture(find((const struct device_domain *)host, true, tag), ret_status);
}

int domain_get_adapter_aperture(const struct device_host *host, const char *id,
                                struct aperture_status *ret_status)
{
    return get_aperture(find((const struct device_domain *)host, false, id), ret_status);
}

int domain_confirm_share_aperture(const struct device_host *host, const char *tag, uint64_t number)
{
    return confirm(find((const struct device_domain *)host, true, tag), number);
}

int domain_confirm_adapter_aperture(const struct device_host *host, const char *id, uint64_t number)
{
    return confirm(find((const struct device_domain *)host, false, id), number);
}
