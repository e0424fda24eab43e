/*
 * domain, a share: is the domain's memory shared; is the device there already (then it is equal and
 * taken over, or unplugged); if not, virtiofsd is started behind its relay, and the device
 * attached.
 */
#include "advice.h"
#include "domain.h"
#include "leftover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* qemu/share_make.c says why. */
#define BOUNCED_QUEUE_SIZE 64u

#define OFF      "\"aperture\" is \"off\" in the VM's configuration"
#define NO_TOKEN "the VM has no token"

#define IOMMU_REMARK                                                                               \
    "QEMU does not support iommu_platform with vhost-user-fs (virtiofsd does not offer "           \
    "VIRTIO_F_ACCESS_PLATFORM): the device was added without iommu_platform and does not "         \
    "bounce through the guest's pool"
#define IOMMU_REQUIRED                                                                             \
    "the aperture is required, but QEMU cannot make the guest use the pool for the device "        \
    "(update QEMU, or set \"aperture\": \"auto\")"
#define BALLOON_FORBIDDEN                                                                          \
    "the aperture is required, but the domain has a device that discards pages of its "            \
    "memory; give it <memballoon model='none'/> and no virtio-mem"

static void on_description(struct domain_task *task, const struct libvirt_reply *reply);

/* False if QEMU refused that before, and it need not be. */
static bool may_bounce(const struct domain_task *task)
{
    return task->share.iommu_platform &&
           (!task->domain->no_iommu_shares || task->share.aperture == CONFIG_APERTURE_REQUIRE);
}

static void succeed(struct domain_task *task, bool created, bool iommu_platform)
{
    struct domain_device *device = task->device;
    bool lacks = task->share.iommu_platform && !iommu_platform;

    if (!task->share.iommu_platform)
        device->obstacle = task->share.aperture == CONFIG_APERTURE_OFF ? OFF : NO_TOKEN;
    else if (lacks)
        device->obstacle = IOMMU_REMARK;
    task->operation->outcome.created = created;
    task->operation->outcome.iommu_platform = iommu_platform;
    device->task = NULL;
    task->device = NULL;
    domain_task_finish(task, 0, "%s%s%s", lacks ? IOMMU_REMARK : "",
                       lacks && task->remark[0] ? "; " : "", task->remark);
}

static void start_virtiofsd(struct domain_task *task);

static void on_attached(struct domain_task *task, const struct libvirt_reply *reply)
{
    if (advice_is_iommu(reply) && task->iommu_platform) {
        if (task->share.aperture == CONFIG_APERTURE_REQUIRE) {
            domain_task_fail(task, IOMMU_REQUIRED, reply);
            return;
        }
        /* A virtiofsd serves one connection: another one, and that QEMU is not asked again. */
        task->domain->no_iommu_shares = true;
        task->device->server = device_server_stop(task->device->server);
        start_virtiofsd(task);
    } else if (reply->error) {
        domain_task_fail(task, "cannot attach the device", reply);
    } else if (device_server_has_ended(task->device->server)) {
        (void)libvirt_call(task->domain->libvirt, "detach", json_texts("alias", task->alias, NULL),
                           task->domain->host.timeout_ms, NULL, NULL);
        domain_task_finish(task, EIO,
                           "share %s: virtiofsd exited while the device was being "
                           "added; %s",
                           task->name, device_server_describe(task->device->server));
    } else {
        succeed(task, true, task->iommu_platform);
    }
}

static void attach(struct domain_task *task, const struct libvirt_reply *reply)
{
    const struct device_xml_place place = {
        .alias = task->alias, .bus = task->port, .iommu = task->iommu_platform};

    if (reply->error) {
        domain_task_fail(task, "", reply);
        return;
    }
    domain_task_attach(task,
                       device_xml_share(&place, task->name,
                                        device_server_socket(task->device->server),
                                        task->iommu_platform ? BOUNCED_QUEUE_SIZE : 0),
                       on_attached);
}

static void start_virtiofsd(struct domain_task *task)
{
    struct device_domain *domain = task->domain;
    char text[SHARE_SERVER_TEXT_SIZE];
    int error;

    task->iommu_platform = may_bounce(task);
    task->awaits_ready = true;
    task->ready = attach;
    /* Without iommu_platform the guest does not use the pool. */
    error = share_server_start(
        domain->host.event, domain->host.vm, &task->place, task->device->file, &task->share,
        task->iommu_platform ? task->share.aperture : CONFIG_APERTURE_OFF, &domain_device_events,
        task->device, &task->device->server, &task->serving_remark, text);
    if (error)
        domain_task_finish(task, error, "share %s: %s", task->name, text);
}

static void on_old_unplugged(struct domain_task *task, const struct libvirt_reply *reply)
{
    if (reply->error) {
        domain_task_fail(task, "a different device with that tag exists", reply);
        return;
    }
    domain_task_sweep_old(task);
    if (domain_task_describe(task, on_description) < 0)
        domain_task_finish(task, ENOTCONN, "share %s: cannot reach libvirt", task->name);
}

/* What stands in the way of any share. @return NULL: nothing */
static const char *obstacle(const struct domain_task *task, struct json_object *description)
{
    const char *memory = description_memory_obstacle(description);

    if (memory)
        return memory;
    return task->share.iommu_platform && task->share.aperture == CONFIG_APERTURE_REQUIRE &&
                   description_discards(description)
               ? BALLOON_FORBIDDEN
               : NULL;
}

static void on_description(struct domain_task *task, const struct libvirt_reply *reply)
{
    char socket[DEVICE_SERVER_FILE_SIZE];
    struct description_device found;
    const char *text = obstacle(task, reply->result);

    if (text) {
        domain_task_finish(task, ENOTSUP, "share %s: %s", task->name, text);
        return;
    }
    task->device->discards = description_discards(reply->result);
    task->place = domain_place(task->domain, reply->result);
    if (!description_find(reply->result, task->alias, &found)) {
        if (domain_task_find_port(task, reply->result))
            start_virtiofsd(task);
        return;
    }
    if (found.is_share && strcmp(found.tag, task->name) == 0 &&
        strcmp(found.socket, domain_device_socket(task->device, socket)) == 0 &&
        domain_device_adopt(task->device) == 0) {
        task->adopted = true;
        succeed(task, false, found.iommu);
        return;
    }
    /* Another share's, or its virtiofsd is gone, and QEMU cannot connect a device anew. */
    domain_task_note_old(task, &found);
    domain_task_unplug(task, on_old_unplugged);
}

/* @return 0 or -errno */
static int begin(struct domain_task *task, const struct device_share *share)
{
    char file[DEVICE_NAME_HASH_SIZE];

    share_server_name(task->domain->host.vm->id, share, file);
    task->device = domain_device_new(task, file);
    if (!task->device || share_server_spec_copy(&task->share, share) < 0)
        return -ENOMEM;
    return domain_task_describe(task, on_description);
}

int domain_share_add(struct device_host *host, const struct device_share *share,
                     struct device_operation *operation)
{
    struct domain_task *task;
    struct stat status;
    int r = domain_task_new(host, true, share->tag, operation, &task);

    domain_leftover_drop(device_domain_of(host), true, share->tag);
    if (r != 0)
        return r < 0 ? r : 0;
    if (stat(share->path, &status) < 0 || !S_ISDIR(status.st_mode)) {
        (void)domain_task_abandon(task);
        return device_operation_finish_later(
            operation, ENOENT,
            "share %s: %s is not a directory of this host; create it, or fix \"path\" of the "
            "share",
            share->tag, share->path);
    }
    r = begin(task, share);
    if (r < 0)
        (void)domain_task_abandon(task);
    return r;
}
