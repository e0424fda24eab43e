/*
 * passage: one way between two connections, for one message at a time. What was begun must go on in
 * time, to be read as well as to be written; until then it holds up nobody else.
 */
#ifndef GUESTLINK_HOSTD_RELAY_PASSAGE_H
#define GUESTLINK_HOSTD_RELAY_PASSAGE_H

#include "vhost_user.h"

#include <stdbool.h>
#include <stdint.h>

/* From a message's first byte to its last, and from there until the other side has taken it. Both
 * sides write a message in one or two calls, and read whenever they wait for nothing else. */
#define PASSAGE_PATIENCE_MS 5000

/* From a question until its answer begins. QEMU waits meanwhile: its monitor stands
 * still, and soon its VM; but virtiofsd may itself be waiting for a disk. */
#define PASSAGE_ANSWER_MS 30000

/* As an empty one, all zero. */
struct passage {
    struct vhost_user_message message;
    bool is_whole;       /* the message waits to be passed on; nothing is read meanwhile */
    bool is_awaited;     /* what is to come was asked for */
    int64_t deadline_ms; /* for what was begun, or is awaited; only then */
};

/* Reads on. @return 1: the message is whole, 0: it is not, -errno as vhost_user_receive() */
int passage_read(struct passage *passage, int from);

/* Puts a message in, which is then whole, in the place of what was read of another one. @param
 * message  not the passage's own; its descriptors are the passage's from now on */
void passage_put(struct passage *passage, const struct vhost_user_message *message);

/* The question has left: what is to come, of which there is nothing yet, is waited for. */
void passage_await(struct passage *passage);

/* Passes the message on, if it is whole; then the passage is empty. @return 0, also if it has to
 * wait; -errno */
int passage_write(struct passage *passage, int to);

/* How long poll(2) may wait. @return milliseconds, -1: forever */
int passage_timeout(const struct passage *passage);

/* Empties it. */
void passage_clear(struct passage *passage);

#endif
