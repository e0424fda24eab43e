/*
 * silence: a guest that is gone though the end of its connection never came.
 *
 * A frame only resets a counter. The timer is coarse, and counts wake-ups, not time: a daemon that
 * was stopped for a minute hears what came meanwhile before it counts twice.
 */
#include "silence.h"

#include "base/clock.h"

#include <time.h>

/* The timer fires PARTS times per timeout; the second-to-last time, we ping the guest. */
#define PARTS 3u

/* Behind whatever can be read: it may be the guest's word. */
#define PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

static void await(struct silence *silence, sd_event *event);

static int on_timer(sd_event_source *source, uint64_t at_us, void *userdata)
{
    struct silence *silence = userdata;
    const struct silence_events *events = silence->events;

    (void)at_us;
    if (events->timeout_ms(silence->userdata) == 0)
        return 0; /* silence_begin() */
    if (events->tick)
        events->tick(silence->userdata);
    /* A guest that is held back, because nobody takes what it says, is not silent. */
    silence->quiet = events->is_held_back(silence->userdata) ? 0 : silence->quiet + 1;
    if (silence->quiet > PARTS) {
        events->over(silence->userdata);
        return 0;
    }
    if (silence->quiet == PARTS)
        events->ask(silence->userdata);
    await(silence, sd_event_source_get_event(source));
    return 0;
}

/* Without a timer, for lack of memory, a guest's silence ends with the next request's deadline. */
static void await(struct silence *silence, sd_event *event)
{
    uint64_t part_us = silence->events->timeout_ms(silence->userdata) * UINT64_C(1000) / PARTS;
    uint64_t at_us = clock_now_us() + part_us;

    if (silence->timer) {
        (void)sd_event_source_set_time(silence->timer, at_us);
        (void)sd_event_source_set_enabled(silence->timer, SD_EVENT_ONESHOT);
    } else if (sd_event_add_time(event, &silence->timer, CLOCK_MONOTONIC, at_us, part_us / 10,
                                 on_timer, silence) >= 0) {
        (void)sd_event_source_set_priority(silence->timer, PRIORITY);
    }
}

void silence_begin(struct silence *silence, sd_event *event, const struct silence_events *events,
                   void *userdata)
{
    int enabled = SD_EVENT_OFF;

    silence->events = events;
    silence->userdata = userdata;
    silence->quiet = 0;
    if (silence->timer)
        (void)sd_event_source_get_enabled(silence->timer, &enabled);
    if (enabled == SD_EVENT_OFF)
        await(silence, event);
}

void silence_done(struct silence *silence)
{
    silence->timer = sd_event_source_disable_unref(silence->timer);
}
