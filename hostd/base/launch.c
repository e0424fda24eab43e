/* launch: starts a program outside the daemon's own unit. */
#include "launch.h"

#include "fd.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct message {
    char text[LAUNCH_MESSAGE_SIZE];
    size_t size;
};

bool launch_is_wanted(void)
{
    const char *path = getenv(LAUNCH_VARIABLE);

    return path && path[0];
}

static int add(struct message *message, const char *text)
{
    size_t size = strlen(text) + 1;

    if (size > sizeof(message->text) - message->size)
        return -E2BIG;
    memcpy(message->text + message->size, text, size);
    message->size += size;
    return 0;
}

static int connect_to_launcher(void)
{
    const char *path = getenv(LAUNCH_VARIABLE);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    FD fd = -1;

    if (!path || strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return fd_take(&fd);
}

/* @return the number of descriptors, their new numbers in @p digits */
static size_t collect_fds(const struct child_spec *spec, int fds[CHILD_FDS_MAX],
                          char digits[CHILD_FDS_MAX + 1])
{
    size_t count = 0;

    for (size_t i = 0; i < CHILD_FDS_MAX; i++) {
        if (spec->fds[i] < 0)
            continue;
        digits[count] = (char)('0' + i);
        fds[count++] = spec->fds[i];
    }
    digits[count] = '\0';
    return count;
}

static int send_message(int connection, struct message *message, const int *fds, size_t count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(CHILD_FDS_MAX * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = message->text, .iov_len = message->size};
    struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};

    if (count > 0) {
        envelope.msg_control = control.space;
        envelope.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    }
    return sendmsg(connection, &envelope, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int launch_ask(const struct child_spec *spec)
{
    struct message message = {.size = 0};
    static const struct jail none = {.folder = "", .place = "", .calls = ""};
    const struct jail *jail = spec->jail ? spec->jail : &none;
    char digits[CHILD_FDS_MAX + 1], numbers[LAUNCH_NUMBERS_SIZE];
    int fds[CHILD_FDS_MAX];
    size_t count = collect_fds(spec, fds, digits);
    const char *fields[LAUNCH_FIELDS] = {
        [LAUNCH_FDS] = digits,
        [LAUNCH_DIRECTORY] = spec->directory ? spec->directory : "",
        [LAUNCH_RECORD] = spec->record ? spec->record : "",
        [LAUNCH_FOLDER] = spec->folder ? spec->folder : "",
        [LAUNCH_READ_ONLY] = spec->read_only ? "1" : "",
        [LAUNCH_DETACHED] = spec->detached ? "1" : "",
        [LAUNCH_JAIL] = jail->folder,
        [LAUNCH_JAIL_PLACE] = jail->place,
        [LAUNCH_JAIL_NUMBERS] = numbers,
        [LAUNCH_JAIL_LIBRARY] = jail->library ? jail->library : "",
        [LAUNCH_JAIL_CALLS] = jail->calls,
    };
    FD connection = -1;
    int r = 0;

    launch_jail_pack(jail, numbers);
    for (size_t i = 0; r == 0 && i < LAUNCH_FIELDS; i++)
        r = add(&message, fields[i]);
    for (size_t i = 0; r == 0 && spec->argv[i]; i++)
        r = i < LAUNCH_WORDS ? add(&message, spec->argv[i]) : -E2BIG;
    if (r < 0)
        return r;
    connection = connect_to_launcher();
    if (connection < 0)
        return connection;
    r = send_message(connection, &message, fds, count);
    return r < 0 ? r : fd_take(&connection);
}

int launch_finish(int connection, pid_t *ret_pid, int *ret_pidfd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    int32_t pid;
    struct iovec part = {.iov_base = &pid, .iov_len = sizeof(pid)};
    struct msghdr envelope = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = sizeof(control.space)};
    ssize_t n = recvmsg(connection, &envelope, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = n < 0 ? NULL : CMSG_FIRSTHDR(&envelope);
    int pidfd;

    if (n < 0)
        return -errno;
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return -ECONNRESET;
    memcpy(&pidfd, CMSG_DATA(header), sizeof(pidfd));
    if (n != sizeof(pid) || pid <= 1 || send(connection, "", 1, MSG_NOSIGNAL) != 1) {
        (void)close(pidfd);
        return -ECONNRESET;
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}
