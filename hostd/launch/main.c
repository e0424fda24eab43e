/*
 * guestlink-launch: becomes the program that guestlink-hostd asks for.
 *
 * systemd starts one for each connection to guestlink-launch.socket, which root alone can open, in
 * its own unit (guestlink-launch@.service). ../launch.h has the conversation.
 *
 *   descriptor 0: the connection
 *   descriptor 2: for what goes wrong before there is a program
 */
#include "../base/child_exec.h"
#include "../base/launch.h"
#include "../base/streams.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define CONNECTION STDIN_FILENO

/* The daemon asks in the same instant in which it connects; it answers as soon as its loop turns.
 */
#define PATIENCE_S 30

struct request {
    char text[LAUNCH_MESSAGE_SIZE];
    const char *words[LAUNCH_FIELDS + LAUNCH_WORDS + 1];
    int fds[CHILD_FDS_MAX];
    size_t fd_count;
};

_Noreturn static void fail(const char *what, int error)
{
    fprintf(stderr, "guestlink-launch: cannot %s: %s; nothing was started\n", what,
            strerrordesc_np(error));
    exit(EXIT_FAILURE);
}

static ssize_t receive(struct request *request)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(CHILD_FDS_MAX * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = request->text, .iov_len = sizeof(request->text)};
    struct msghdr envelope = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = sizeof(control.space)};
    ssize_t size = recvmsg(CONNECTION, &envelope, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = size < 0 ? NULL : CMSG_FIRSTHDR(&envelope);

    if (size < 0)
        fail("receive the daemon's request", errno);
    if (envelope.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        fail("read the daemon's request", E2BIG);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        request->fd_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(request->fds, CMSG_DATA(header), request->fd_count * sizeof(int));
    }
    return size;
}

/* @param ret_jail  what @p spec points to then, if it asks for one */
static void read_jail(const struct request *request, struct jail *ret_jail, struct child_spec *spec)
{
    const char *const *words = request->words;

    if (!words[LAUNCH_JAIL][0])
        return;
    *ret_jail = (struct jail){.folder = words[LAUNCH_JAIL],
                              .place = words[LAUNCH_JAIL_PLACE],
                              .calls = words[LAUNCH_JAIL_CALLS]};
    if (words[LAUNCH_JAIL_LIBRARY][0])
        ret_jail->library = words[LAUNCH_JAIL_LIBRARY];
    if (ret_jail->folder[0] != '/' || ret_jail->place[0] != '/' ||
        launch_jail_unpack(words[LAUNCH_JAIL_NUMBERS], ret_jail) < 0)
        fail("read the jail in the daemon's request", EINVAL);
    spec->jail = ret_jail;
}

/* Reads the request into @p ret_spec, which points into it. */
static void read_request(struct request *request, struct child_spec *ret_spec)
{
    ssize_t size = receive(request);
    size_t count = 0;
    const char *word = request->text, *end = request->text + size;

    if (size == 0)
        exit(EXIT_SUCCESS);
    if (end[-1] != '\0')
        fail("read the daemon's request", EINVAL);
    for (; word < end && count < LAUNCH_FIELDS + LAUNCH_WORDS; word += strlen(word) + 1)
        request->words[count++] = word;
    if (word < end || count <= LAUNCH_FIELDS ||
        strlen(request->words[LAUNCH_FDS]) != request->fd_count)
        fail("read the daemon's request", EINVAL);

    *ret_spec = (struct child_spec){.argv = request->words + LAUNCH_FIELDS,
                                    .fds = {-1, -1, -1, -1},
                                    .detached = request->words[LAUNCH_DETACHED][0] != '\0'};
    for (size_t i = 0; i < request->fd_count; i++) {
        unsigned int place = (unsigned int)request->words[LAUNCH_FDS][i] - '0';

        if (place >= CHILD_FDS_MAX)
            fail("use a descriptor's number", EINVAL);
        ret_spec->fds[place] = request->fds[i];
    }
    if (request->words[LAUNCH_DIRECTORY][0])
        ret_spec->directory = request->words[LAUNCH_DIRECTORY];
    if (request->words[LAUNCH_RECORD][0])
        ret_spec->record = request->words[LAUNCH_RECORD];
    if (request->words[LAUNCH_FOLDER][0])
        ret_spec->folder = request->words[LAUNCH_FOLDER];
    ret_spec->read_only = request->words[LAUNCH_READ_ONLY][0] != '\0';
}

/* Tells the daemon which process this is. */
static void send_pid(void)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    int32_t pid = getpid();
    struct iovec part = {.iov_base = &pid, .iov_len = sizeof(pid)};
    struct msghdr envelope = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = sizeof(control.space)};
    int pidfd = pidfd_open(pid, 0);

    if (pidfd < 0)
        fail("open a descriptor of this process", errno);
    memcpy(CMSG_DATA(&control.header), &pidfd, sizeof(pidfd));
    if (sendmsg(CONNECTION, &envelope, MSG_NOSIGNAL) < 0)
        exit(EXIT_SUCCESS); /* the daemon does not want it any more */
    (void)close(pidfd);
}

static void wait_for_go(void)
{
    char byte;

    if (recv(CONNECTION, &byte, sizeof(byte), 0) != 1)
        exit(EXIT_SUCCESS);
}

int main(void)
{
    static const struct timeval patience = {.tv_sec = PATIENCE_S};
    static struct request request;
    struct jail jail;
    struct child_spec spec;

    if (streams_open() < 0)
        return EXIT_FAILURE;
    if (setsockopt(CONNECTION, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
        fail("use descriptor 0 as the daemon's connection", errno);
    read_request(&request, &spec);
    read_jail(&request, &jail, &spec);
    send_pid();
    wait_for_go();
    child_exec(&spec);
}
