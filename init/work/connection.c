/* connection: two ways, each with its own buffer, so that none waits for the other. */
#include "connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "protocol/limits.h"

#define SOCKET 3

union address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un local;
};

/* @return its size, 0: it is none */
static socklen_t parse_inet(const char *text, union address *address)
{
    bool is_ipv6 = text[0] == '[';
    const char *begin = text + is_ipv6, *end = strrchr(text, ':');
    char name[INET6_ADDRSTRLEN], *rest;
    unsigned long port;

    if (!end || end[1] < '1' || end[1] > '9')
        return 0;
    port = strtoul(end + 1, &rest, 10);
    if (*rest || port > UINT16_MAX)
        return 0;
    if (is_ipv6 && *--end != ']')
        return 0;
    if (end < begin || (size_t)(end - begin) >= sizeof(name))
        return 0;
    memcpy(name, begin, (size_t)(end - begin));
    name[end - begin] = '\0';
    if (is_ipv6) {
        address->ipv6 =
            (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        return inet_pton(AF_INET6, name, &address->ipv6.sin6_addr) == 1 ? sizeof(address->ipv6) : 0;
    }
    address->ipv4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, name, &address->ipv4.sin_addr) == 1 ? sizeof(address->ipv4) : 0;
}

static socklen_t parse(const char *text, union address *address)
{
    size_t size = strlen(text);

    if (text[0] != '/')
        return parse_inet(text, address);
    if (size >= sizeof(address->local.sun_path))
        return 0;
    address->local = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->local.sun_path, text, size + 1);
    return sizeof(address->local);
}

int connection_open(const char *text)
{
    static const struct timeval patience = {.tv_sec = INIT_CONNECTION_MS / 1000};
    union address address;
    socklen_t size = parse(text, &address);
    FD_CLOSE int fd = -1;

    if (size == 0)
        return -EINVAL;
    fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
        return -errno;
    if (connect(fd, &address.any, size) < 0)
        return errno == EAGAIN || errno == EINPROGRESS ? -ETIMEDOUT : -errno;
    return fd_take(&fd);
}

struct way {
    int from, to; /* to is -1 once it is closed */
    bool ended;   /* nothing more comes from there */
    size_t size, sent;
    char data[LIMITS_STREAM_CHUNK];
};

static void close_to(struct way *way)
{
    if (way->to == SOCKET)
        (void)shutdown(SOCKET, SHUT_WR);
    else if (way->to >= 0)
        (void)close(way->to);
    way->to = -1;
    way->ended = true;
    way->size = way->sent = 0;
    /* Who feeds standard input is told that nobody takes it. */
    if (way->from == STDIN_FILENO) {
        (void)close(STDIN_FILENO);
        way->from = -1;
    }
}

static bool must_wait(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void take(struct way *way)
{
    ssize_t n = read(way->from, way->data, sizeof(way->data));

    if (must_wait(n))
        return;
    if (n < 0 && way->from == SOCKET)
        _exit(1); /* reset: what was not copied is lost */
    way->ended = n <= 0;
    way->size = n > 0 ? (size_t)n : 0;
    way->sent = 0;
}

static void give(struct way *way)
{
    ssize_t n = write(way->to, way->data + way->sent, way->size - way->sent);

    if (must_wait(n))
        return;
    if (n < 0) {
        close_to(way);
        return;
    }
    way->sent += (size_t)n;
    if (way->sent == way->size)
        way->sent = way->size = 0;
}

static void turn(struct way *way, short from_events, short to_events)
{
    if (way->size == 0 && !way->ended && from_events)
        take(way);
    if (way->size > 0 && (to_events || from_events))
        give(way);
    if (way->ended && way->size == 0 && way->to >= 0)
        close_to(way);
}

_Noreturn void connection_copy(int fd)
{
    static struct way in = {.from = STDIN_FILENO, .to = SOCKET};
    static struct way out = {.from = SOCKET, .to = STDOUT_FILENO};

    (void)prctl(PR_SET_NAME, "guestlink-conn");
    (void)signal(SIGPIPE, SIG_IGN);
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    (void)fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
    (void)close(STDERR_FILENO);
    if (fd != SOCKET && dup2(fd, SOCKET) < 0)
        _exit(1);
    (void)close_range(SOCKET + 1, ~0U, 0); /* and PID 1 knows that it is connected */
    while (in.to >= 0 || out.to >= 0) {
        /* Of the socket, its end is always heard of. */
        struct pollfd pollers[] = {
            {.fd = in.size == 0 && !in.ended ? in.from : -1, .events = POLLIN},
            {.fd = in.size > 0 ? SOCKET : -1, .events = POLLOUT},
            {.fd = out.size == 0 ? SOCKET : -1, .events = (short)(out.ended ? 0 : POLLIN)},
            {.fd = out.size > 0 ? STDOUT_FILENO : -1, .events = POLLOUT},
        };

        if (poll(pollers, sizeof(pollers) / sizeof(pollers[0]), -1) < 0)
            continue;
        /* Both of its ways are closed: what it is sent nobody reads. */
        if (out.ended && out.size == 0 && (pollers[2].revents & (POLLHUP | POLLERR)))
            break;
        turn(&in, pollers[0].revents, pollers[1].revents);
        turn(&out, pollers[2].revents, pollers[3].revents);
    }
    _exit(0);
}
