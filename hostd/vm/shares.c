/* shares: all shares of a VM at once: a boot, a lost server, the end. */
#include "share.h"

#include "base/clock.h"
#include "base/limits.h"
#include "p9_share.h"
#include "report.h"
#include "share_parts.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdlib.h>

/* A step may free the share that it is for, never another. */
void shares_step(struct vm *vm)
{
    struct share *next;

    for (struct share *share = vm->shares.first; share; share = next) {
        next = share->next;
        share_step(share);
    }
}

static int on_shares_later(sd_event_source *source, void *userdata)
{
    (void)source;
    shares_step(userdata);
    return 0;
}

/* Another may have waited for this one's tag or target. */
void shares_step_later(struct vm *vm)
{
    sd_event_source **later = &vm->shares.later;

    if (!vm->shares.first)
        return;
    if (*later)
        (void)sd_event_source_set_enabled(*later, SD_EVENT_ONESHOT);
    else
        (void)sd_event_add_defer(vm->services->event, later, on_shares_later, vm);
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
        s->unsure = false;
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

void shares_doubt(struct vm *vm)
{
    for (struct share *s = vm->shares.first; s; s = s->next)
        s->unsure = !s->mounted;
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

/* Why its server ended was told each time. */
#define GIVEN_UP                                                                                   \
    "its server ended too often in a short time; it is made again when it is removed and added, "  \
    "the configuration is read again, or the guest connects again"

/* @return true if the share has another try */
static bool may_retry(struct share *share)
{
    uint64_t now_us = clock_now_us();

    if (now_us - share->retried_us > LIMITS_SHARE_RETRY_FORGIVE_MS * UINT64_C(1000))
        share->retries = 0;
    share->retried_us = now_us;
    return share->retries++ < LIMITS_SHARE_RETRIES;
}

/* The mount is of no use any more: it is taken away, and the share made again, or given up. One
 * that is just being made is, too; whether it was made in time the answer does not say. Where the
 * guest has none of ours, nothing is: what is on that target then is its own. */
static void lose(struct share *share)
{
    bool mounted = share->mounted && guest_is_attached(share->vm->guest) && !share->asked;

    share->remount = share->remount || share->mounted || share->asked || share->unsure;
    if (mounted)
        mounted = share_unmount(share) == 0;
    if (!mounted) {
        share->mounted = false;
        share_device_release(share);
    }
    if (!may_retry(share))
        share_fail(share, "serve", EPIPE, GIVEN_UP);
    else if (!mounted)
        share_step(share);
}

void shares_lost(struct vm *vm, const char *tag, bool restored, const char *text)
{
    struct share_device *device = share_device_find(vm, tag);
    struct share *next;

    /* with a guest's end or reset its devices' servers end, and come again with its next boot */
    if (guest_is_attached(vm->guest) && !vm->boot.farewell)
        report_device_failed(vm, "share", tag, "serve", EPIPE, text);
    else
        report_line(vm, ALLOWANCE_DEVICE, LOG_NOTICE, "share %s: %s", tag, text);
    if (!device)
        return;
    device->stale = !restored;
    for (struct share *share = vm->shares.first; share; share = next) {
        next = share->next;
        if (share->device == device && (!restored || share->mounted))
            lose(share);
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
        share_destroy(share);
    }
    vm->shares.later = sd_event_source_disable_unref(vm->shares.later);
}
