/*
 * wall clock: CLOCK_REALTIME, which stands still while a VM sleeps, set right.
 */
#ifndef GUESTLINK_INIT_WALL_CLOCK_H
#define GUESTLINK_INIT_WALL_CLOCK_H

#include "protocol/event.h"

#include <stdint.h>

/* What is further off is stepped, the rest is slewed: programs see time go on, but not jump. */
#define WALL_CLOCK_STEP_NS INT64_C(1000000000)

/* Less than that is a host's answer that came late. */
#define WALL_CLOCK_FINE_NS INT64_C(5000000)

enum { WALL_CLOCK_KEPT, WALL_CLOCK_SLEWED, WALL_CLOCK_STEPPED };

/*
 * Sets it by the hypervisor's clock device, or, where there is none, by the host's word.
 *
 * @param host_ns      ns since 1970 UTC
 * @param ret_stepped  filled in if it was stepped; the kernel log has it, too
 * @return WALL_CLOCK_…; -EINVAL: no time that a clock can have; -errno of clock_settime(2)
 */
int wall_clock_set(uint64_t host_ns, struct event_clock_stepped *ret_stepped);

#endif
