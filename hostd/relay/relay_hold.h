/*
 * relay_hold: a confined device of which nobody knows whose driver it will have. The guest that
 * reported the pool may be reset or run another kernel before its driver starts; and once all rings
 * have stopped, that driver is gone. Another kernel uses the same memory for anything. Until it is
 * known to be no other one, the process has no memory, or nothing of it runs, and QEMU's messages
 * are only noted.
 *
 * The device goes on
 *  - with the process that it had, when QEMU goes on with a ring where it stopped. A paused VM does
 *    that; a reset of the device, which every driver begins with, sets all rings back to 0.
 *  - when the daemon confirms that the guest which reported the pool is the one that runs
 *    (base/aperture_status.h): with another process, if it had memory before.
 */
#ifndef GUESTLINK_HOSTD_RELAY_RELAY_HOLD_H
#define GUESTLINK_HOSTD_RELAY_RELAY_HOLD_H

#include "relay.h"

/* QEMU sets all rings up in a row: the daemon is asked when that is over, and so not if a ring goes
 * on where it stopped. The first driver is not kept waiting for that. */
#define RELAY_HOLD_QUIET_MS 20

/* An answer that the kernel does not tell of is looked for. */
#define RELAY_HOLD_LOOK_MS 200

/* QEMU said where the memory is, for the first time, and that is noted: a driver starts. */
void relay_hold_first(struct relay *relay);

/* True if the last ring that ran has stopped, of a device whose process has memory. */
bool relay_hold_is_due(const struct relay *relay);

/* The process has answered: stops it; one that cannot be stopped is ended. Only then may QEMU, and
 * with it the guest, go on. */
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
