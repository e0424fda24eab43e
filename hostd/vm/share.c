/* share: the shares that a VM has, and how each comes to rest. */
#include "share.h"

#include "base/clock.h"
#include "base/limits.h"
#include "p9_share.h"
#include "report.h"
#include "share_parts.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Frees one that is on no list any more. */
void share_destroy(struct share *share)
{
    guest_forget(share->vm->guest, share);
    (void)sd_event_source_disable_unref(share->timer);
    (void)sd_event_source_disable_unref(share->later);
    share->p9 = p9_share_free(share->p9);
    free(share->config.tag);
    free(share->config.path);
    free(share->config.target);
    free(share->error);
    free(share);
}

void share_free(struct share *share)
{
    struct share **position = &share->vm->shares.first;

    while (*position != share)
        position = &(*position)->next;
    *position = share->next;
    share->vm->shares.count--;
    share_destroy(share);
}

struct share *share_find(struct vm *vm, const char *tag)
{
    struct share *share = vm->shares.first;

    while (share && (!share->wanted || strcmp(share->config.tag, tag) != 0))
        share = share->next;
    return share;
}

bool share_is_going(const struct vm *vm, const char *tag)
{
    for (const struct share *s = vm->shares.first; s; s = s->next) {
        if (!s->wanted && strcmp(s->config.tag, tag) == 0)
            return true;
    }
    return false;
}

int share_new(struct vm *vm, const struct config_share *config, bool configured,
              struct share **ret_share)
{
    struct share **last = &vm->shares.first;
    struct share *share;

    if (share_find(vm, config->tag))
        return -EEXIST;
    if (vm->shares.count >= LIMITS_SHARES)
        return -ENOBUFS;
    share = calloc(1, sizeof(*share));
    if (!share)
        return -ENOMEM;
    while (*last)
        last = &(*last)->next;
    *last = share;
    vm->shares.count++;
    share->vm = vm;
    share->configured = configured;
    share->wanted = true;
    share->config = *config;
    share->config.tag = strdup(config->tag);
    share->config.path = strdup(config->path);
    share->config.target = strdup(config->target);
    if (!share->config.tag || !share->config.path || !share->config.target) {
        share_free(share);
        return -ENOMEM;
    }
    *ret_share = share;
    return 0;
}

bool share_is_settled(const struct share *share)
{
    return !share->wanted || share->failed || share->state == VM_DEVICE_IN_USE;
}

/* Tells whoever waits for it, and the bring-up, that it has come to rest. */
void share_settle(struct share *share, int error, const char *text)
{
    struct vm *vm = share->vm;
    struct operation *operation = share->operation;
    bool unwanted = operation && error != 0 && share->wanted;

    clock_disarm(share->timer);
    share->operation = NULL;
    /* one that was asked for at runtime and failed goes again */
    if (unwanted)
        share->wanted = false;
    operation_finish(operation, error, text);
    if (unwanted)
        share_step(share);
    bringup_check(vm);
}

void share_fail(struct share *share, const char *phase, int error, const char *text)
{
    if (share->failed)
        return;
    share->failed = true;
    share->state = VM_DEVICE_FAILED;
    free(share->error);
    share->error = strdup(text);
    report_device_failed(share->vm, "share", share->config.tag, phase, error, text);
    share_settle(share, error, text);
}

void share_blame(struct share *share, const char *text)
{
    free(share->error);
    share->error = strdup(text);
    report_device_failed(share->vm, "share", share->config.tag, "serve", EPIPE, text);
}

static int on_device_late(sd_event_source *source, uint64_t at_us, void *userdata)
{
    struct share *share = userdata;
    uint32_t given_ms = share->vm->config->timeouts.device;
    char text[LIMITS_TEXT];

    (void)source;
    (void)at_us;
    if (share_is_settled(share) || share->asked)
        return 0;
    (void)snprintf(text, sizeof(text), "the device was not there within %u ms%s%s", given_ms,
                   share->vm->host_error ? ": " : "",
                   share->vm->host_error ? share->vm->host_error : "");
    report_timeout(share->vm, "device", given_ms, share->config.tag);
    share_fail(share, "device", ETIMEDOUT, text);
    return 0;
}

/* Waits for the device, for as long as the phase is given. */
void share_await_device(struct share *share, enum vm_device_state state)
{
    struct vm *vm = share->vm;
    int enabled = SD_EVENT_OFF;

    share->state = state;
    if (share->timer)
        (void)sd_event_source_get_enabled(share->timer, &enabled);
    if (enabled == SD_EVENT_OFF)
        (void)clock_arm(vm->services->event, &share->timer, vm->config->timeouts.device,
                        on_device_late, share);
}
