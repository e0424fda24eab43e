/*
 * link_support: a link that is UP over a socket pair, and the host's end of it.
 */
#ifndef GUESTLINK_TESTS_LINK_SUPPORT_H
#define GUESTLINK_TESTS_LINK_SUPPORT_H

#include "init/link/link.h"

/* Sets @p link UP without a handshake. @return the host's end, non-blocking; the caller's */
int link_support_up(struct link *link, struct loop *loop);

/* Takes back what link_support_up() made. */
void link_support_down(struct link *link, int host);

/* Takes the next frame that the guest wrote; it is valid until the next call.
 * @return false if there is none */
bool link_support_take(int host, struct frame *ret);

#endif
