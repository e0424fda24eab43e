/*
 * end: how a process of the relay's ends, and how the daemon, which is not its parent, learns it.
 */
#ifndef GUESTLINK_HOSTD_RELAY_END_H
#define GUESTLINK_HOSTD_RELAY_END_H

/*
 * Notes how a process ended that another one follows: "signal 9" or "status 1". Whoever watches the
 * file's folder sees IN_MOVED_TO with its name.
 *
 * @param status  waitpid(2)'s
 */
void end_note(const char *file, int status);

/*
 * Ends this process as another one did, and notes how, likewise; without a move.
 *
 * @param file    where to note it, or NULL: nowhere
 * @param status  waitpid(2)'s
 */
_Noreturn void end_as(const char *file, int status);

#endif
