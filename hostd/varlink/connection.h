/*
 * varlink connection: one client, its bytes in and out, and the call that it waits for.
 */
#ifndef GUESTLINK_HOSTD_VARLINK_CONNECTION_H
#define GUESTLINK_HOSTD_VARLINK_CONNECTION_H

#include "message.h"
#include "varlink.h"

struct varlink_connection;

struct varlink_connection_events {
    /* A call arrived. message->parameters is an object, whatever was sent. */
    void (*called)(void *userdata, struct varlink_call *call,
                   const struct varlink_message *message);
    /* It ended; varlink_connection_free() is now due. Never from inside `called`. */
    void (*closed)(void *userdata, struct varlink_connection *connection);
};

/* @param fd  consumed whatever happens; made non-blocking. @return 0 or -errno */
int varlink_connection_new(sd_event *event, int fd, const struct varlink_connection_events *events,
                           void *userdata, struct varlink_connection **ret_connection);

/* Closes it; an open call is told by its closed function. @return NULL */
struct varlink_connection *varlink_connection_free(struct varlink_connection *connection);

/* Where its owner links it into a list. */
struct varlink_connection **varlink_connection_next(struct varlink_connection *connection);

#endif
