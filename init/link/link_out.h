/*
 * link out: what waits for the host to take it, for the link itself. Its users queue frames with
 * link_begin() and link_end().
 */
#ifndef GUESTLINK_INIT_LINK_OUT_H
#define GUESTLINK_INIT_LINK_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "link.h"

/* Begins a frame in whatever state. @return where it begins, for frame_end() */
size_t link_out_begin(struct link *link, uint16_t type, uint16_t flags, uint32_t id);

/* Writes what can be written. If that fails, link->broken is set and the link's timer goes off. */
void link_out_flush(struct link *link);

/* Bytes that can be queued, in whatever state. */
size_t link_out_room(const struct link *link);

/* Watches for what there is to be done: reading, if answers would find room, and writing, if there
 * is something to write or frames wait for their turn. @p events (EPOLL…) are watched for anyway.
 */
void link_out_watch(struct link *link, uint32_t events);

/* EPOLLOUT if it was watched for, else 0. Who waits for room is told by it, which therefore comes
 * also if what was queued went out with a later frame. */
uint32_t link_out_owed(const struct link *link);

#endif
