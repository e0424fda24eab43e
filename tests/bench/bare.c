/*
 * bare: the least server that answers a handshake, a yardstick for guestlink-hostd.
 *
 * Listens on DIRECTORY/0 … DIRECTORY/<count - 1>, as hostd does for VMs with sockets of their own,
 * reads 192 bytes from each connection and answers a WELCOME; one epoll, no checks, no log, no
 * state. Says "ready" on its standard output.
 *
 *     bare DIRECTORY COUNT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BARE_FRAME  192u
#define BARE_EVENTS 64

/* A connection or a listening socket: what has arrived of its frame. */
struct bare {
    int fd;
    int listens;
    size_t size;
    unsigned char frame[BARE_FRAME];
};

static void bare_watch(int epoll, int fd, int listens)
{
    struct bare *bare = calloc(1, sizeof(*bare));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = bare};

    if (!bare)
        abort();
    bare->fd = fd;
    bare->listens = listens;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        abort();
}

static void bare_listen(int epoll, const char *directory, int number)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%d", directory, number);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, 1024) < 0) {
        perror(address.sun_path);
        exit(1);
    }
    bare_watch(epoll, fd, 1);
}

static void bare_accept(int epoll, const struct bare *bare)
{
    int fd = accept4(bare->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0)
        bare_watch(epoll, fd, 0);
}

static void bare_read(struct bare *bare)
{
    static const unsigned char welcome[16 + 14 + 2] = {'G', 'L', 'N', 'K', 2, 0,  1, 0, 16,  0,  0,
                                                       0,   1,   0,   0,   0, 14, 0, 0, 0,   1,  0,
                                                       0,   0,   0,   0,   0, 0,  2, 0, 'v', 'm'};
    unsigned char rest[4096];
    int whole = bare->size == BARE_FRAME;
    ssize_t size = whole ? read(bare->fd, rest, sizeof(rest))
                         : read(bare->fd, bare->frame + bare->size, BARE_FRAME - bare->size);

    if (size <= 0) {
        (void)close(bare->fd);
        free(bare);
        return;
    }
    if (whole)
        return;
    bare->size += (size_t)size;
    if (bare->size == BARE_FRAME &&
        send(bare->fd, welcome, sizeof(welcome), MSG_NOSIGNAL) != (ssize_t)sizeof(welcome))
        (void)shutdown(bare->fd, SHUT_RDWR);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    int epoll = epoll_create1(EPOLL_CLOEXEC), count = argc == 3 ? atoi(argv[2]) : 0;
    struct epoll_event events[BARE_EVENTS];

    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    for (int number = 0; number < count; number++)
        bare_listen(epoll, argv[1], number);
    (void)puts("ready");
    (void)fflush(stdout);
    for (;;) {
        int found = epoll_wait(epoll, events, BARE_EVENTS, -1);

        for (int at = 0; at < found; at++) {
            struct bare *bare = events[at].data.ptr;

            if (bare->listens)
                bare_accept(epoll, bare);
            else
                bare_read(bare);
        }
    }
}
