/* virtio device: a virtio device of a VM, that its device host makes for an attachment. */
#include "virtio_device.h"

#include "attachment.h"
#include "base/clock.h"
#include "base/json.h"
#include "config/settings.h"
#include "device/device_host.h"
#include "device_aperture.h"
#include "guest/guest.h"
#include "report.h"
#include "services.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct virtio_device *virtio_device_find(const struct vm *vm, const struct attachment_kind *kind,
                                         const char *name)
{
    struct virtio_device *device = vm->devices;

    while (device && (device->kind != kind || strcmp(device->name, name) != 0))
        device = device->next;
    return device;
}

static void destroy(struct virtio_device *device)
{
    guest_forget(device->vm->guest, device);
    free(device->name);
    free(device->path);
    free(device->remark);
    (void)settings_unref(device->settings);
    free(device);
}

/* Frees the record, not the device. Its users lose it. @param error  why it did not go, or 0 */
static void forget(struct virtio_device *device, int error)
{
    struct virtio_device **position = &device->vm->devices;

    for (struct attachment *a = device->vm->attachments; a; a = a->next) {
        if (a->device == device) {
            a->device = NULL;
            a->told = false;
            a->leave_error = error;
        }
    }
    while (*position != device)
        position = &(*position)->next;
    *position = device->next;
    destroy(device);
}

static bool is_wanted(const struct virtio_device *device)
{
    for (const struct attachment *a = device->vm->attachments; a; a = a->next) {
        if (a->device == device && a->wanted)
            return true;
    }
    return false;
}

void virtio_devices_forget(struct vm *vm)
{
    struct virtio_device *next;

    for (struct virtio_device *device = vm->devices; device; device = next) {
        next = device->next;
        /* One that is about to be removed stays with its VM, and is still to be removed. */
        if (device->state == VIRTIO_DEVICE_THERE && (vm->ended || is_wanted(device)))
            forget(device, 0);
    }
}

void virtio_devices_done(struct vm *vm)
{
    while (vm->devices) {
        struct virtio_device *device = vm->devices;

        vm->devices = device->next;
        destroy(device);
    }
}

/* Those who only wait for it to go do not count. */
static bool has_users(const struct virtio_device *device)
{
    for (const struct attachment *a = device->vm->attachments; a; a = a->next) {
        if (a->device == device && !a->leaving)
            return true;
    }
    return false;
}

static void on_removed(void *userdata, const struct device_outcome *outcome)
{
    struct virtio_device *device = userdata;
    struct vm *vm = device->vm;

    if (outcome->error == ECANCELED)
        return;
    if (outcome->error == 0 && !device->unknown)
        device->kind->report_removed(device);
    else if (outcome->error != 0 && !device->unknown && !vm->ended) /* else it went with its VM */
        report_device_failed(vm, device->kind->name, device->name, "device", outcome->error,
                             outcome->text);
    forget(device, outcome->error);
    saver_now(&vm->saver);
    vm_wake(vm);
}

/* Begins to remove it if nobody uses it, and nothing else is under way. */
static void remove_unused(struct virtio_device *device)
{
    struct vm *vm = device->vm;
    int r;

    if (device->state != VIRTIO_DEVICE_THERE || has_users(device))
        return;
    r = device->kind->remove_device(vm->host, device->name, on_removed, device);
    if (r < 0) {
        /* The VM has ended; if not, its devices are found when it is back. */
        if (r == -ENOTCONN || r == -EPIPE || r == -ECONNRESET)
            report_line(vm, ALLOWANCE_DEVICE, LOG_INFO,
                        "%s %s: leaving its device to its VM, which is not running",
                        device->kind->name, device->name);
        else
            report_device_failed(vm, device->kind->name, device->name, "device", -r,
                                 "cannot remove the device");
        forget(device, -r);
        return;
    }
    device->state = VIRTIO_DEVICE_REMOVING;
    saver_now(&vm->saver);
}

static void fail_users(const struct virtio_device *device, int error, const char *text)
{
    for (struct attachment *a = device->vm->attachments; a; a = a->next) {
        if (a->device != device || a->leaving)
            continue;
        a->device = NULL;
        attachment_fail(a, "device", error, text);
    }
}

/* What the guest may have set up since before is of the device's predecessor. */
static void renew_users(const struct virtio_device *device)
{
    for (struct attachment *a = device->vm->attachments; a; a = a->next) {
        if (a->device == device && a->kind->renewed)
            a->kind->renewed(a);
    }
}

/* Of one that an earlier daemon made: what was at its path then. */
static void recall_folder(struct virtio_device *device)
{
    struct json_object *known = json_member(device->vm->folders, device->name);

    if (json_count(known) == 2)
        device->folder =
            (struct shared_folder){.device = (dev_t)json_object_get_uint64(json_element(known, 0)),
                                   .inode = (ino_t)json_object_get_uint64(json_element(known, 1))};
}

static void take_added(struct virtio_device *device, const struct device_outcome *outcome)
{
    struct vm *vm = device->vm;

    if (vm->bringup == BRINGUP_DEVICES && !vm->boot.ready)
        vm->boot.timings.devices_ms = boot_age_ms(&vm->boot, clock_now_us());
    device->state = VIRTIO_DEVICE_THERE;
    device->created = outcome->created;
    if (!outcome->created)
        recall_folder(device);
    device->iommu_platform = outcome->iommu_platform;
    (void)device_aperture_look(device);
    device->remark = *outcome->text ? strdup(outcome->text) : NULL;
    /* the others may say so of a device that was there before */
    if (outcome->created && config_vm_has_qemu(vm->config))
        renew_users(device);
    remove_unused(device);
}

static void on_added(void *userdata, const struct device_outcome *outcome)
{
    struct virtio_device *device = userdata;
    struct vm *vm = device->vm;

    if (outcome->error == ECANCELED)
        return;
    latency_add(&vm->services->latencies.device, clock_now_us() - device->asked_us);
    saver_now(&vm->saver);
    if (outcome->error == 0) {
        take_added(device, outcome);
    } else if (vm->ended || !device_host_is_up(vm->host)) {
        /* No failure: the VM ended; or the device host went, and step_up() fails the attachments
         * that are not set up yet. */
        forget(device, 0);
    } else {
        fail_users(device, outcome->error, outcome->text);
        forget(device, 0);
    }
    vm_wake(vm);
}

static int add(const struct attachment *a, const struct virtio_device *wanted, const char *options,
               const struct shared_folder *folder, struct virtio_device **ret_device)
{
    struct vm *vm = a->vm;
    struct virtio_device *device = calloc(1, sizeof(*device));
    int r;

    if (!device)
        return -ENOMEM;
    *device =
        (struct virtio_device){.next = vm->devices,
                               .vm = vm,
                               .kind = a->kind,
                               .name = strdup(a->name),
                               .path = wanted->path ? strdup(wanted->path) : NULL,
                               .read_only = wanted->read_only,
                               .serving = wanted->serving,
                               .folder = *folder,
                               .settings = wanted->settings ? settings_ref(wanted->settings) : NULL,
                               .network = wanted->network,
                               .aperture_mode = device_aperture_mode(vm),
                               .asked_us = clock_now_us()};
    vm->devices = device;
    memcpy(device->options, options, strlen(options) + 1);
    r = !device->name || (wanted->path && !device->path) ? -ENOMEM
                                                         : a->kind->add_device(device, on_added);
    if (r < 0) {
        forget(device, 0);
        return r;
    }
    saver_now(&vm->saver);
    *ret_device = device;
    return 0;
}

/* One that serves as well: made for this name, or of the same directory. */
static struct virtio_device *find_equal(const struct attachment *a,
                                        const struct virtio_device *wanted, const char *options)
{
    struct virtio_device *device = a->vm->devices;

    while (device &&
           (device->kind != a->kind || device->stale || device->state == VIRTIO_DEVICE_REMOVING ||
            strcmp(device->options, options) != 0 ||
            !config_serving_equal(&device->serving, &wanted->serving) ||
            strcmp(wanted->path ? device->path : device->name,
                   wanted->path ? wanted->path : a->name) != 0))
        device = device->next;
    return device;
}

/* @return as virtio_device_take(), but 0 in whatever state the device is */
static int take(struct attachment *a, const struct virtio_device *wanted)
{
    struct vm *vm = a->vm;
    struct virtio_device *device;
    struct shared_folder folder = {0};
    char options[OPTIONS_SIZE];
    int r;

    r = boot_join_options(&vm->boot, wanted->read_only, vm->config->id, options);
    if (r < 0)
        return r;
    device = find_equal(a, wanted, options);
    if (!device) {
        device = virtio_device_find(vm, a->kind, a->name);
        if (device)
            return device->stale || device->state == VIRTIO_DEVICE_REMOVING ? -EAGAIN : -EEXIST;
        /* said at once, before any device is made */
        r = wanted->path ? shared_folder_look(wanted->path, &folder) : 0;
        if (r < 0)
            return r;
        if (!device_host_is_up(vm->host))
            return -EAGAIN;
        r = add(a, wanted, options, &folder, &device);
        if (r == -ENOTCONN || r == -EPIPE || r == -ECONNRESET)
            return -EAGAIN; /* the device host is gone, which it says in a moment */
        if (r < 0)
            return r;
    }
    a->device = device;
    return 0;
}

int virtio_device_take(struct attachment *a, const struct virtio_device *wanted)
{
    int r = a->device ? 0 : take(a, wanted);

    if (r < 0)
        return r;
    return a->device->state == VIRTIO_DEVICE_THERE && !a->device->stale ? 0 : -EAGAIN;
}

void virtio_device_tell(struct attachment *a)
{
    a->kind->report_added(a);
    a->told = true;
    device_aperture_told(a->device);
    /* the next user finds it there */
    a->device->created = false;
}

void virtio_device_release(struct attachment *a)
{
    struct virtio_device *device = a->device;

    if (!device)
        return;
    a->device = NULL;
    a->told = false;
    remove_unused(device);
}

/* The device may still exist, from before the device host went: asks for its removal. Until the
 * answer, an attachment of the same name waits. */
static void remove_unknown(const struct attachment *a)
{
    struct vm *vm = a->vm;
    struct virtio_device *device = calloc(1, sizeof(*device));

    if (!device)
        return;
    *device = (struct virtio_device){.next = vm->devices,
                                     .vm = vm,
                                     .kind = a->kind,
                                     .name = strdup(a->name),
                                     .state = VIRTIO_DEVICE_REMOVING,
                                     .unknown = true};
    vm->devices = device;
    if (!device->name || a->kind->remove_device(vm->host, a->name, on_removed, device) < 0)
        forget(device, 0);
}

bool virtio_device_leave(struct attachment *a)
{
    struct virtio_device *device = a->device;

    if (!device) {
        if (!a->vm->ended &&
            (!device_host_is_up(a->vm->host) ||
             a->vm->config->device_host.type == CONFIG_DEVICE_HOST_LIBVIRT) &&
            !virtio_device_find(a->vm, a->kind, a->name))
            remove_unknown(a);
        return true;
    }
    a->leaving = true;
    if (has_users(device))
        a->device = NULL;
    else
        remove_unused(device);
    return !a->device;
}

void virtio_devices_mark_stale(struct vm *vm)
{
    for (struct virtio_device *d = vm->devices; d; d = d->next) {
        if (boot_options_are_stale(&vm->boot, d->read_only, vm->config->id, d->options) ||
            (device_aperture_applies(d) && d->aperture_mode != device_aperture_mode(vm)))
            d->stale = true;
    }
}
