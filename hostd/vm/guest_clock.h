/*
 * guest clock: the time of day of a VM's guest, which stands still while the VM sleeps. SET_TIME
 * (PROTOCOL.md) sets it right: some seconds into a boot, every LIMITS_CLOCK_MS, and when the guest
 * may have slept.
 */
#ifndef GUESTLINK_HOSTD_GUEST_CLOCK_H
#define GUESTLINK_HOSTD_GUEST_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct vm;

struct guest_clock {
    uint64_t sent_us;  /* CLOCK_BOOTTIME of the newest: it goes on while the host sleeps */
    uint64_t woken_us; /* likewise, when randomness was sent last */
    bool outstanding;  /* it is not answered yet */
    bool again;        /* another one is wanted after that */
    bool due;          /* one is wanted at the next tick */
    bool unknown;      /* this guest does not know it */
};

/* A guest connected: randomness of the host's, and the time: at once for one that is back in the
 * same boot, which may be restored from a snapshot; else some seconds later. */
void guest_clock_begin(struct vm *vm, bool same_boot);

/* Something says that the guest's time may be wrong. Called as often as anybody likes. */
void guest_clock_check(struct vm *vm);

/* The VM goes on after a pause, perhaps as what it was long ago: likewise. */
void guest_clock_resumed(struct vm *vm);

/* Called every few seconds of a connection. */
void guest_clock_tick(struct vm *vm);

#endif
