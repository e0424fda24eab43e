/* vm requests: what others ask of a VM, asynchronously. */
#include "base/clock.h"
#include "base/limits.h"
#include "config/text.h"
#include "guest/guest.h"
#include "operation.h"
#include "report.h"
#include "services.h"
#include "share_nest.h"
#include "vm_parts.h"

#include "protocol/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void on_capabilities(void *userdata, const struct guest_answer *answer)
{
    struct operation *operation = userdata;
    struct operation told = *operation;
    struct guest_capabilities measured;
    struct vm *vm = operation->vm;

    if (answer->error != 0) {
        operation_finish(operation, answer->error, answer->text);
        return;
    }
    (void)operation_free(operation);
    if (answer->frame->type != FRAME_CAPABILITIES ||
        session_read_report(answer->frame->payload, answer->frame->length, &measured) != 0) {
        if (told.capabilities_done)
            told.capabilities_done(told.userdata, EPROTO, "the guest's report is malformed", NULL);
        return;
    }
    report_capabilities(vm, TELEMETRY_READ_GUEST_CAPABILITIES);
    if (!told.capabilities_done)
        return;
    if (capabilities_same_facts(&vm->boot.capabilities, &measured))
        told.capabilities_done(told.userdata, 0, "", &measured);
    else
        told.capabilities_done(told.userdata, ESTALE,
                               "the guest's report differs from its first report in this boot; "
                               "keeping the first",
                               &measured);
}

/* @return as guest_ask() */
static int ask(struct vm *vm, uint16_t type, guest_done_fn done, const struct operation *begun)
{
    struct operation *operation = operation_new(vm, begun);
    int r;

    if (!operation)
        return -ENOMEM;
    r = guest_ask(vm->guest, type, NULL, 0, LIMITS_ANSWER_MS, done, operation);
    if (r < 0)
        (void)operation_free(operation);
    return r;
}

int vm_refresh_capabilities(struct vm *vm, vm_capabilities_fn done, void *userdata)
{
    return ask(vm, FRAME_GET_CAPABILITIES, on_capabilities,
               &(struct operation){.userdata = userdata, .capabilities_done = done});
}

static void on_pool_usage(void *userdata, const struct guest_answer *answer)
{
    struct operation *operation = userdata;
    struct operation told = *operation;
    struct event_pool_usage usage;

    if (answer->error != 0) {
        operation_finish(operation, answer->error, answer->text);
        return;
    }
    (void)operation_free(operation);
    if (!told.pool_done)
        return;
    if (answer->frame->type != FRAME_POOL_USAGE ||
        event_pool_usage_unpack(answer->frame->payload, answer->frame->length, &usage) != 0) {
        told.pool_done(told.userdata, EPROTO, "the guest's answer is malformed", NULL);
        return;
    }
    boot_bound_usage(told.vm->config->memory, &usage);
    told.pool_done(told.userdata, 0, "", &usage);
}

int vm_query_pool(struct vm *vm, vm_pool_usage_fn done, void *userdata)
{
    return ask(vm, FRAME_GET_POOL_USAGE, on_pool_usage,
               &(struct operation){.userdata = userdata, .pool_done = done});
}

/* What config.c holds a file to, for a share that did not come from one. */
static bool share_is_sound(const struct config_share *share)
{
    return wire_text_is_valid(wire_text_of(share->tag)) &&
           wire_text_is_valid(wire_text_of(share->path)) &&
           wire_text_is_valid(wire_text_of(share->target)) && !config_text_check_tag(share->tag) &&
           !config_text_check_path(share->path) && !config_text_check_target(share->target);
}

/* The guest would take an equal share for the one that is there, and its removal for that one's. */
static bool target_is_taken(const struct vm *vm, const char *path)
{
    char target[LIMITS_PATH];

    (void)snprintf(target, sizeof(target), "%s", path);
    config_text_normalise_path(target);
    for (struct share *share = share_next(vm, NULL); share; share = share_next(vm, share)) {
        if (share->attachment.wanted && strcmp(share->config.target, target) == 0)
            return true;
    }
    return false;
}

int vm_add_share(struct vm *vm, const struct config_share *share, vm_done_fn done, void *userdata)
{
    struct operation *operation;
    struct share *added;
    int r;

    if (!share_is_sound(share))
        return -EINVAL;
    if (!share_find(vm, share->tag) && target_is_taken(vm, share->target))
        return -EBUSY;
    r = share_new(vm, share, false, &added);
    if (r < 0)
        return r;
    operation = operation_new(vm, &(struct operation){.userdata = userdata, .done = done});
    if (!operation) {
        attachment_drop(&added->attachment);
        return -ENOMEM;
    }
    saver_now(&vm->saver);
    vm_wake(vm);
    if (guest_is_attached(vm->guest))
        added->attachment.operation = operation;
    else
        operation_finish_later(operation, 0,
                               "the guest is not connected; will mount the share when it "
                               "connects");
    return 0;
}

/* What is mounted below it would be in the way, or go along: who asks decides what becomes of it.
 * @return false after telling so */
static bool may_be_removed(struct attachment *a, struct operation *operation)
{
    const struct share *below = share_nest_below(share_of(a));
    char text[LIMITS_TEXT + LIMITS_PATH];

    if (!below)
        return true;
    (void)snprintf(text, sizeof(text),
                   "the share %s is mounted inside this one, at %s; remove that one first",
                   below->config.tag, below->config.target);
    operation_finish_later(operation, EBUSY, text);
    return false;
}

int vm_remove_share(struct vm *vm, const char *tag, vm_done_fn done, void *userdata)
{
    struct attachment *a = attachment_find(vm, &share_kind, tag, true);
    struct operation *operation;

    if (!a)
        return attachment_find(vm, &share_kind, tag, false) ? -EBUSY : -ENOENT;
    if (a->operation)
        return -EBUSY;
    operation = operation_new(vm, &(struct operation){.userdata = userdata, .done = done});
    if (!operation)
        return -ENOMEM;
    if (!may_be_removed(a, operation))
        return 0;
    a->operation = operation;
    attachment_drop(a);
    return 0;
}

static int on_shut_down_late(sd_event_source *source, uint64_t at_us, void *userdata)
{
    struct operation *operation = userdata;
    struct vm *vm = operation->vm;

    (void)source;
    (void)at_us;
    vm->shutting_down = false;
    report_timeout(vm, "shut_down", vm->config->timeouts.shut_down, NULL);
    operation_finish(operation, ETIMEDOUT, "the guest did not send farewell in time");
    return 0;
}

static void on_shut_down(void *userdata, const struct guest_answer *answer)
{
    struct operation *operation = userdata;

    /* 0: under way, the farewell follows; ECONNRESET: operations_end_shut_down() has it */
    if (answer->error != 0 && answer->error != ECONNRESET) {
        operation->vm->shutting_down = false;
        operation_finish(operation, answer->error, answer->text);
    }
}

int vm_shut_down(struct vm *vm, bool reboot, uint32_t grace_ms, vm_done_fn done, void *userdata)
{
    struct request_shut_down request = {.how = reboot ? REQUEST_REBOOT : REQUEST_POWER_OFF,
                                        .grace_ms =
                                            grace_ms ? grace_ms : vm->config->timeouts.shut_down};
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    struct operation *operation = operation_new(
        vm, &(struct operation){.userdata = userdata, .done = done, .shut_down = true});
    int r;

    if (!operation)
        return -ENOMEM;
    request_shut_down_pack(&writer, &request);
    r = guest_ask(vm->guest, FRAME_SHUT_DOWN, payload, writer.size, LIMITS_ANSWER_MS, on_shut_down,
                  operation);
    if (r >= 0)
        r = clock_arm(vm->services->event, &operation->timer,
                      (uint64_t)request.grace_ms + payload_stop_ms(vm, request.grace_ms) +
                          LIMITS_FAREWELL_SLACK_MS,
                      on_shut_down_late, operation);
    if (r < 0) {
        guest_forget(vm->guest, operation);
        (void)operation_free(operation);
        return r;
    }
    vm->shutting_down = true;
    return 0;
}

/* A `done` may begin or end others: the list is walked again after each. */
void operations_end_shut_down(struct vm *vm)
{
    struct operation *operation = LIST_FIRST(&vm->operations);

    while (operation) {
        if (!operation->shut_down) {
            operation = LIST_NEXT(operation, of_vm);
            continue;
        }
        operation->shut_down = false;
        guest_forget(vm->guest, operation);
        operation_finish(operation, 0,
                         vm->boot.farewell ? ""
                                           : "the guest's connection closed without "
                                             "farewell");
        operation = LIST_FIRST(&vm->operations);
    }
}
