/*
 * clock: the times that the daemon reads, in the units that it uses.
 */
#ifndef GUESTLINK_HOSTD_CLOCK_H
#define GUESTLINK_HOSTD_CLOCK_H

#include <stdint.h>
#include <systemd/sd-event.h>
#include <time.h>

/* CLOCK_MONOTONIC in µs. */
static inline uint64_t clock_now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* As of the kernel's last tick, some ms ago: costs no look at a clock. */
static inline uint64_t clock_coarse_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* CLOCK_REALTIME in µs. */
static inline uint64_t clock_real_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/*
 * Arms a timer of the caller's to go off once, @p ms from now: makes it if *source is NULL, else
 * sets and enables it again.
 *
 * @return 0 or -errno of sd-event
 */
int clock_arm(sd_event *event, sd_event_source **source, uint64_t ms, sd_event_time_handler_t fn,
              void *userdata);

#define CLOCK_NEVER UINT64_MAX

/*
 * As clock_arm(), of a timer that serves many deadlines, and goes off at the first: does nothing if
 * it is armed for an earlier moment already.
 *
 * @param armed_us  that moment (CLOCK_MONOTONIC), 0: none; its handler sets it to 0 first of all
 * @param at_us     the new deadline; CLOCK_NEVER: there is none, and nothing is done
 */
int clock_arm_first(sd_event *event, sd_event_source **source, uint64_t *armed_us, uint64_t at_us,
                    sd_event_time_handler_t fn, void *userdata);

/* Switches off a timer, or any other source; NULL is fine. */
static inline void clock_disarm(sd_event_source *source)
{
    if (source)
        (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

#endif
