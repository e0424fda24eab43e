/*
 * relay: passes messages between QEMU and a virtiofsd, and puts a second one in the place of one
 * that died.
 */
#ifndef GUESTLINK_HOSTD_RELAY_RELAY_H
#define GUESTLINK_HOSTD_RELAY_RELAY_H

#include "backend.h"
#include "journal.h"
#include "passage.h"

#include <stdbool.h>

/* The descriptor of the listening socket to which QEMU connects. */
#define RELAY_LISTENER 3

struct relay {
    const char *socket;   /* path of a virtiofsd's own listening socket, there for a moment */
    const char *end_file; /* for end_as() */
    char *const *argv;    /* virtiofsd's */
    struct jail jail;     /* virtiofsd's; without a folder: it makes a sandbox of its own */
    struct journal journal;
    struct backend backend;
    struct passage question, answer;
    bool second; /* virtiofsd: answers errors alone */
};

#define RELAY_NULL                                                                                 \
    {                                                                                              \
        .journal = JOURNAL_NULL, .backend = BACKEND_NULL                                           \
    }

/* Starts a virtiofsd. @return 0 or -errno */
int relay_start_backend(struct relay *relay);

/*
 * Sets up a second virtiofsd as the first one was. For a frontend that is connected.
 *
 * Whoever stops the unit that this runs in (systemd does when its first process ends) must not take
 * it away before the guest is done: neither it nor the relay heeds SIGTERM.
 */
void relay_begin_second(struct relay *relay);

/*
 * Relays until QEMU is gone, or does not keep to the protocol: half a message and no more of it for
 * PASSAGE_PATIENCE_MS, no reading for as long, a message that there is not. A virtiofsd that does
 * not is ended, and replaced as one that died.
 */
void relay_run(struct relay *relay);

#endif
