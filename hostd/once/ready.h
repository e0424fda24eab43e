/*
 * ready: from the start of a VM until its guest takes commands, with all that was asked for.
 */
#ifndef GUESTLINK_ONCE_READY_H
#define GUESTLINK_ONCE_READY_H

#include "plan.h"
#include "supervisor.h"

enum { READY_TIMED_OUT = 124, READY_NOT_STARTED = 125 };

/*
 * Waits for it.
 *
 * @param signals  a signalfd: one of them ends the wait
 * @return 0; or the exit status of `guestlink run`, after an explanation on stderr
 */
int ready_wait(const struct plan *plan, struct supervisor *supervisor, int signals);

/* Says on stderr what an event means, with the last lines of the guest's console.
 * @return the exit status of `guestlink run` */
int ready_tell_end(const struct plan *plan, int event);

#endif
