/* played clock: every timer comes nearer by what has passed, and clock_gettime() is later by it. */
#include "played_clock.h"

#include <stddef.h>
#include <stdlib.h>
#include <time.h>

/* Timers of one test at once. */
#define TIMERS 256

static sd_event_source *timers[TIMERS];
static uint64_t passed_us;

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __real_sd_event_now(sd_event *event, clockid_t clock, uint64_t *ret_us);
int __real_sd_event_add_time(sd_event *event, sd_event_source **ret_source, clockid_t clock,
                             uint64_t at_us, uint64_t accuracy_us, sd_event_time_handler_t fn,
                             void *userdata);
int __real_sd_event_add_time_relative(sd_event *event, sd_event_source **ret_source,
                                      clockid_t clock, uint64_t us, uint64_t accuracy_us,
                                      sd_event_time_handler_t fn, void *userdata);
int __real_sd_event_source_set_time(sd_event_source *source, uint64_t at_us);
sd_event_source *__real_sd_event_source_disable_unref(sd_event_source *source);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_sd_event_now(sd_event *event, clockid_t clock, uint64_t *ret_us);
int __wrap_sd_event_add_time(sd_event *event, sd_event_source **ret_source, clockid_t clock,
                             uint64_t at_us, uint64_t accuracy_us, sd_event_time_handler_t fn,
                             void *userdata);
int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **ret_source,
                                      clockid_t clock, uint64_t us, uint64_t accuracy_us,
                                      sd_event_time_handler_t fn, void *userdata);
int __wrap_sd_event_source_set_time(sd_event_source *source, uint64_t at_us);
sd_event_source *__wrap_sd_event_source_disable_unref(sd_event_source *source);

static uint64_t really(uint64_t at_us)
{
    return at_us > passed_us ? at_us - passed_us : 0;
}

static int note(sd_event_source *source)
{
    for (size_t i = 0; i < TIMERS; i++) {
        if (timers[i] == NULL) {
            timers[i] = source;
            return 0;
        }
    }
    abort(); /* more than TIMERS */
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    int r = __real_clock_gettime(clock, time);
    uint64_t ns = (uint64_t)time->tv_nsec + passed_us % 1000000 * 1000;

    time->tv_sec += (time_t)(passed_us / 1000000 + ns / 1000000000);
    time->tv_nsec = (long)(ns % 1000000000);
    return r;
}

int __wrap_sd_event_now(sd_event *event, clockid_t clock, uint64_t *ret_us)
{
    int r = __real_sd_event_now(event, clock, ret_us);

    *ret_us += passed_us;
    return r;
}

int __wrap_sd_event_add_time(sd_event *event, sd_event_source **ret_source, clockid_t clock,
                             uint64_t at_us, uint64_t accuracy_us, sd_event_time_handler_t fn,
                             void *userdata)
{
    int r = __real_sd_event_add_time(event, ret_source, clock, really(at_us), accuracy_us, fn,
                                     userdata);

    return r < 0 ? r : note(*ret_source);
}

int __wrap_sd_event_add_time_relative(sd_event *event, sd_event_source **ret_source,
                                      clockid_t clock, uint64_t us, uint64_t accuracy_us,
                                      sd_event_time_handler_t fn, void *userdata)
{
    int r =
        __real_sd_event_add_time_relative(event, ret_source, clock, us, accuracy_us, fn, userdata);

    return r < 0 ? r : note(*ret_source);
}

int __wrap_sd_event_source_set_time(sd_event_source *source, uint64_t at_us)
{
    return __real_sd_event_source_set_time(source, really(at_us));
}

sd_event_source *__wrap_sd_event_source_disable_unref(sd_event_source *source)
{
    for (size_t i = 0; i < TIMERS; i++)
        if (timers[i] == source)
            timers[i] = NULL;
    return __real_sd_event_source_disable_unref(source);
}

void played_clock_pass(sd_event *event, uint64_t ms)
{
    for (size_t i = 0; i < TIMERS; i++) {
        uint64_t at_us;

        if (timers[i] != NULL && sd_event_source_get_time(timers[i], &at_us) >= 0)
            (void)__real_sd_event_source_set_time(timers[i],
                                                  at_us > ms * 1000 ? at_us - ms * 1000 : 0);
    }
    passed_us += ms * 1000;
    while (sd_event_run(event, 0) > 0)
        ;
}
