/*
 * keeper: the process that knows all that the relay knows, and takes its place if it is killed.
 *
 * It is the relay's parent and the one that the daemon watches. The relay tells it, in records that
 * hold nothing of QEMU's but as the message of the first:
 *
 *     relay -> keeper    QEMU said this (with the descriptors that came with it)
 *     relay -> keeper    QEMU came (its connection comes along)
 *     relay -> keeper    the question was answered
 *     relay -> keeper    virtiofsd ended, thus; the relay goes on, the keeper ends in the same way
 */
#ifndef GUESTLINK_HOSTD_RELAY_KEEPER_H
#define GUESTLINK_HOSTD_RELAY_KEEPER_H

#include "relay.h"

/*
 * Makes this process the keeper of a new one. Returns in that one, with relay->keeper; or, when
 * that was killed while QEMU was connected, in yet another, which has a second virtiofsd already.
 * The keeper itself ends as virtiofsd or the relay does.
 *
 * @return 0 or -errno
 */
int keeper_split(struct relay *relay);

/* @param keeper  -1: nothing is done. One that is gone is no error. */
void keeper_tell(int keeper, const struct vhost_user_message *message);
void keeper_tell_qemu(int keeper, int qemu);
void keeper_tell_answered(int keeper);
/* @param status  waitpid(2)'s. It closes the connection: there is no keeper from then on. */
void keeper_tell_ended(int keeper, int status);

#endif
