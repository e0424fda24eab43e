/*
 * domain, an adapter. One that is there is equal if it leads to the same, has the same MAC address
 * and bounces if this one is to; one that is not is unplugged first.
 */
#include "base/qemu_version.h"
#include "base/text.h"
#include "domain.h"
#include "leftover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define OFF      "\"aperture\" is \"off\" in the VM's configuration"
#define NO_TOKEN "the VM has no token"

#define BALLOON_FORBIDDEN                                                                          \
    "the aperture is required, but the domain has a device that discards pages of its "            \
    "memory; give it <memballoon model='none'/> and no virtio-mem"

static void on_description(struct domain_task *task, const struct libvirt_reply *reply);

static void succeed(struct domain_task *task, bool created)
{
    struct domain_device *device = task->device;

    if (device) {
        if (!task->iommu_platform)
            device->obstacle = task->aperture == CONFIG_APERTURE_OFF ? OFF : NO_TOKEN;
        device->task = NULL;
        task->device = NULL;
    }
    task->operation->outcome.created = created;
    task->operation->outcome.iommu_platform = task->iommu_platform;
    domain_task_finish(task, 0, "%s", task->remark);
}

static void on_attached(struct domain_task *task, const struct libvirt_reply *reply)
{
    if (reply->error) {
        domain_task_fail(task, "cannot attach the device", reply);
    } else if (task->device && device_server_has_ended(task->device->server)) {
        (void)libvirt_call(task->domain->libvirt, "detach", json_texts("alias", task->alias, NULL),
                           task->domain->host.timeout_ms, NULL, NULL);
        domain_task_finish(task, EIO,
                           "adapter %s: passt exited while the device was being "
                           "added; %s",
                           task->name, device_server_describe(task->device->server));
    } else {
        succeed(task, true);
    }
}

static void attach(struct domain_task *task, const struct libvirt_reply *reply)
{
    const struct device_xml_place place = {
        .alias = task->alias, .bus = task->port, .iommu = task->iommu_platform};
    const char *socket = task->device ? device_server_socket(task->device->server) : "";

    if (reply->error) {
        domain_task_fail(task, "", reply);
        return;
    }
    domain_task_attach(task, device_xml_adapter(&place, task->network, socket), on_attached);
}

/* @return NULL: nothing stands in the way of passt; else what does, and what to do */
static const char *obstacle(const struct domain_task *task, struct json_object *description)
{
    const char *memory = description_memory_obstacle(description);

    if (!qemu_version_takes_passt(libvirt_hypervisor(task->domain->libvirt)))
        return "its QEMU cannot hot-plug a vhost-user adapter (7.2 crashes); install QEMU 10.0 "
               "or later (Debian 13 has one), or use the backend \"user\"";
    if (memory)
        return memory;
    return task->iommu_platform && task->aperture == CONFIG_APERTURE_REQUIRE &&
                   description_discards(description)
               ? BALLOON_FORBIDDEN
               : NULL;
}

static void start_passt(struct domain_task *task, struct json_object *description)
{
    struct device_domain *domain = task->domain;
    const struct share_server_place place = domain_place(domain, description);
    const struct device_adapter adapter = {
        .network = task->network, .options = task->options, .aperture = task->aperture};
    const char *reason = obstacle(task, description);
    char text[PASST_SERVER_TEXT_SIZE];
    int error = ENOTSUP;

    task->device->discards = description_discards(description);
    if (reason) {
        (void)snprintf(text, sizeof(text), "%s", reason);
    } else {
        task->awaits_ready = true;
        task->ready = attach;
        error = passt_server_start(domain->host.event, domain->host.vm, &place, task->device->file,
                                   &adapter, &domain_device_events, task->device,
                                   &task->device->server, text);
    }
    if (error)
        domain_task_finish(task, error, "adapter %s: %s", task->name, text);
}

static bool is_equal(const struct domain_task *task, const struct description_device *found)
{
    char socket[DEVICE_SERVER_FILE_SIZE] = "", mac[TEXT_MAC_SIZE];

    if (task->device)
        (void)domain_device_socket(task->device, socket);
    text_mac(task->network->mac, mac);
    return !found->is_share && strcmp(found->type, device_xml_type(task->network->backend)) == 0 &&
           strcmp(found->source, device_xml_source(task->network, socket)) == 0 &&
           strcasecmp(found->mac, mac) == 0 && found->iommu == task->iommu_platform;
}

static void on_old_unplugged(struct domain_task *task, const struct libvirt_reply *reply)
{
    if (reply->error) {
        domain_task_fail(task, "a different adapter with that id exists", reply);
        return;
    }
    domain_task_sweep_old(task);
    if (domain_task_describe(task, on_description) < 0)
        domain_task_finish(task, ENOTCONN, "adapter %s: cannot reach libvirt", task->name);
}

static void on_description(struct domain_task *task, const struct libvirt_reply *reply)
{
    struct description_device found;

    if (!description_find(reply->result, task->alias, &found)) {
        if (!domain_task_find_port(task, reply->result))
            return;
        if (task->device)
            start_passt(task, reply->result);
        else
            attach(task, reply);
    } else if (is_equal(task, &found) &&
               (!task->device || domain_device_adopt(task->device) == 0)) {
        task->adopted = true;
        succeed(task, false);
    } else {
        domain_task_note_old(task, &found);
        domain_task_unplug(task, on_old_unplugged);
    }
}

/* @return 0 or -errno; or a positive errno, and @p text says why it cannot be done */
static int begin(struct domain_task *task, const struct device_adapter *adapter,
                 char text[PASST_SERVER_TEXT_SIZE])
{
    char file[PASST_SERVER_NAME_SIZE];
    int r;

    task->network = adapter->network;
    task->iommu_platform = adapter->iommu_platform;
    task->aperture = adapter->aperture;
    (void)snprintf(task->options, sizeof(task->options), "%s", adapter->options);
    if (!device_xml_type(task->network->backend)) {
        (void)snprintf(text, PASST_SERVER_TEXT_SIZE, "libvirt has no backend \"%s\"",
                       config_backend_names[task->network->backend]);
        return ENOTSUP;
    }
    if (task->network->backend == CONFIG_BACKEND_PASST) {
        /* Without an aperture passt could not have the guest bounce. */
        task->iommu_platform = task->iommu_platform && task->aperture != CONFIG_APERTURE_OFF;
        r = passt_server_name(task->domain->host.vm, adapter, file, text);
        if (r != 0)
            return r;
        task->device = domain_device_new(task, file);
        if (!task->device)
            return -ENOMEM;
    }
    return domain_task_describe(task, on_description);
}

int domain_adapter_add(struct device_host *host, const struct device_adapter *adapter,
                       struct device_operation *operation)
{
    const char *id = adapter->network->id;
    char text[PASST_SERVER_TEXT_SIZE];
    struct domain_task *task;
    int r = domain_task_new(host, false, id, operation, &task);

    domain_leftover_drop(device_domain_of(host), false, id);
    if (r != 0)
        return r < 0 ? r : 0;
    r = begin(task, adapter, text);
    if (r != 0)
        (void)domain_task_abandon(task);
    return r > 0 ? device_operation_finish_later(operation, r, "adapter %s: %s", id, text) : r;
}
