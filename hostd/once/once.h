/*
 * once: a VM for one command: `guestlink run`.
 */
#ifndef GUESTLINK_ONCE_ONCE_H
#define GUESTLINK_ONCE_ONCE_H

#include "request.h"

/*
 * Starts the VM, runs the command, ends the VM.
 *
 * @return the exit status of `guestlink run`: the command's; 124: timed out; 125: it was not
 *         started, or the VM ended before it did; 126, 127: not executable, not found; 128 + N:
 *         signal N ended it, or us before there was a guest
 */
int once_run(const struct request *request);

#endif
