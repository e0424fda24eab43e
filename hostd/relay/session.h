/*
 * session: what a frontend has told its backend, kept so that another backend can be told the same.
 *
 * Of every setting the last message is kept, in the order of the last time; a vring that was
 * stopped is not started again.
 */
#ifndef GUESTLINK_HOSTD_RELAY_SESSION_H
#define GUESTLINK_HOSTD_RELAY_SESSION_H

#include "vhost_user.h"

/* Settings, memory regions (at most 509 in QEMU, one each) and vrings of any device. */
#define SESSION_MESSAGES_MAX 1024u

struct session {
    struct session_entry *first, *last;
    size_t count;
};

/* Takes note of a frontend's message; duplicates its descriptors. @return 1: the next backend is
 * told it; 0: it is nothing that has to be told; -errno */
int session_note(struct session *session, const struct vhost_user_message *message);

/*
 * Tells a new backend all of it, without answers, and wakes it up: it goes on where the used ring
 * of each vring in the guest's memory says that the old one stopped. Wakes the guest up, too, for
 * what the old one had answered and not yet announced.
 *
 * @return 0 or -errno; -ETIMEDOUT: it does not read
 */
int session_replay(const struct session *session, int fd);

void session_clear(struct session *session);

#endif
