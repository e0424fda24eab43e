/*
 * guest event: what an accepted guest says by itself, served.
 */
#ifndef GUESTLINK_HOSTD_GUEST_EVENT_H
#define GUESTLINK_HOSTD_GUEST_EVENT_H

#include "protocol/frame.h"

struct vm;

enum {
    GUEST_EVENT_E_MALFORMED = 1, /* a protocol error */
};

/* Serves it, and acknowledges it if it has an id. @return 0, or GUEST_EVENT_E_MALFORMED */
int guest_event_take(struct vm *vm, const struct frame *frame);

#endif
