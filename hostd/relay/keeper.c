/* keeper: the process that knows all that the relay knows, and takes its place if it is killed. */
#include "keeper.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind {
    KIND_MESSAGE,
    KIND_QEMU,
    KIND_ANSWERED,
    KIND_ENDED,
};

/* Both ends are this program's: a record goes as it stands in memory, whole or not at all
 * (SOCK_SEQPACKET), up to the end of the message's payload. Its descriptors go as descriptors. */
struct record {
    enum kind kind;
    int status; /* waitpid(2)'s, of KIND_ENDED */
    struct {
        uint32_t request, flags, size;
        uint8_t payload[VHOST_USER_PAYLOAD_MAX];
    } message; /* of KIND_MESSAGE */
};

#define RECORD_SIZE_LEAST offsetof(struct record, message.payload)

union control {
    struct cmsghdr header;
    char data[CMSG_SPACE(sizeof(int) * VHOST_USER_FDS_MAX)];
};

/* Blocks until the keeper has room: it does nothing but read. */
static void tell(int keeper, const struct record *record, const int *fds, size_t fd_count)
{
    union control control = {.data = {0}};
    struct iovec part = {.iov_base = (void *)record,
                         .iov_len = RECORD_SIZE_LEAST + record->message.size};
    struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};

    if (keeper < 0)
        return;
    if (fd_count > 0) {
        envelope.msg_control = &control;
        envelope.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
    }
    while (sendmsg(keeper, &envelope, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

void keeper_tell(int keeper, const struct vhost_user_message *message)
{
    struct record record = {.kind = KIND_MESSAGE};

    record.message.request = message->request;
    record.message.flags = message->flags;
    record.message.size = message->size;
    memcpy(record.message.payload, message->payload, message->size);
    tell(keeper, &record, message->fds, message->fd_count);
}

void keeper_tell_qemu(int keeper, int qemu)
{
    if (qemu >= 0)
        tell(keeper, &(struct record){.kind = KIND_QEMU}, &qemu, 1);
}

void keeper_tell_answered(int keeper)
{
    tell(keeper, &(struct record){.kind = KIND_ANSWERED}, NULL, 0);
}

void keeper_tell_ended(int keeper, int status)
{
    tell(keeper, &(struct record){.kind = KIND_ENDED, .status = status}, NULL, 0);
    if (keeper >= 0)
        (void)close(keeper);
}

/* Waits for the next record. @return false at the relay's end */
static bool hear(int connection, struct record *record, struct vhost_user_message *message)
{
    union control control;
    struct iovec part = {.iov_base = record, .iov_len = sizeof(*record)};
    struct msghdr envelope = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control)};
    const struct cmsghdr *header;
    ssize_t n;

    do
        n = recvmsg(connection, &envelope, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < (ssize_t)RECORD_SIZE_LEAST || (size_t)n != RECORD_SIZE_LEAST + record->message.size)
        return false;
    header = CMSG_FIRSTHDR(&envelope);
    message->fd_count = header ? (header->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
    if (header)
        memcpy(message->fds, CMSG_DATA(header), message->fd_count * sizeof(int));
    message->request = record->message.request;
    message->flags = record->message.flags;
    message->size = record->message.size;
    memcpy(message->payload, record->message.payload, record->message.size);
    return true;
}

static void take(struct relay *relay, const struct record *record,
                 struct vhost_user_message *message)
{
    switch (record->kind) {
    case KIND_MESSAGE:
        relay_note(relay, message);
        break;
    case KIND_QEMU:
        if (message->fd_count != 1)
            break;
        relay->qemu = message->fds[0];
        message->fd_count = 0;
        break;
    case KIND_ANSWERED:
        relay->is_asked = false;
        break;
    case KIND_ENDED:
        relay_end_as(relay, record->status);
    }
    vhost_user_close(message);
}

/* Returns in the process that takes the killed one's place. */
static void keep(struct relay *relay, int connection, pid_t worker)
{
    static struct vhost_user_message message;
    static struct record record;
    struct backend orphans = BACKEND_NULL;
    int status;

    while (hear(connection, &record, &message))
        take(relay, &record, &message);
    orphans.fd = connection;
    orphans.pid = worker;
    status = backend_end(&orphans);
    if (WIFEXITED(status) || relay->qemu < 0)
        relay_end_as(relay, status);
    (void)dprintf(STDERR_FILENO, "the relay was killed, and virtiofsd with it\n");
    if (fork() != 0)
        relay_end_as(relay, status);
    relay_begin_second(relay);
}

int keeper_split(struct relay *relay)
{
    int ends[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    /* What a killed relay leaves becomes the keeper's, which then ends it. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid = fork();
    if (pid < 0) {
        int r = -errno;

        (void)close(ends[0]);
        (void)close(ends[1]);
        return r;
    }
    (void)close(ends[pid == 0 ? 0 : 1]);
    relay->keeper = pid == 0 ? ends[1] : -1;
    if (pid > 0)
        keep(relay, ends[0], pid);
    return 0;
}
