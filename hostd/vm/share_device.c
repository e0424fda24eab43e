/* share device: a virtiofs device of a VM. */
#include "share_device.h"

#include "base/clock.h"
#include "report.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct share_device *share_device_find(struct vm *vm, const char *tag)
{
    struct share_device *device = vm->shares.devices;

    while (device && strcmp(device->tag, tag) != 0)
        device = device->next;
    return device;
}

unsigned share_device_count(const struct vm *vm)
{
    unsigned count = 0;

    for (const struct share_device *d = vm->shares.devices; d; d = d->next)
        count += d->state == SHARE_DEVICE_THERE;
    return count;
}

static void destroy(struct share_device *device)
{
    free(device->tag);
    free(device->path);
    free(device->remark);
    free(device);
}

void share_device_forget(struct share_device *device)
{
    struct share_device **position = &device->vm->shares.devices;

    for (struct share *s = device->vm->shares.first; s; s = s->next) {
        if (s->device == device) {
            s->device = NULL;
            s->told = false;
        }
    }
    while (*position != device)
        position = &(*position)->next;
    *position = device->next;
    destroy(device);
}

void share_devices_done(struct vm *vm)
{
    struct share_device *device = vm->shares.devices, *next;

    vm->shares.devices = NULL;
    for (; device; device = next) {
        next = device->next;
        destroy(device);
    }
}

/* Those who only wait for the device to go: they are free once it has gone, or somebody else wants
 * it after all. @p error 0, or why it did not go */
static void free_leavers(struct share_device *device, int error)
{
    for (struct share *s = device->vm->shares.first; s; s = s->next) {
        if (s->device != device || !s->releasing)
            continue;
        s->device = NULL;
        s->leave_error = error;
    }
}

static void on_removed(void *userdata, const struct device_outcome *outcome)
{
    struct share_device *device = userdata;
    struct vm *vm = device->vm;

    if (outcome->error == ECANCELED)
        return;
    if (outcome->error != 0)
        report_device_failed(vm, "share", device->tag, "device", outcome->error, outcome->text);
    else
        report_share_removed(device);
    free_leavers(device, outcome->error);
    share_device_forget(device);
    vm_save_now(vm);
    shares_step(vm);
}

void share_device_step(struct share_device *device)
{
    struct vm *vm = device->vm;
    int r;

    if (device->state != SHARE_DEVICE_THERE || device->users > 0)
        return;
    r = device_host_remove_share(vm->host, device->tag, on_removed, device);
    if (r < 0) {
        if (r == -ENOTCONN) /* the VM has ended; if not, its devices are found when it is back */
            report_line(vm, ALLOWANCE_DEVICE, LOG_INFO,
                        "share %s: its device is left to its VM, which is not there", device->tag);
        else
            report_device_failed(vm, "share", device->tag, "device", -r, "it cannot be removed");
        free_leavers(device, -r);
        share_device_forget(device);
        return;
    }
    device->state = SHARE_DEVICE_REMOVING;
    vm_save_now(vm);
}

static void fail_users(struct share_device *device, int error, const char *text)
{
    struct share *next;

    for (struct share *s = device->vm->shares.first; s; s = next) {
        next = s->next;
        if (s->device != device)
            continue;
        s->device = NULL;
        if (!s->releasing)
            share_fail(s, "device", error, text);
    }
}

/* A mount that there may be since before is of the device's predecessor, which nobody serves. */
static void remount_users(const struct share_device *device)
{
    for (struct share *s = device->vm->shares.first; s; s = s->next) {
        if (s->device == device && (s->mounted || s->unsure))
            s->remount = true;
    }
}

static void on_added(void *userdata, const struct device_outcome *outcome)
{
    struct share_device *device = userdata;
    struct vm *vm = device->vm;

    if (outcome->error == ECANCELED)
        return;
    latency_add(&vm->services->latencies.device, clock_now_us() - device->asked_us);
    vm_save_now(vm);
    if (outcome->error != 0) {
        fail_users(device, outcome->error, outcome->text);
        share_device_forget(device);
    } else {
        bringup_note_device(vm);
        device->state = SHARE_DEVICE_THERE;
        device->created = outcome->created;
        device->iommu_platform = outcome->iommu_platform;
        device->remark = *outcome->text ? strdup(outcome->text) : NULL;
        /* the others may say so of a device that was there before */
        if (outcome->created && vm->config->device_host.type == CONFIG_DEVICE_HOST_QEMU)
            remount_users(device);
        if (device->users > 0)
            free_leavers(device, 0);
        share_device_step(device);
    }
    shares_step(vm);
}

/* A directory that is not there is said at once, before any device is made. */
static int check_directory(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int add(struct share *share, const char *options, struct share_device **ret_device)
{
    struct vm *vm = share->vm;
    struct share_device *device = calloc(1, sizeof(*device));
    int r;

    if (!device)
        return -ENOMEM;
    device->vm = vm;
    device->next = vm->shares.devices;
    vm->shares.devices = device;
    device->tag = strdup(share->config.tag);
    device->path = strdup(share->config.path);
    device->read_only = share->config.read_only;
    device->asked_us = clock_now_us();
    memcpy(device->options, options, strlen(options) + 1);
    if (!device->tag || !device->path)
        r = -ENOMEM;
    else
        r = device_host_add_share(
            vm->host,
            &(struct device_share){.tag = device->tag,
                                   .path = device->path,
                                   .read_only = device->read_only,
                                   .iommu_platform = boot_has_token(&vm->boot),
                                   .options = device->options},
            on_added, device);
    if (r < 0) {
        share_device_forget(device);
        return r;
    }
    vm_save_now(vm);
    *ret_device = device;
    return 0;
}

int share_device_take(struct share *share)
{
    struct vm *vm = share->vm;
    struct share_device *device;
    char options[OPTIONS_SIZE];
    int r;

    r = boot_join_options(&vm->boot, share->config.read_only, vm->config->id, options);
    if (r < 0)
        return r;
    for (device = vm->shares.devices; device; device = device->next) {
        if (!device->stale && device->state != SHARE_DEVICE_REMOVING &&
            strcmp(device->path, share->config.path) == 0 && strcmp(device->options, options) == 0)
            break;
    }
    if (!device) {
        device = share_device_find(vm, share->config.tag);
        if (device)
            return device->stale || device->state == SHARE_DEVICE_REMOVING ? -EAGAIN : -EEXIST;
        r = check_directory(share->config.path);
        if (r < 0)
            return r;
        if (!device_host_is_up(vm->host))
            return -EAGAIN;
        r = add(share, options, &device);
        if (r < 0)
            return r;
    }
    device->users++;
    share->device = device;
    return 0;
}

void share_device_release(struct share *share)
{
    struct share_device *device = share->device;

    if (!device)
        return;
    share->device = NULL;
    share->told = false;
    device->users--;
    share_device_step(device);
}

bool share_device_leave(struct share *share)
{
    struct share_device *device = share->device;

    if (!device)
        return true;
    if (share->releasing)
        return false;
    share->releasing = true;
    device->users--;
    if (device->users > 0)
        share->device = NULL;
    else
        share_device_step(device);
    return !share->device;
}

void share_devices_mark_stale(struct vm *vm)
{
    for (struct share_device *d = vm->shares.devices; d; d = d->next)
        if (boot_options_are_stale(&vm->boot, d->read_only, vm->config->id, d->options))
            d->stale = true;
}
