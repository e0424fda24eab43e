/*
 * relay_hold: a confined device whose rings have all stopped. Its driver is gone, and by the time
 * that another one starts the guest may run another kernel, which uses the pool of before for
 * anything. Until that is known nothing of the process runs, and QEMU's messages are only noted.
 *
 * The device goes on
 *  - with the process that it had, when QEMU goes on with a ring where it stopped. A paused VM does
 *    that; a reset of the device, which every driver begins with, sets all rings back to 0.
 *  - with another process, when the daemon confirms that the guest which reported the pool is the
 *    one that runs (base/aperture_status.h): after a reset, a kexec, or a driver bound again.
 */
#ifndef GUESTLINK_HOSTD_RELAY_RELAY_HOLD_H
#define GUESTLINK_HOSTD_RELAY_RELAY_HOLD_H

#include "relay.h"

/* QEMU sets all rings up in a row: the daemon is asked when that is over, and so not if a ring goes
 * on where it stopped. */
#define RELAY_HOLD_QUIET_MS 20

/* An answer that the kernel does not tell of is looked for. */
#define RELAY_HOLD_LOOK_MS 200

/* True if the last ring that ran has stopped, of a device whose process has memory. */
bool relay_hold_is_due(const struct relay *relay);

/* The process, or the relay for one that died, has answered: stops it; one that cannot be stopped
 * is ended. Only then may QEMU, and with it the guest, go on. */
void relay_hold_begin(struct relay *relay);

/* Takes QEMU's message, which is noted, and answers it. */
void relay_hold_take(struct relay *relay);

/* In a relay that takes another one's place. */
void relay_hold_resume(struct relay *relay);

/* In how many ms relay_hold_look() has something to do; -1: when relay->watch is readable */
int relay_hold_timeout(const struct relay *relay);

/* Asks the daemon when it is time to, and looks whether it confirmed. */
void relay_hold_look(struct relay *relay);

#endif
