/*
 * bringup: what the host asks of a guest that just connected, and in which order.
 *
 *     begin     ADD_ENTROPY (in a new boot), SET_HOSTNAME: at once
 *     devices   every share and adapter, all at the same time
 *     payload   START_PROCESS, when all of those have come to rest, well or badly
 *     complete  COMPLETE_BOOT; the guest then says READY
 *
 * In a boot that was brought up before (the daemon was away, or the connection broke) the same
 * steps find what is there already.
 */
#ifndef GUESTLINK_HOSTD_BRINGUP_H
#define GUESTLINK_HOSTD_BRINGUP_H

#include <stdbool.h>

struct vm;

enum bringup_step {
    BRINGUP_IDLE, /* no guest */
    BRINGUP_DEVICES,
    BRINGUP_PAYLOAD,
    BRINGUP_COMPLETE,
    BRINGUP_DONE,
};

/* The guest's report was accepted. */
void bringup_begin(struct vm *vm, bool same_boot);

/* Goes on if nothing more is to be waited for. */
void bringup_check(struct vm *vm);

/* The guest is gone. */
void bringup_end(struct vm *vm);

/* Asks for the hostname that the configuration names, if it names one. */
void bringup_set_hostname(struct vm *vm);

#endif
