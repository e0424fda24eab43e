/*
 * inside: the command in the guest, by the daemon's Exec, as guestlinkctl has it.
 */
#ifndef GUESTLINK_ONCE_INSIDE_H
#define GUESTLINK_ONCE_INSIDE_H

#include "plan.h"
#include "supervisor.h"

/*
 * Runs it with our standard streams and passes signals on.
 *
 * @return its exit status; 125: not started, or the VM ended before it did; 124: timed out
 */
int inside_run(const struct plan *plan, struct supervisor *supervisor);

/* Has the guest end what still runs, write what is not yet written, and power off; waits for that,
 * but no longer than a few seconds. */
void inside_shut_down(const struct plan *plan, struct supervisor *supervisor);

#endif
