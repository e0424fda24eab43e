/* relay: passes messages between QEMU and the device's process (kind.h). */
#ifndef GUESTLINK_HOSTD_RELAY_RELAY_H
#define GUESTLINK_HOSTD_RELAY_RELAY_H

#include "aperture.h"
#include "backend.h"
#include "journal.h"
#include "passage.h"

#include <stdbool.h>
#include <stdint.h>

/* The status with which the relay ends where there can be no device, or no process for it. */
#define RELAY_EXIT_REFUSED 125

/* The descriptor of the listening socket to which QEMU connects. */
#define RELAY_LISTENER 3

struct relay {
    const struct kind *kind;
    const char *socket;   /* for backend_start() */
    const char *end_file; /* for end_as() */
    char *const *argv;    /* of the process */
    struct jail jail;     /* where it runs; without a place: it makes its own sandbox */
    struct journal journal;
    struct backend backend;
    struct aperture aperture;
    struct passage question, answer;
    struct vhost_user_message next; /* goes to the process after the question */
    bool has_next;
    unsigned renewals; /* of a confined process, since then */
    int64_t renewals_since_ms;
    bool has_served;   /* the process answered: it can do it, and another one may follow */
    bool may_hold;     /* QEMU was told where a ring stopped whose process died */
    bool resumes_hold; /* relay_hold_resume() is due */
    bool second;       /* of those that do not revive: answers errors alone */
    int pause_ms;      /* before the next that revives */
    int64_t started_ms, revival_ms; /* when it was, and when the next one is to be */
    /* relay_hold.h: the last message that the process was told; when the daemon is to be asked, or
     * 0; where its answer will come, or -1. */
    uint64_t held_sequence;
    int64_t ask_ms;
    int watch;
};

#define RELAY_NULL                                                                                 \
    {                                                                                              \
        .journal = JOURNAL_NULL, .aperture = APERTURE_NULL, .backend = BACKEND_NULL, .watch = -1   \
    }

/*
 * Relays until QEMU is gone, or does not keep to the protocol: half a message and no more of it for
 * PASSAGE_PATIENCE_MS, no reading for as long, a message that there is not. A process that does
 * not is ended, and replaced as one that died; so is one that does not begin to answer for
 * PASSAGE_ANSWER_MS.
 *
 * With an aperture, what it does not allow ends this process, with RELAY_EXIT_REFUSED.
 */
void relay_run(struct relay *relay);

#endif
