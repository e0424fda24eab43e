/*
 * bytes: a buffer of what was not understood, or not sent, yet. All 0 is empty.
 */
#ifndef GUESTLINK_HOSTD_BYTES_H
#define GUESTLINK_HOSTD_BYTES_H

#include <stddef.h>
#include <sys/types.h>

struct bytes {
    char *data;
    size_t size;
    size_t capacity;
    size_t sent; /* of `size`, at the front: bytes_send() */
};

/* Frees what it holds; it is empty then. */
void bytes_clear(struct bytes *bytes);

/* Makes it hold so many bytes in all. @return 0 or -ENOMEM */
int bytes_reserve(struct bytes *bytes, size_t capacity);

/* What was sent leaves the front. */
void bytes_drop_sent(struct bytes *bytes);

/* Sends what the socket takes at once, and clears it when that was all. @return the number of
 * bytes, or -errno */
ssize_t bytes_send(struct bytes *bytes, int fd);

#endif
