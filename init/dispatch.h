/*
 * dispatch: every frame of the host finds who handles it.
 */
#ifndef GUESTLINK_INIT_DISPATCH_H
#define GUESTLINK_INIT_DISPATCH_H

#include "guest.h"
#include "protocol/frame.h"
#include "report.h"

/*
 * Handles one frame after WELCOME. Whatever its bytes are: it is answered, ignored or refused, and
 * nothing else happens.
 *
 * @return NULL, or what is wrong with it: a protocol error (static text)
 */
const char *dispatch_frame(struct guest *guest, const struct frame *frame);

/* Answers a request with RESULT, if @p id is not 0 and the connection it came by still stands. */
void dispatch_answer(struct guest *guest, uint32_t id, uint32_t generation,
                     const struct report *report);

#endif
