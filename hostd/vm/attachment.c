/* attachment: those that a VM has, and how each comes to rest. */
#include "attachment.h"

#include "base/clock.h"
#include "base/limits.h"
#include "guest/guest.h"
#include "operation.h"
#include "report.h"
#include "services.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void attachment_begin(struct attachment *a, struct vm *vm)
{
    struct attachment **last = &vm->attachments;

    while (*last)
        last = &(*last)->next;
    *last = a;
    a->vm = vm;
    a->wanted = true;
}

/* Frees one that is on no list any more. */
static void destroy(struct attachment *a, bool go_on)
{
    guest_forget(a->vm->guest, a);
    (void)sd_event_source_disable_unref(a->timer);
    free(a->error);
    a->kind->free(a, go_on);
}

void attachment_free(struct attachment *a)
{
    struct attachment **position = &a->vm->attachments;

    while (*position != a)
        position = &(*position)->next;
    *position = a->next;
    destroy(a, false);
}

void attachments_done(struct vm *vm)
{
    while (vm->attachments) {
        struct attachment *a = vm->attachments;

        vm->attachments = a->next;
        destroy(a, true);
    }
}

struct attachment *attachment_next(const struct vm *vm, const struct attachment_kind *kind,
                                   const struct attachment *a)
{
    struct attachment *next = a ? a->next : vm->attachments;

    while (next && next->kind != kind)
        next = next->next;
    return next;
}

size_t attachment_count(const struct vm *vm, const struct attachment_kind *kind)
{
    size_t count = 0;

    for (const struct attachment *a = vm->attachments; a; a = a->next)
        count += a->kind == kind;
    return count;
}

struct attachment *attachment_find(const struct vm *vm, const struct attachment_kind *kind,
                                   const char *name, bool wanted)
{
    struct attachment *a = vm->attachments;

    while (a && (a->kind != kind || a->wanted != wanted || strcmp(a->name, name) != 0))
        a = a->next;
    return a;
}

static bool is_settled(const struct attachment *a)
{
    return !a->wanted || a->failed || a->state == VM_DEVICE_IN_USE;
}

bool attachments_are_settled(const struct vm *vm, const struct attachment_kind *kind)
{
    for (const struct attachment *a = vm->attachments; a; a = a->next) {
        if ((!kind || a->kind == kind) && !is_settled(a))
            return false;
    }
    return true;
}

void attachment_drop(struct attachment *a)
{
    a->wanted = false;
    clock_disarm(a->timer);
    vm_wake(a->vm);
}

bool attachment_release(struct attachment *a)
{
    if (a->kind->release(a) < 0)
        return false;
    a->asked = true;
    a->state = VM_DEVICE_RELEASING;
    return true;
}

void attachment_settle(struct attachment *a, int error, const char *text)
{
    struct operation *operation = a->operation;

    clock_disarm(a->timer);
    a->operation = NULL;
    /* one that was asked for at runtime and failed goes again */
    if (operation && error != 0)
        attachment_drop(a);
    operation_finish(operation, error, text);
}

void attachment_set_error(struct attachment *a, const char *text)
{
    free(a->error);
    a->error = text ? strdup(text) : NULL;
}

void attachment_fail(struct attachment *a, const char *phase, int error, const char *text)
{
    if (a->failed)
        return;
    a->failed = true;
    a->state = VM_DEVICE_FAILED;
    attachment_set_error(a, text);
    report_device_failed(a->vm, a->kind->name, a->name, phase, error, text);
    attachment_settle(a, error, text);
    vm_wake(a->vm);
}

void attachments_end(struct vm *vm, const char *text)
{
    for (struct attachment *a = vm->attachments; a; a = a->next) {
        if (is_settled(a))
            continue;
        a->state = VM_DEVICE_WAITING;
        attachment_settle(a, ENOTCONN, text);
    }
}

void attachment_retry(struct attachment *a, const char *given_up)
{
    uint64_t now_us = clock_now_us();

    if (now_us - a->retried_us > LIMITS_SHARE_RETRY_FORGIVE_MS * UINT64_C(1000))
        a->retries = 0;
    a->retried_us = now_us;
    if (a->retries++ >= LIMITS_SHARE_RETRIES)
        attachment_fail(a, "serve", EPIPE, given_up);
}

static int on_device_late(sd_event_source *source, uint64_t at_us, void *userdata)
{
    struct attachment *a = userdata;
    uint32_t given_ms = a->vm->config->timeouts.device;
    char text[LIMITS_TEXT];

    (void)source;
    (void)at_us;
    if (is_settled(a) || a->asked)
        return 0;
    (void)snprintf(text, sizeof(text), "the device did not appear within %u ms%s%s", given_ms,
                   a->vm->host_error ? ": " : "", a->vm->host_error ? a->vm->host_error : "");
    report_timeout(a->vm, "device", given_ms, a->name);
    attachment_fail(a, "device", ETIMEDOUT, text);
    return 0;
}

void attachment_await(struct attachment *a, enum vm_device_state state)
{
    int enabled = SD_EVENT_OFF;

    a->state = state;
    if (a->timer)
        (void)sd_event_source_get_enabled(a->timer, &enabled);
    if (enabled == SD_EVENT_OFF)
        (void)clock_arm(a->vm->services->event, &a->timer, a->vm->config->timeouts.device,
                        on_device_late, a);
}
