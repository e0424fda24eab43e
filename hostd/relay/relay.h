/*
 * relay: passes messages between QEMU and a virtiofsd, and puts a second one in the place of one
 * that died.
 */
#ifndef GUESTLINK_HOSTD_RELAY_RELAY_H
#define GUESTLINK_HOSTD_RELAY_RELAY_H

#include "aperture.h"
#include "backend.h"
#include "journal.h"
#include "passage.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A guest makes its rings where it wants, and a confined virtiofsd that has had others ends for
 * that (aperture.h): this often in so long a time, and no more often. A driver that is bound anew
 * does it once, firmware and a kernel once more.
 */
#define RELAY_RENEWALS_MAX 20u
#define RELAY_RENEWALS_MS  60000

/* The status with which the relay ends where there can be no device, or no virtiofsd. */
#define RELAY_EXIT_REFUSED 125

/* The descriptor of the listening socket to which QEMU connects. */
#define RELAY_LISTENER 3

struct relay {
    const char *socket;   /* path of a virtiofsd's own listening socket, there for a moment */
    const char *end_file; /* for end_as() */
    char *const *argv;    /* virtiofsd's */
    struct jail jail;     /* virtiofsd's; without a folder: it makes a sandbox of its own */
    struct journal journal;
    struct backend backend;
    struct aperture aperture;
    struct passage question, answer;
    struct vhost_user_message next; /* goes to virtiofsd after the question */
    bool has_next;
    unsigned renewals; /* of a confined virtiofsd, since then */
    int64_t renewals_since_ms;
    bool second; /* virtiofsd: answers errors alone */
};

#define RELAY_NULL                                                                                 \
    {                                                                                              \
        .journal = JOURNAL_NULL, .aperture = APERTURE_NULL, .backend = BACKEND_NULL                \
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
 *
 * With an aperture, what it does not allow ends this process, with RELAY_EXIT_REFUSED.
 */
void relay_run(struct relay *relay);

#endif
