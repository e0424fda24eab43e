/*
 * hold: requests that wait until it is settled which root they are for, in their order. What a host
 * asks for before the real root is there (guestlink.root=) would be done in the initramfs and be
 * lost with it.
 */
#ifndef GUESTLINK_INIT_HOLD_H
#define GUESTLINK_INIT_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "protocol/frame.h"

struct hold {
    bool on;     /* requests are to be held: the root is not settled, or some are held still */
    size_t size; /* bytes held */
    size_t taken;
    uint8_t
        bytes[INIT_HOLD_SIZE]; /* frames, as they came; pages that nothing needs stay untouched */
};

/* Copies a frame. @return 0, or -ENOBUFS */
int hold_add(struct hold *hold, const struct frame *frame);

/* Takes the oldest; its payload is valid until the next call. If there is none, the hold is off
 * from here on. @return false if there is none */
bool hold_take(struct hold *hold, struct frame *ret_frame);

/* Forgets all: the connection that they came by is gone, and the next one's host asks again. */
void hold_clear(struct hold *hold);

#endif
