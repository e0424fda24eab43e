/*
 * kmsg played: what PID 1 logs is the test's.
 */
#ifndef GUESTLINK_TESTS_KMSG_PLAYED_H
#define GUESTLINK_TESTS_KMSG_PLAYED_H

/* Each line behind its level and a blank; a test empties it. */
extern char kmsg_played[8192];

/* Fails unless that is all that was logged since the last call. */
void kmsg_expect(const char *lines);

#endif
