/* clock: the times that the daemon reads, in the units that it uses. */
#include "clock.h"

/* sd-event may wake up a little later than asked, to serve several timers at once. */
#define ACCURACY_US 5000u

int clock_arm(sd_event *event, sd_event_source **source, uint64_t ms, sd_event_time_handler_t fn,
              void *userdata)
{
    uint64_t at_us = clock_now_us() + ms * 1000u;
    int r;

    if (!*source)
        return sd_event_add_time(event, source, CLOCK_MONOTONIC, at_us, ACCURACY_US, fn, userdata);
    r = sd_event_source_set_time(*source, at_us);
    if (r < 0)
        return r;
    return sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
}

int clock_arm_first(sd_event *event, sd_event_source **source, uint64_t *armed_us, uint64_t at_us,
                    sd_event_time_handler_t fn, void *userdata)
{
    uint64_t now_us = clock_now_us();
    int r;

    if (at_us == CLOCK_NEVER || (*armed_us != 0 && *armed_us <= at_us))
        return 0;
    r = clock_arm(event, source, at_us > now_us ? (at_us - now_us + 999u) / 1000u : 0, fn,
                  userdata);
    if (r >= 0)
        *armed_us = at_us;
    return r;
}
