/* guest event: what an accepted guest says by itself, served. */
#include "guest_event.h"

#include "base/clock.h"
#include "base/limits.h"
#include "exec_parts.h"
#include "guest/guest.h"
#include "operation.h"
#include "report.h"
#include "services.h"
#include "vm_parts.h"

#include "protocol/request.h"

static int take_ready(struct vm *vm, const struct frame *frame)
{
    struct vm_timings *timings = &vm->boot.timings;
    struct event_ready ready;
    uint64_t took_us = clock_now_us() - vm->boot.accepted_us;
    bool again;

    if (event_ready_unpack(frame->payload, frame->length, &ready) != 0)
        return GUEST_EVENT_E_MALFORMED;
    again = vm->boot.ready;
    if (!again) {
        vm->boot.ready = true;
        timings->guest = ready;
        if (vm->boot.accepted_us != 0) {
            timings->ready_ms = (uint32_t)(took_us / 1000u);
            latency_add(&vm->services->latencies.ready, took_us);
        }
        saver_soon(&vm->saver);
    }
    /* a guest that was adopted says it again, and is told of again */
    report_ready(vm, again);
    return 0;
}

static int take_child_exited(struct vm *vm, const struct frame *frame)
{
    struct event_child_exited exited;

    if (event_child_exited_unpack(frame->payload, frame->length, &exited) != 0)
        return GUEST_EVENT_E_MALFORMED;
    report_child_exit(vm, &exited);
    if (exited.role == REQUEST_ROLE_PAYLOAD)
        payload_exited(vm, &exited);
    else
        exec_take_exit(vm, &exited);
    return 0;
}

static int take_log_record(struct vm *vm, const struct frame *frame)
{
    struct event_log_record record;

    if (event_log_record_unpack(frame->payload, frame->length, &record) != 0)
        return GUEST_EVENT_E_MALFORMED;
    report_guest_log(vm, &record);
    return 0;
}

static int take_process_output(struct vm *vm, const struct frame *frame)
{
    struct event_process_output output;

    if (event_process_output_unpack(frame->payload, frame->length, &output) != 0)
        return GUEST_EVENT_E_MALFORMED;
    if (!exec_take_output(vm, &output) && output.process == LIMITS_PAYLOAD_PROCESS)
        report_output(vm, &output);
    return 0;
}

/* A bout of failures is one event: it ends when nothing was heard for a while. */
static int take_pool_exhausted(struct vm *vm, const struct frame *frame)
{
    struct event_pool_exhausted exhausted;
    uint64_t now_us = clock_now_us();
    bool news;

    if (event_pool_exhausted_unpack(frame->payload, frame->length, &exhausted) != 0)
        return GUEST_EVENT_E_MALFORMED;
    news = vm->exhausted_us == 0 ||
           now_us - vm->exhausted_us > LIMITS_EXHAUSTED_QUIET_MS * UINT64_C(1000);
    vm->exhausted_us = now_us;
    vm->exhausted = exhausted.count;
    if (news)
        report_pool_exhausted(vm, &exhausted);
    return 0;
}

static int take_farewell(struct vm *vm, const struct frame *frame)
{
    struct event_farewell farewell;

    if (event_farewell_unpack(frame->payload, frame->length, &farewell) != 0)
        return GUEST_EVENT_E_MALFORMED;
    vm->boot.farewell = true;
    report_farewell(vm, &farewell);
    saver_soon(&vm->saver);
    return 0;
}

static int take_clock_stepped(struct vm *vm, const struct frame *frame)
{
    struct event_clock_stepped stepped;

    if (event_clock_stepped_unpack(frame->payload, frame->length, &stepped) != 0)
        return GUEST_EVENT_E_MALFORMED;
    report_clock_stepped(vm, &stepped);
    return 0;
}

static int take(struct vm *vm, const struct frame *frame)
{
    switch (frame->type) {
    case FRAME_READY:
        return take_ready(vm, frame);
    case FRAME_CHILD_EXITED:
        return take_child_exited(vm, frame);
    case FRAME_LOG_RECORD:
        return take_log_record(vm, frame);
    case FRAME_PROCESS_OUTPUT:
        return take_process_output(vm, frame);
    case FRAME_POOL_EXHAUSTED:
        return take_pool_exhausted(vm, frame);
    case FRAME_FAREWELL:
        return take_farewell(vm, frame);
    case FRAME_CLOCK_STEPPED:
        return take_clock_stepped(vm, frame);
    default:
        return 0;
    }
}

int guest_event_take(struct vm *vm, const struct frame *frame)
{
    uint32_t id = frame->id;
    bool farewell = frame->type == FRAME_FAREWELL;
    int r = take(vm, frame);

    if (r != 0)
        return r;
    guest_reply(vm->guest, id, 0, "");
    if (farewell)
        operations_end_shut_down(vm);
    return 0;
}
