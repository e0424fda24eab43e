/*
 * replay: tells a new backend what the one before it was told.
 */
#ifndef GUESTLINK_HOSTD_RELAY_REPLAY_H
#define GUESTLINK_HOSTD_RELAY_REPLAY_H

#include "aperture.h"
#include "session.h"

/*
 * Asks a new backend what it can do, if the session has what that is about, tells it all of the
 * session, without answers, and wakes it up: it goes on where the used
 * ring of each vring in the guest's memory says that the old one stopped. Wakes the guest up, too,
 * for what the old one had answered and not yet announced.
 *
 * @param aperture    what is in force: the backend gets no more than that
 * @param ret_reason  of an aperture that cannot be had, or NULL; static
 * @return 0 or -errno; -ETIMEDOUT: it does not read, or answer; -EPROTO: it answers something else
 */
int replay_session(const struct session *session, struct aperture *aperture, int fd,
                   const char **ret_reason);

/*
 * Tells a backend with an aperture, whose rings have all stopped, what came after: it goes on where
 * the frontend says.
 *
 * @param since  the sequence (session.h) of the last message that it was told
 * @return 0; -ESTALE: it has memory that it must not have any more; or as replay_session()
 */
int replay_since(const struct session *session, struct aperture *aperture, uint64_t since, int fd,
                 const char **ret_reason);

/* Where a vring goes on that nobody works on: what is used up is done, what came after is not.
 * @return 0; -ENOENT: it has no place; -EFAULT: which is not in the guest's memory */
int replay_find_base(const struct session *session, uint64_t vring, uint32_t *ret_index);

/* As if the other side of a vring had said that there is something new: none is harmless.
 * @param message  SET_VRING_KICK or SET_VRING_CALL */
void replay_announce(const struct vhost_user_message *message);

#endif
