/*
 * connection: frames over one connected socket, with a bound on what it may make the daemon hold.
 *
 * It never blocks and holds no buffer while nothing is half-read and nothing waits to be written.
 */
#ifndef GUESTLINK_HOSTD_CONNECTION_H
#define GUESTLINK_HOSTD_CONNECTION_H

#include "base/counters.h"

#include "protocol/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct connection;

enum connection_end {
    CONNECTION_END_PEER,   /* the guest closed it, or it broke */
    CONNECTION_END_MAGIC,  /* protocol error: wrong magic */
    CONNECTION_END_LENGTH, /* protocol error: length over the maximum */
    CONNECTION_END_SLOW,   /* the guest does not read; the bound is reached */
    CONNECTION_END_MEMORY, /* the daemon has no memory for it */
};

struct connection_events {
    /* A whole frame; its payload is good until the callee returns. The connection may be freed. */
    void (*frame)(void *userdata, const struct frame *frame);
    /* It ended, told once; it is only good for connection_free(). @p error: an errno or 0 */
    void (*ended)(void *userdata, enum connection_end end, int error);
};

/*
 * Serves a socket.
 *
 * @param fd        connected, non-blocking; consumed, whatever happens
 * @param limit     bytes that it may make the daemon hold, in and out together
 * @param counters  counts its frames and bytes; outlives it
 * @return 0 or -errno
 */
int connection_new(sd_event *event, int fd, uint32_t limit, struct daemon_counters *counters,
                   const struct connection_events *events, void *userdata,
                   struct connection **ret_connection);

/* Closes it; no event comes any more. @return NULL */
struct connection *connection_free(struct connection *connection);

/* Hands the connection to somebody else: events go to @p userdata from now on. */
void connection_set_events(struct connection *connection, const struct connection_events *events,
                           void *userdata);

/*
 * Sends a frame: what the socket does not take at once is held.
 *
 * @return 0; -ENOBUFS: the bound is reached, and the connection will end as CONNECTION_END_SLOW;
 *         -EMSGSIZE: over FRAME_PAYLOAD_MAX; -ENOTCONN: it has ended; -ENOMEM
 */
int connection_send(struct connection *connection, uint16_t type, uint16_t flags, uint32_t id,
                    const void *payload, size_t size);

/* True if the peer has closed it, or its sending half; what it sent before may not have been read.
 */
bool connection_has_hung_up(const struct connection *connection);

/* Bytes held for it now. */
size_t connection_held(const struct connection *connection);

/* Reads what is there now, as the loop would: events may come from inside this call, and the
 * connection may be freed by them. Nothing is read while it is paused. */
void connection_poll(struct connection *connection);

/* Stops and resumes reading. What a peer has said that is gone is read all the same: no more comes
 * than the socket holds. */
void connection_pause(struct connection *connection, bool pause);
bool connection_is_paused(const struct connection *connection);

#endif
