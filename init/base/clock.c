/* clock: the one clock of PID 1. */
#include "clock.h"

#include <limits.h>
#include <time.h>

uint64_t clock_now_ns(void)
{
    struct timespec now = {0};

    /* CLOCK_BOOTTIME is in every kernel since 2.6.39. */
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_in_ms(uint64_t ms)
{
    return clock_now_ns() + ms * CLOCK_NS_PER_MS;
}

int clock_ms_until(uint64_t at_ns)
{
    uint64_t now = clock_now_ns();
    uint64_t ms;

    if (at_ns <= now)
        return 0;
    ms = (at_ns - now + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}
