/* bytes: a buffer of what was not understood, or not sent, yet. */
#include "bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void bytes_clear(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

int bytes_reserve(struct bytes *bytes, size_t capacity)
{
    char *data;

    if (capacity <= bytes->capacity)
        return 0;
    data = realloc(bytes->data, capacity);
    if (!data)
        return -ENOMEM;
    bytes->data = data;
    bytes->capacity = capacity;
    return 0;
}

void bytes_drop_sent(struct bytes *bytes)
{
    if (bytes->sent == 0)
        return;
    bytes->size -= bytes->sent;
    memmove(bytes->data, bytes->data + bytes->sent, bytes->size);
    bytes->sent = 0;
}

ssize_t bytes_send(struct bytes *bytes, int fd)
{
    size_t before = bytes->sent, sent;

    while (bytes->sent < bytes->size) {
        ssize_t n = send(fd, bytes->data + bytes->sent, bytes->size - bytes->sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            return -errno;
        bytes->sent += (size_t)n;
    }
    sent = bytes->sent - before;
    if (bytes->sent == bytes->size)
        bytes_clear(bytes);
    return (ssize_t)sent;
}
