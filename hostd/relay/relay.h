/*
 * relay: passes messages between QEMU and a virtiofsd, and puts a second one in the place of one
 * that died.
 */
#ifndef GUESTLINK_HOSTD_RELAY_RELAY_H
#define GUESTLINK_HOSTD_RELAY_RELAY_H

#include "backend.h"
#include "passage.h"
#include "session.h"

#include <stdbool.h>

/* The descriptor of the listening socket to which QEMU connects. */
#define RELAY_LISTENER 3

struct relay {
    const char *socket;   /* path of a virtiofsd's own listening socket, there for a moment */
    const char *end_file; /* see relay_end_as() */
    char *const *argv;    /* virtiofsd's */
    struct jail jail;     /* virtiofsd's; without a folder: it makes a sandbox of its own */
    int keeper;           /* hears all that a successor must know; -1: there is none */
    int qemu;             /* -1: has not come yet */
    struct backend backend;
    struct session session;
    struct passage question, answer;
    struct vhost_user_message asked; /* the question that waits for its answer */
    bool is_asked;                   /* until it came, nothing more of QEMU's is read */
    bool is_setting;                 /* the question: the session has it, too */
    bool is_forgetful;               /* a message could not be remembered */
    bool second;                     /* virtiofsd: answers errors alone */
};

#define RELAY_NULL                                                                                 \
    {                                                                                              \
        .keeper = -1, .qemu = -1, .backend = BACKEND_NULL                                          \
    }

/* Starts a virtiofsd. @return 0 or -errno */
int relay_start_backend(struct relay *relay);

/* Remembers a message of QEMU's. */
void relay_note(struct relay *relay, const struct vhost_user_message *message);

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

/*
 * Ends this process as another one did, and notes in relay->end_file how, for a daemon that is not
 * its parent: "signal 9" or "status 1".
 *
 * @param status  waitpid(2)'s
 */
_Noreturn void relay_end_as(const struct relay *relay, int status);

#endif
