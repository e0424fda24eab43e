/* share step: the next thing to do for one share, in either direction. */
#include "share.h"

#include "base/clock.h"
#include "base/limits.h"
#include "p9_share.h"
#include "report.h"
#include "share_parts.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

/* Why there is no transport, and what to do about it. */
static void explain_transport(const struct share *share, char *text, size_t capacity)
{
    const struct vm *vm = share->vm;

    switch (policy_chosen_transport(&vm->policy, &share->config)) {
    case POLICY_TRANSPORT_VIRTIOFS:
        (void)snprintf(text, capacity,
                       "the guest says that its kernel has no virtiofs; give it that (the module "
                       "virtiofs), or set \"transport\": \"9p\" for the share: 9P is not used on "
                       "the guest's word");
        break;
    case POLICY_TRANSPORT_9P:
        (void)snprintf(text, capacity,
                       "the guest says that its kernel has no 9P; give it that (the modules 9p and "
                       "9pnet_fd), or let the share use virtiofs");
        break;
    case POLICY_TRANSPORT_NONE:
        (void)snprintf(text, capacity,
                       "it asks for virtiofs, which %s switches off for the VM; set \"transport\": "
                       "\"9p\" for the share, or switch virtiofs on",
                       vm->config->virtio ? "\"virtiofs\": false" : "\"virtio\": false");
    }
}

/* Why there is no device: names what was asked for. */
static void fail_taking(struct share *share, int error)
{
    const struct config_share *config = &share->config;
    char text[LIMITS_PATH + LIMITS_TEXT];

    switch (error) {
    case ENOENT:
        (void)snprintf(text, sizeof(text),
                       "its path %s does not exist on the host (make it, or correct \"path\" of "
                       "the share)",
                       config->path);
        break;
    case ENOTDIR:
        (void)snprintf(text, sizeof(text),
                       "its path %s is no directory on the host (correct \"path\" of the share)",
                       config->path);
        break;
    case EEXIST:
        (void)snprintf(text, sizeof(text), "the tag %s is taken by another device of this VM",
                       config->tag);
        break;
    case EOPNOTSUPP:
        explain_transport(share, text, sizeof(text));
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

    if (share->failed || !vm->boot.known || !guest_is_attached(vm->guest))
        return;
    /* Of one that was lost, the guest's MOUNT may be waiting for the device's successor. */
    if (share->asked && (share->device || !share->remount))
        return;
    if (must_wait(share)) {
        share_await_device(share, VM_DEVICE_WAITING);
        return;
    }
    share->transport =
        policy_share_transport(&vm->policy, &share->config, vm->boot.capabilities.features);
    r = share->transport == POLICY_TRANSPORT_NONE ? -EOPNOTSUPP : prepare(share);
    if (r == -EAGAIN && !share->device && vm->host_error) {
        share_fail(share, "device", ENOTCONN, vm->host_error);
    } else if (r == -EAGAIN) {
        share_await_device(share, share->device ? VM_DEVICE_ADDING : VM_DEVICE_WAITING);
    } else if (r < 0) {
        fail_taking(share, -r);
    } else {
        if (share->device && !share->told)
            report_share_added(share);
        share->told = true;
        if (share->asked || (share->remount && share_unmount(share) == 0))
            return;
        if (!share->mounted) {
            share_mount(share);
            return;
        }
        share->state = VM_DEVICE_IN_USE;
        share_settle(share, 0, "");
    }
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

static void step_down(struct share *share)
{
    if (share->asked)
        return;
    if ((share->mounted || share->remount) && share_unmount(share) == 0)
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
