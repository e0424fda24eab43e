/*
 * clock: the one clock of PID 1, CLOCK_BOOTTIME in ns: it goes on while a VM sleeps, and it is the
 * clock of every time in the protocol.
 */
#ifndef GUESTLINK_INIT_CLOCK_H
#define GUESTLINK_INIT_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_MS UINT64_C(1000000)
#define CLOCK_NS_PER_S  UINT64_C(1000000000)

uint64_t clock_now_ns(void);

/* The time @p ms from now. */
uint64_t clock_in_ms(uint64_t ms);

/* Milliseconds until @p at_ns, rounded up; 0 if that has passed; at most INT_MAX. For poll(2). */
int clock_ms_until(uint64_t at_ns);

#endif
