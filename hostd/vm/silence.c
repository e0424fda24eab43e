/*
 * silence: a guest that is gone though the end of its connection never came.
 *
 * A frame only resets a counter. The timer is coarse, and counts wake-ups, not time: a daemon that
 * was stopped for a minute hears what came meanwhile before it counts twice.
 */
#include "silence.h"

#include "base/clock.h"
#include "base/limits.h"
#include "report.h"
#include "vm_parts.h"

#include "protocol/frame.h"

#include <errno.h>
#include <time.h>

/* The timer goes off so often in the time given; at the last but one the guest is asked. */
#define PARTS 3u

/* Behind whatever can be read: it may be the guest's word. */
#define PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

static void await(struct vm *vm);

static int on_timer(sd_event_source *source, uint64_t at_us, void *userdata)
{
    struct vm *vm = userdata;

    (void)source;
    (void)at_us;
    if (!vm->connection)
        return 0; /* silence_begin() */
    /* A guest that is held back, because nobody takes what it says, is not silent. */
    vm->silence.quiet = connection_is_paused(vm->connection) ? 0 : vm->silence.quiet + 1;
    if (vm->silence.quiet > PARTS) {
        report_timeout(vm, "silence", vm->config->timeouts.silence, NULL);
        vm_drop_connection(vm, "silence", ETIMEDOUT);
        return 0;
    }
    if (vm->silence.quiet == PARTS)
        (void)guest_ask(vm->guest, FRAME_PING, NULL, 0, LIMITS_ANSWER_MS, NULL, NULL);
    await(vm);
    return 0;
}

/* Without a timer, for want of memory, a guest's silence ends with the next request's deadline. */
static void await(struct vm *vm)
{
    uint64_t part_us = vm->config->timeouts.silence * UINT64_C(1000) / PARTS;
    uint64_t at_us = clock_now_us() + part_us;

    if (vm->silence.timer) {
        (void)sd_event_source_set_time(vm->silence.timer, at_us);
        (void)sd_event_source_set_enabled(vm->silence.timer, SD_EVENT_ONESHOT);
    } else if (sd_event_add_time(vm->services->event, &vm->silence.timer, CLOCK_MONOTONIC, at_us,
                                 part_us / 10, on_timer, vm) >= 0) {
        (void)sd_event_source_set_priority(vm->silence.timer, PRIORITY);
    }
}

void silence_begin(struct vm *vm)
{
    int enabled = SD_EVENT_OFF;

    vm->silence.quiet = 0;
    if (vm->silence.timer)
        (void)sd_event_source_get_enabled(vm->silence.timer, &enabled);
    if (enabled == SD_EVENT_OFF)
        await(vm);
}

void silence_done(struct silence *silence)
{
    silence->timer = sd_event_source_disable_unref(silence->timer);
}
