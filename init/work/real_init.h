/*
 * real_init: the init of the real root, when it is to end the machine. Work of a job (base/job.h).
 */
#ifndef GUESTLINK_INIT_REAL_INIT_H
#define GUESTLINK_INIT_REAL_INIT_H

#include "base/report.h"

/*
 * Tells an init that is not systemd, which heeds its signal: runs the root's own `poweroff`,
 * `reboot` or `halt`, whichever init they belong to.
 *
 * @param argument  a uint16_t, REQUEST_POWER_OFF, …
 */
void real_init_tell(const void *argument, struct report *report);

#endif
