/*
 * kind: what the relay must know of the program behind it.
 */
#ifndef GUESTLINK_HOSTD_RELAY_KIND_H
#define GUESTLINK_HOSTD_RELAY_KIND_H

#include <stdbool.h>
#include <stdint.h>

struct kind {
    const char *name; /* as the daemon and messages have it */
    /* Descriptor 3 is its connection, not a socket at which it listens. */
    bool connected;
    /* Another one goes on where one ended, and serves: the guest loses what was under way. Else
     * another one answers everything with an error (main.c). */
    bool revives;
    bool network;          /* it has the host's network; in a jail else none */
    uint64_t capabilities; /* that it has in its jail */
};

/* @return NULL: there is none of that name */
const struct kind *kind_find(const char *name);

#endif
