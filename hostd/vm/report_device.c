/* report device: what becomes of shares, adapters and the device host. */
#include "adapter.h"
#include "base/log.h"
#include "report.h"
#include "share.h"
#include "telemetry/fields.h"
#include "virtio_device.h"
#include "vm_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SAY(vm, level, ...) log_vm(level, (vm)->config->name, (vm)->boot.id, __VA_ARGS__)

/* What a text of the device host's adds to "KIND NAME failed". */
static const char *without_name(const char *text, const char *kind, const char *name)
{
    size_t kind_size = strlen(kind), name_size = strlen(name);

    if (strncmp(text, kind, kind_size) == 0 && text[kind_size] == ' ' &&
        strncmp(text + kind_size + 1, name, name_size) == 0 &&
        strncmp(text + kind_size + 1 + name_size, ": ", 2) == 0)
        return text + kind_size + 1 + name_size + 2;
    return text;
}

/* In these phases it is the guest that answers, and may answer anything. */
static bool is_guests_word(const char *phase, int error)
{
    return error != ETIMEDOUT && (strcmp(phase, "mount") == 0 || strcmp(phase, "unmount") == 0 ||
                                  strcmp(phase, "network") == 0);
}

void report_device_failed(struct vm *vm, const char *kind, const char *name, const char *phase,
                          int error, const char *text)
{
    const char *reason = strerrordesc_np(error);
    struct fields fields = {.count = 0};

    if (!report_allow(vm, is_guests_word(phase, error) ? ALLOWANCE_STEP : ALLOWANCE_FAILURE))
        return;
    if (!reason)
        reason = "unknown error";
    if (error == 0)
        SAY(vm, LOG_WARNING, "%s %s: %s", kind, name, without_name(text, kind, name));
    else if (strstr(text, reason)) /* the text says it itself */
        SAY(vm, LOG_ERR, "%s %s failed in phase %s: %s; everything else keeps running", kind, name,
            phase, without_name(text, kind, name));
    else
        SAY(vm, LOG_ERR, "%s %s failed in phase %s (%s)%s%s; everything else keeps running", kind,
            name, phase, reason, *text ? ": " : "", without_name(text, kind, name));
    fields_text(&fields, "kind", kind);
    fields_text(&fields, "device", name);
    fields_text(&fields, "phase", phase);
    fields_number(&fields, "error", (uint64_t)error);
    fields_text(&fields, "text", text);
    report_emit(vm, TELEMETRY_DEVICE_FAILED, &fields);
}

static unsigned count_shares(const struct vm *vm)
{
    unsigned count = 0;

    for (const struct virtio_device *d = vm->devices; d; d = d->next)
        count += d->path && d->state == VIRTIO_DEVICE_THERE;
    return count;
}

static void add_aperture(struct fields *fields, const struct aperture_status *aperture)
{
    fields_text(fields, "aperture", aperture_state_name(aperture->state));
    fields_number(fields, "apertureBytes", aperture->bytes);
}

static void add_outcome(struct fields *fields, const struct virtio_device *device)
{
    fields_flag(fields, "iommu_platform", device->iommu_platform);
    if (device->aperture_known)
        add_aperture(fields, &device->aperture);
    if (device->remark)
        fields_text(fields, "text", device->remark);
}

void report_share_added(const struct attachment *a)
{
    const struct virtio_device *device = a->device;
    struct vm *vm = a->vm;
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_DEVICE))
        return;
    SAY(vm, LOG_INFO, "share %s: %s is the virtiofs device %s%s, options %s", a->name, device->path,
        device->name, device->created ? "" : " that existed already", device->options);
    if (device->remark)
        SAY(vm, LOG_NOTICE, "share %s: %s", a->name, device->remark);
    fields_text(&fields, "path", device->path);
    fields_text(&fields, "options", device->options);
    fields_text(&fields, "tag", device->name);
    fields_flag(&fields, "created", device->created);
    fields_number(&fields, "shareCount", count_shares(vm));
    fields_text(&fields, "share", a->name);
    add_outcome(&fields, device);
    report_emit(vm, TELEMETRY_ADD_VIRTIO_FS_SHARE, &fields);
}

void report_share_removed(const struct virtio_device *device)
{
    struct vm *vm = device->vm;
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_DEVICE))
        return;
    SAY(vm, LOG_INFO, "removed the virtiofs device %s of %s", device->name, device->path);
    fields_text(&fields, "path", device->path);
    fields_text(&fields, "options", device->options);
    fields_text(&fields, "tag", device->name);
    fields_number(&fields, "shareCount", count_shares(vm));
    report_emit(vm, TELEMETRY_REMOVE_VIRTIO_FS_SHARE, &fields);
}

void report_aperture(const struct virtio_device *device)
{
    const struct aperture_status *aperture = &device->aperture;
    const char *kind = device->kind->name, *program = device->path ? "virtiofsd" : "passt";
    struct vm *vm = device->vm;
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_APERTURE))
        return;
    if (aperture->state == APERTURE_ENFORCED)
        SAY(vm, aperture->reason[0] ? LOG_WARNING : LOG_INFO,
            "%s %s: the kernel keeps its %s out of all but %" PRIu64
            " bytes of the guest's memory%s%s",
            kind, device->name, program, aperture->bytes, aperture->reason[0] ? "; but " : "",
            aperture->reason);
    else if (aperture->state == APERTURE_NARROWED)
        SAY(vm, LOG_WARNING,
            "%s %s: its %s is asked to use only %" PRIu64
            " bytes of the guest's memory, but the kernel does not keep it out of the rest: %s",
            kind, device->name, program, aperture->bytes, aperture->reason);
    else
        SAY(vm, LOG_WARNING, "%s %s: its %s can reach all of the guest's memory: %s", kind,
            device->name, program, aperture->reason);
    fields_text(&fields, device->path ? "tag" : "id", device->name);
    add_aperture(&fields, aperture);
    fields_text(&fields, "reason", aperture->reason);
    report_emit(vm, TELEMETRY_DEVICE_APERTURE, &fields);
}

void report_mount(const struct share *share, int error, const char *text)
{
    const struct config_share *config = &share->config;
    struct vm *vm = share->attachment.vm;
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_DEVICE))
        return;
    if (error == 0)
        SAY(vm, LOG_INFO, "share %s is mounted at %s", config->tag, config->target);
    fields_text(&fields, "tag", config->tag);
    fields_text(&fields, "target", config->target);
    fields_text(&fields, "transport", share->transport == POLICY_TRANSPORT_9P ? "9p" : "virtiofs");
    fields_number(&fields, "error", (uint64_t)error);
    fields_text(&fields, "text", text);
    report_emit(vm, TELEMETRY_MOUNT_SHARE, &fields);
}

static void add_adapter(struct fields *fields, const struct config_network *config)
{
    fields_text(fields, "id", config->id);
    fields_mac(fields, "mac", config->mac);
}

void report_adapter_added(const struct attachment *a)
{
    const struct virtio_device *device = a->device;
    struct vm *vm = a->vm;
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_DEVICE))
        return;
    SAY(vm, LOG_INFO, "adapter %s is %s, options %s", a->name,
        device->created ? "plugged in" : "already plugged in", device->options);
    if (device->remark)
        SAY(vm, LOG_NOTICE, "adapter %s: %s", a->name, device->remark);
    add_adapter(&fields, device->network);
    fields_text(&fields, "options", device->options);
    fields_flag(&fields, "created", device->created);
    add_outcome(&fields, device);
    report_emit(vm, TELEMETRY_ADD_NET_ADAPTER, &fields);
}

void report_adapter_removed(const struct virtio_device *device)
{
    struct vm *vm = device->vm;
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_DEVICE))
        return;
    SAY(vm, LOG_INFO, "removed adapter %s", device->name);
    add_adapter(&fields, device->network);
    report_emit(vm, TELEMETRY_REMOVE_NET_ADAPTER, &fields);
}

void report_network(const struct adapter *adapter, int error, const char *text)
{
    struct vm *vm = adapter->attachment.vm;
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_DEVICE))
        return;
    if (error == 0 && text[0] != '\0')
        SAY(vm, LOG_WARNING, "adapter %s is configured, but: %s", adapter->config->id, text);
    else if (error == 0)
        SAY(vm, LOG_INFO, "adapter %s is configured", adapter->config->id);
    add_adapter(&fields, adapter->config);
    fields_number(&fields, "error", (uint64_t)error);
    fields_text(&fields, "text", text);
    report_emit(vm, TELEMETRY_CONFIGURE_NETWORK, &fields);
}
