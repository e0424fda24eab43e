/*
 * dispatch: every frame of the host finds who handles it.
 */
#ifndef GUESTLINK_INIT_DISPATCH_H
#define GUESTLINK_INIT_DISPATCH_H

#include "guest.h"
#include "protocol/frame.h"

/*
 * Handles one frame after WELCOME. Whatever its bytes are: it is answered, ignored or refused, and
 * nothing else happens. What is done in the root waits while guest->hold is on.
 *
 * @return NULL, or what is wrong with it: a protocol error (static text)
 */
const char *dispatch_frame(struct guest *guest, const struct frame *frame);

/* A guest's hold_timer, and called when its root is settled: handles what was held, and ends the
 * hold when that is done. */
void dispatch_release(struct loop_timer *timer);

#endif
