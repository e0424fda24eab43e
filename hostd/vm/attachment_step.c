/* attachment step: the next thing to do for each attachment, in either direction. */
#include "attachment.h"
#include "base/clock.h"
#include "base/limits.h"
#include "device_aperture.h"
#include "guest/guest.h"
#include "operation.h"
#include "virtio_device.h"
#include "vm_parts.h"

#include <errno.h>

/* True if a predecessor has not gone yet. */
static bool must_wait(const struct attachment *a)
{
    for (const struct attachment *e = a->vm->attachments; e != a; e = e->next) {
        if (!e->wanted && e->kind == a->kind && a->kind->collides(e, a))
            return true;
    }
    return false;
}

static void set_up(struct attachment *a)
{
    int r = a->is_set ? 1 : a->kind->set_up(a);

    if (r < 0) {
        attachment_fail(a, a->kind->phase, -r, "cannot ask the guest to set it up");
    } else if (r > 0) {
        a->state = VM_DEVICE_IN_USE;
        attachment_settle(a, 0, "");
    } else {
        clock_disarm(a->timer);
        a->asked = true;
        a->asked_us = clock_now_us();
        a->state = VM_DEVICE_SETTING;
    }
}

static void fail_preparing(struct attachment *a, int error)
{
    char text[LIMITS_PATH + LIMITS_TEXT] = "cannot ask the device host for the device";

    if (a->kind->explain)
        a->kind->explain(a, error, text, sizeof(text));
    attachment_fail(a, "device", error, text);
}

/* Those have their own deadlines. */
static bool waits_for_others(struct attachment *a)
{
    if ((a->is_set && !a->renew) || !a->kind->must_wait || !a->kind->must_wait(a))
        return false;
    clock_disarm(a->timer);
    if (!a->failed)
        a->state = VM_DEVICE_ADDED;
    return true;
}

/* What is set up stays without a device host, which may have gone while it was asked for the device
 * again, and is checked when that is back. */
static void stay(struct attachment *a)
{
    if (a->asked)
        return;
    a->state = VM_DEVICE_IN_USE;
    attachment_settle(a, 0, "");
}

static void step_up(struct attachment *a)
{
    struct vm *vm = a->vm;
    int r;

    if (a->failed || !vm->boot.known || !guest_is_attached(vm->guest))
        return;
    /* Of one that was lost, what the guest was asked may be waiting for the device's successor. */
    if (a->asked && (a->device || !a->renew))
        return;
    if (must_wait(a)) {
        attachment_await(a, VM_DEVICE_WAITING);
        return;
    }
    r = a->kind->prepare(a);
    if (r == -EAGAIN && !a->device && a->is_set &&
        (vm->host_error || !device_host_is_up(vm->host))) {
        stay(a);
    } else if (r == -EAGAIN && !a->device && vm->host_error) {
        attachment_fail(a, "device", ENOTCONN, vm->host_error);
    } else if (r == -EAGAIN) {
        attachment_await(a, a->device ? VM_DEVICE_ADDING : VM_DEVICE_WAITING);
    } else if (r < 0) {
        fail_preparing(a, -r);
    } else if (a->device && !device_aperture_is_kept(a->device)) {
        device_aperture_refuse(a->device);
    } else {
        /* What its process can reach is known when the guest's driver has started the device. */
        if (a->device && !a->told && a->device->aperture_known)
            virtio_device_tell(a);
        if (!a->asked && !waits_for_others(a) && (!a->renew || !attachment_release(a)))
            set_up(a);
    }
}

static void step_down(struct attachment *a)
{
    struct vm *vm = a->vm;
    struct operation *operation = a->operation;
    const char *remark =
        a->is_set ? "the guest is not connected and was not asked to unmount the share" : "";
    int error;

    if (a->asked)
        return;
    if (a->is_set && !a->renew && a->kind->is_needed && a->kind->is_needed(a)) {
        if (!a->wanted) /* else what needs it stays, and so does it */
            a->state = VM_DEVICE_RELEASING;
        return;
    }
    if ((a->is_set || a->renew) && attachment_release(a))
        return;
    if (a->device)
        a->state = VM_DEVICE_REMOVING;
    if (!virtio_device_leave(a))
        return;
    error = a->leave_error;
    attachment_free(a);
    saver_now(&vm->saver);
    operation_finish(operation, error, error ? "cannot remove the device" : remark);
}

/* A step may free the attachment that it is for, never another; those that waited for its name or
 * target stand behind it. */
void attachments_step(struct vm *vm)
{
    struct attachment *next;

    for (struct attachment *a = vm->attachments; a; a = next) {
        next = a->next;
        if (a->wanted)
            step_up(a);
        else
            step_down(a);
    }
}

void attachments_begin(struct vm *vm, enum attachments_occasion occasion)
{
    if (occasion == ATTACHMENTS_BOOT)
        virtio_devices_mark_stale(vm);
    for (struct attachment *a = vm->attachments; a; a = a->next) {
        a->failed = false;
        attachment_set_error(a, NULL);
        if (a->kind->begin)
            a->kind->begin(a, occasion);
        if (occasion != ATTACHMENTS_BOOT)
            continue;
        a->is_set = false;
        a->renew = false;
        a->state = VM_DEVICE_WAITING;
        if (a->device && a->device->stale)
            virtio_device_release(a);
    }
    vm_wake(vm);
}
