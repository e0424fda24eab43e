/*
 * signals: what PID 1 is told by the kernel and by other programs, and every child's end.
 */
#ifndef GUESTLINK_INIT_SIGNALS_H
#define GUESTLINK_INIT_SIGNALS_H

#include "guest.h"

/* Blocks every signal: from here on they wait until signals_watch(). */
void signals_block(void);

/* Handles signals in the loop; again in a process that was forked (a signalfd wakes the epoll of
 * who added it alone). */
void signals_watch(struct guest *guest);

#endif
