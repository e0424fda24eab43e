/*
 * guest clock: the time of day of a VM's guest, which stands still while the VM sleeps: set right
 * by SET_TIME (PROTOCOL.md), at each connection, every LIMITS_CLOCK_MS, and when there is reason
 * to.
 */
#ifndef GUESTLINK_HOSTD_GUEST_CLOCK_H
#define GUESTLINK_HOSTD_GUEST_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct vm;

struct guest_clock {
    sd_event_source *timer; /* the next time; CLOCK_BOOTTIME, which goes on while the host sleeps */
    uint64_t sent_us;       /* CLOCK_BOOTTIME of the newest */
    bool outstanding;       /* it is not answered yet */
    bool again;             /* another one is wanted */
    bool unknown;           /* this guest does not know it */
};

/* A guest connected: the time, and randomness of the host's. One that is back in the same boot may
 * be restored from a snapshot, and have what its twin has. */
void guest_clock_begin(struct vm *vm);

/* Something says that the guest's time may be wrong. Called as often as anybody likes. */
void guest_clock_check(struct vm *vm);

/* The VM goes on after a pause, perhaps as what it was long ago: likewise. */
void guest_clock_resumed(struct vm *vm);

void guest_clock_done(struct guest_clock *clock);

#endif
