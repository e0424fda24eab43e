/* vhost user: messages of the vhost-user protocol, whole, with their file descriptors. */
#include "vhost_user.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEADER_SIZE 12u

union control {
    struct cmsghdr header;
    char data[CMSG_SPACE(sizeof(int) * VHOST_USER_FDS_MAX)];
};

static void take_fds(struct msghdr *header, struct vhost_user_message *message)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        message->fd_count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(message->fds, CMSG_DATA(part), message->fd_count * sizeof(int));
    }
}

/* @return 1; 0: the end came before the first byte; -errno, -ECONNRESET: it came later */
static int receive_all(int fd, void *data, size_t size, struct vhost_user_message *message)
{
    union control control;
    size_t done = 0;

    while (done < size) {
        struct iovec vector = {.iov_base = (char *)data + done, .iov_len = size - done};
        struct msghdr header = {
            .msg_iov = &vector,
            .msg_iovlen = 1,
            .msg_control = &control,
            .msg_controllen = sizeof(control),
        };
        ssize_t n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return done > 0 ? -ECONNRESET : 0;
        if (message->fd_count == 0)
            take_fds(&header, message);
        done += (size_t)n;
    }
    return 1;
}

int vhost_user_receive(int fd, struct vhost_user_message *ret_message)
{
    struct vhost_user_message *message = ret_message;
    uint32_t words[3];
    int r;

    message->fd_count = 0;
    r = receive_all(fd, words, HEADER_SIZE, message);
    if (r > 0) {
        message->request = words[0];
        message->flags = words[1];
        message->size = words[2];
        if (message->size > VHOST_USER_PAYLOAD_MAX)
            r = -EPROTO;
    }
    if (r > 0 && message->size > 0) {
        r = receive_all(fd, message->payload, message->size, message);
        if (r == 0)
            r = -ECONNRESET;
    }
    if (r <= 0)
        vhost_user_close(message);
    return r;
}

int vhost_user_send(int fd, const struct vhost_user_message *message)
{
    uint32_t words[3] = {message->request, message->flags, message->size};
    struct iovec vectors[2] = {
        {.iov_base = words, .iov_len = HEADER_SIZE},
        {.iov_base = (void *)message->payload, .iov_len = message->size},
    };
    union control control = {.data = {0}};
    struct msghdr header = {.msg_iov = vectors, .msg_iovlen = 2};
    ssize_t n;

    if (message->fd_count > 0) {
        struct cmsghdr *part = &control.header;

        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * message->fd_count);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(int) * message->fd_count);
        memcpy(CMSG_DATA(part), message->fds, sizeof(int) * message->fd_count);
    }
    /* A message is far smaller than a socket's buffer: a blocking one takes it whole or fails. */
    do
        n = sendmsg(fd, &header, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == HEADER_SIZE + message->size ? 0 : -EIO;
}

void vhost_user_close(struct vhost_user_message *message)
{
    for (size_t i = 0; i < message->fd_count; i++)
        (void)close(message->fds[i]);
    message->fd_count = 0;
}

bool vhost_user_has_answer(const struct vhost_user_message *message)
{
    switch (message->request) {
    case VHOST_USER_GET_FEATURES:
    case VHOST_USER_GET_VRING_BASE:
    case VHOST_USER_GET_PROTOCOL_FEATURES:
    case VHOST_USER_GET_QUEUE_NUM:
    case VHOST_USER_GET_CONFIG:
    case VHOST_USER_GET_MAX_MEM_SLOTS:
    case VHOST_USER_GET_STATUS:
        return true;
    default:
        return message->flags & VHOST_USER_FLAG_NEED_REPLY;
    }
}
