/*
 * session: what a frontend has told its backend, kept so that another backend can be told the same.
 *
 * Of every setting the last message is kept, in the order of the last time; a vring that was
 * stopped is not started again. That it was stopped is kept, too, but nobody is told.
 */
#ifndef GUESTLINK_HOSTD_RELAY_SESSION_H
#define GUESTLINK_HOSTD_RELAY_SESSION_H

#include "vhost_user.h"

/* Settings, memory regions (at most 509 in QEMU, one each) and vrings of any device. */
#define SESSION_MESSAGES_MAX 1024u

struct session_entry {
    struct session_entry *next;
    uint64_t key;      /* of settings with several instances: vring, region */
    uint64_t sequence; /* a later one has a higher number */
    struct vhost_user_message message;
};

struct session {
    struct session_entry *first, *last;
    size_t count;
    uint64_t sequence; /* of the last */
};

/* Takes note of a frontend's message; duplicates its descriptors. @return 1: the next backend is
 * told it; 0: it is nothing that has to be told; -errno */
int session_note(struct session *session, const struct vhost_user_message *message);

/* The last message of that kind, or NULL. @param key  of a vring: its index; else 0 */
const struct session_entry *session_find(const struct session *session, uint32_t request,
                                         uint64_t key);

void session_clear(struct session *session);

#endif
