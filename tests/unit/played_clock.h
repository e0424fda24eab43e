/* played clock: time passes when the test says so, for timers and for who reads the clock.
 *
 * It is for programs that link with PLAYED_CLOCK (CMakeLists.txt): their calls of sd-event's timers
 * and of clock_gettime() come here. The real time passes, too. */
#ifndef GUESTLINK_TESTS_PLAYED_CLOCK_H
#define GUESTLINK_TESTS_PLAYED_CLOCK_H

#include <stdint.h>
#include <systemd/sd-event.h>

/* Lets @p ms pass, and runs what is due then until nothing is left to do. */
void played_clock_pass(sd_event *event, uint64_t ms);

#endif
