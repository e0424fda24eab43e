/*
 * Stands where a virtiofsd is expected, and lies to QEMU: one lie, whose name is in the file LIE of
 * the share. To everything else it gives the least answer that a vhost-user backend may give. What
 * it is sent goes to FORGER_LOG in the share, a line for each message:
 *
 *   REQUEST SIZE DESCRIPTORS SEALS     (of the first descriptor, -1: it is no memfd)
 *   lied
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define LIE        "lie"
#define FORGER_LOG "forger.log"

#define LISTENER 3
#define VERSION  1u
#define REPLY    4u
#define ASKS     8u

/* docs/interop/vhost-user.rst of QEMU */
enum {
    GET_FEATURES = 1,
    SET_MEM_TABLE = 5,
    GET_VRING_BASE = 11,
    GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16,
    GET_QUEUE_NUM = 17,
    GET_INFLIGHT_FD = 31
};

#define FEATURES          (UINT64_C(1) << 32 | UINT64_C(1) << 30)
#define LOG_ALL           (UINT64_C(1) << 26)
#define PROTOCOL_FEATURES (UINT64_C(1) << 3) /* REPLY_ACK */

/* What makes the daemon take it for QEMU's virtiofsd, which goes into a jail. */
static const char *volatile kind = "sandbox=namespace|chroot";

struct message {
    uint32_t request, flags, size;
    uint8_t payload[4096];
    int fds[8];
    size_t fd_count;
};

static char lie[64];
static FILE *journal;

/* Whether that is the lie; it is told then. */
static int is(const char *name)
{
    if (strcmp(lie, name) != 0)
        return 0;
    fprintf(journal, "lied\n");
    return 1;
}

static int receive(int fd, struct message *message)
{
    char control[CMSG_SPACE(sizeof(message->fds))];
    struct iovec part = {message, 12};
    struct msghdr envelope = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = sizeof(control)};
    const struct cmsghdr *header;

    message->fd_count = 0;
    if (recvmsg(fd, &envelope, MSG_WAITALL | MSG_CMSG_CLOEXEC) != 12 || message->size > 4096)
        return 0;
    header = CMSG_FIRSTHDR(&envelope);
    if (header && header->cmsg_type == SCM_RIGHTS) {
        message->fd_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(message->fds, CMSG_DATA(header), message->fd_count * sizeof(int));
    }
    return message->size == 0 ||
           recv(fd, message->payload, message->size, MSG_WAITALL) == (ssize_t)message->size;
}

/* @param with  a descriptor that goes with it, or -1 */
static void say(int fd, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
                int with)
{
    uint32_t header[] = {request, flags, size};
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec parts[] = {{header, sizeof(header)}, {(void *)payload, size}};
    struct msghdr envelope = {.msg_iov = parts, .msg_iovlen = 2};

    if (with >= 0) {
        struct cmsghdr *part = (struct cmsghdr *)control;

        envelope.msg_control = control;
        envelope.msg_controllen = sizeof(control);
        *part = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(part), &with, sizeof(with));
    }
    (void)!sendmsg(fd, &envelope, MSG_NOSIGNAL);
}

static int memory(void)
{
    int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    (void)!ftruncate(fd, 1 << 20);
    return fd;
}

/* A request of its own, on the connection that is QEMU's for asking. */
static void ask(int fd, uint32_t request, uint32_t size, int with)
{
    static const uint8_t payload[256] = {1};

    say(fd, request, VERSION, payload, size, with);
}

/* What nobody asked for. @return true if that was the lie */
static int speak_up(int fd)
{
    static const uint64_t zero = 0;
    static const struct {
        const char *name;
        uint32_t request, size; /* of a backend's own requests */
        int with;
    } requests[] = {
        {"iotlb", 1, 40, 0},         {"config-change", 2, 0, 0},  {"host-notifier", 3, 24, 1},
        {"vring-call", 4, 8, 0},     {"vring-error", 5, 8, 0},    {"object-add", 6, 16, 0},
        {"object-remove", 7, 16, 0}, {"object-lookup", 8, 16, 1}, {"shmem-map", 9, 40, 1},
        {"shmem-unmap", 10, 40, 0},  {"not-there", 200, 8, 1}};

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        if (!is(requests[i].name))
            continue;
        ask(fd, requests[i].request, requests[i].size, requests[i].with ? memory() : -1);
        return 1;
    }
    if (is("unasked"))
        say(fd, GET_FEATURES, VERSION | REPLY, &zero, sizeof(zero), -1);
    if (is("unasked-memory"))
        say(fd, GET_INFLIGHT_FD, VERSION | REPLY, &zero, sizeof(zero), memory());
    return is("unasked") || is("unasked-memory");
}

/* The answer to GET_FEATURES, which is where most lies are told. */
static void answer_features(int fd)
{
    static const uint8_t much[4096] = {1};
    uint64_t features = FEATURES | (is("log-all") ? LOG_ALL : 0) | (is("all-features") ? ~0ULL : 0);
    uint32_t request = is("other-answer") ? GET_QUEUE_NUM : GET_FEATURES;
    uint32_t flags = VERSION | REPLY;

    if (is("no-answer"))
        flags = VERSION;
    if (is("other-version"))
        flags = REPLY | 2;
    if (is("short") || is("empty"))
        say(fd, request, flags, &features, is("short") ? 4 : 0, -1);
    else if (is("long"))
        say(fd, request, flags, much, sizeof(much), -1);
    else
        say(fd, request, flags, &features, sizeof(features), is("descriptor") ? memory() : -1);
    if (is("twice"))
        say(fd, request, flags, &features, sizeof(features), -1);
}

static void answer(int fd, const struct message *message)
{
    uint64_t value = 0;

    switch (message->request) {
    case GET_FEATURES:
        answer_features(fd);
        return;
    case GET_PROTOCOL_FEATURES:
        value = PROTOCOL_FEATURES | (is("all-protocol-features") ? ~0ULL : 0);
        break;
    case GET_INFLIGHT_FD:
        if (is("inflight")) {
            const uint64_t region[] = {1 << 20, 0, 2 | 128 << 16};

            say(fd, message->request, VERSION | REPLY, region, 20, memory());
            return;
        }
        break;
    case GET_QUEUE_NUM:
    case GET_VRING_BASE:
        if (is("short-base")) {
            say(fd, message->request, VERSION | REPLY, &value, 4, -1);
            return;
        }
        break;
    default:
        if (!(message->flags & ASKS))
            return;
    }
    say(fd, message->request, VERSION | REPLY, &value, sizeof(value), -1);
}

int main(int argc, char *argv[])
{
    struct message message;
    int folder = -1, connection, file;

    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "source=", 7) == 0)
            folder = open(argv[i] + 7, O_PATH | O_DIRECTORY);
    file = openat(folder, LIE, O_RDONLY);
    if (!kind || folder < 0 || file < 0 || read(file, lie, sizeof(lie) - 1) < 1)
        return 1;
    journal = fdopen(openat(folder, FORGER_LOG, O_WRONLY | O_CREAT | O_APPEND, 0644), "a");
    connection = accept4(LISTENER, NULL, NULL, SOCK_CLOEXEC);
    if (!journal)
        return 1;
    setlinebuf(journal);
    while (receive(connection, &message)) {
        fprintf(journal, "%u %u %zu %d\n", message.request, message.size, message.fd_count,
                message.fd_count > 0 ? fcntl(message.fds[0], F_GET_SEALS) : -1);
        for (size_t i = 0; i < message.fd_count; i++)
            (void)close(message.fds[i]);
        answer(connection, &message);
        if (message.request == SET_MEM_TABLE)
            (void)speak_up(connection);
    }
    return 0;
}
