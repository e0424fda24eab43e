/* vhost user: messages of the vhost-user protocol, whole, with their file descriptors. */
#include "vhost_user.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control {
    struct cmsghdr header;
    char data[CMSG_SPACE(sizeof(int) * VHOST_USER_FDS_MAX)];
};

/* They may come with any part of a message. Those that are too many are closed. @return 0 or
 * -EPROTO */
static int take_fds(struct msghdr *header, struct vhost_user_message *message)
{
    bool too_many = header->msg_flags & MSG_CTRUNC;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(part) + i * sizeof(fd), sizeof(fd));
            if (message->fd_count < VHOST_USER_FDS_MAX) {
                message->fds[message->fd_count++] = fd;
            } else {
                (void)close(fd);
                too_many = true;
            }
        }
    }
    return too_many ? -EPROTO : 0;
}

/* Reads up to @p size bytes more. @return how many, 0: none are there yet; -errno */
static ssize_t receive_part(int fd, struct vhost_user_message *message, void *data, size_t size)
{
    union control control;
    struct iovec vector = {.iov_base = data, .iov_len = size};
    struct msghdr header = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    ssize_t n;
    int r;

    do
        n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    r = take_fds(&header, message);
    if (r < 0)
        return r;
    if (n == 0)
        return message->received > 0 ? -ECONNRESET : -EPIPE;
    message->received += (size_t)n;
    return n;
}

/* @return 0, or -EPROTO */
static int read_header(struct vhost_user_message *message)
{
    uint32_t words[3];

    memcpy(words, message->header, sizeof(words));
    message->request = words[0];
    message->flags = words[1];
    message->size = words[2];
    return message->request < 1 || message->request > VHOST_USER_REQUEST_LAST ||
                   message->size > VHOST_USER_PAYLOAD_MAX
               ? -EPROTO
               : 0;
}

/* Never more than belongs to this message: the descriptors of the next one come with its bytes. */
static ssize_t receive_more(int fd, struct vhost_user_message *message)
{
    size_t done = message->received;
    ssize_t n;

    if (done >= VHOST_USER_HEADER_SIZE) {
        done -= VHOST_USER_HEADER_SIZE;
        return receive_part(fd, message, message->payload + done, message->size - done);
    }
    n = receive_part(fd, message, message->header + done, VHOST_USER_HEADER_SIZE - done);
    if (message->received == VHOST_USER_HEADER_SIZE && n > 0 && read_header(message) < 0)
        return -EPROTO;
    return n;
}

static bool is_whole(const struct vhost_user_message *message)
{
    return message->received >= VHOST_USER_HEADER_SIZE &&
           message->received == VHOST_USER_HEADER_SIZE + message->size;
}

int vhost_user_receive(int fd, struct vhost_user_message *message)
{
    ssize_t n;

    if (message->received == 0)
        message->fd_count = 0;
    do
        n = receive_more(fd, message);
    while (n > 0 && !is_whole(message));
    if (n < 0)
        vhost_user_close(message);
    return n < 0 ? (int)n : n > 0;
}

int vhost_user_send(int fd, const struct vhost_user_message *message)
{
    uint32_t words[3] = {message->request, message->flags, message->size};
    struct iovec vectors[2] = {
        {.iov_base = words, .iov_len = VHOST_USER_HEADER_SIZE},
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
    /* A message is far smaller than a socket's buffer, which takes it whole or not at all. */
    do
        n = sendmsg(fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return (size_t)n == VHOST_USER_HEADER_SIZE + message->size ? 0 : -EIO;
}

void vhost_user_close(struct vhost_user_message *message)
{
    for (size_t i = 0; i < message->fd_count; i++)
        (void)close(message->fds[i]);
    message->fd_count = 0;
    message->received = 0;
}

bool vhost_user_read(const struct vhost_user_message *message, size_t offset, void *data,
                     size_t size)
{
    if (offset + size > message->size)
        return false;
    memcpy(data, message->payload + offset, size);
    return true;
}

bool vhost_user_asks(uint32_t request)
{
    switch (request) {
    case VHOST_USER_GET_FEATURES:
    case VHOST_USER_SET_LOG_BASE:
    case VHOST_USER_GET_VRING_BASE:
    case VHOST_USER_GET_PROTOCOL_FEATURES:
    case VHOST_USER_GET_QUEUE_NUM:
    case VHOST_USER_GET_CONFIG:
    case VHOST_USER_CREATE_CRYPTO_SESSION:
    case VHOST_USER_POSTCOPY_ADVISE:
    case VHOST_USER_POSTCOPY_END:
    case VHOST_USER_GET_INFLIGHT_FD:
    case VHOST_USER_GET_MAX_MEM_SLOTS:
    case VHOST_USER_GET_STATUS:
    case VHOST_USER_GET_SHARED_OBJECT:
    case VHOST_USER_SET_DEVICE_STATE_FD:
    case VHOST_USER_CHECK_DEVICE_STATE:
    case VHOST_USER_GET_SHMEM_CONFIG:
        return true;
    default:
        return false;
    }
}

bool vhost_user_has_answer(const struct vhost_user_message *message)
{
    return vhost_user_asks(message->request) || message->flags & VHOST_USER_FLAG_NEED_REPLY;
}
