/*
 * services: what a guest may serve, each connection by a process of its own.
 *
 *   port 7, TCP, all addresses: sends back what it gets; at its end, "end\n", and closes
 *   port 8, TCP, 127.0.0.1:     the same
 *   /run/echo.sock:             the same
 *   port 9, TCP, 127.0.0.1:     sends without end, until nobody takes it any more, and reads
 * nothing port 7, UDP, all addresses: sends each datagram back
 *
 * Says "services can be called" when they can.
 */
#include <arpa/inet.h>
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);

        if (n < 0)
            _exit(1);
        bytes += n;
        size -= (size_t)n;
    }
}

static void echo(int fd)
{
    static char bytes[65536];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        send_all(fd, bytes, (size_t)n);
    if (n == 0)
        send_all(fd, "end\n", 4);
}

static void flood(int fd)
{
    static char bytes[65536];

    for (;;)
        send_all(fd, bytes, sizeof(bytes));
}

static int make(int type, const struct sockaddr *address, socklen_t size)
{
    static const int on = 1;
    int fd = socket(address->sa_family, type, 0);

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, address, size) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0))
        err(1, "bind");
    return fd;
}

static int make_inet(int type, unsigned port, uint32_t ip)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(ip)};

    return make(type, (const struct sockaddr *)&address, sizeof(address));
}

static int make_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)unlink(path);
    (void)strcpy(address.sun_path, path);
    return make(SOCK_STREAM, (const struct sockaddr *)&address, sizeof(address));
}

static void serve(int listening, void (*talk)(int fd))
{
    if (fork() != 0) {
        (void)close(listening);
        return;
    }
    for (;;) {
        int fd = accept(listening, NULL, NULL);

        if (fd >= 0 && fork() == 0) {
            talk(fd);
            _exit(0);
        }
        (void)close(fd);
    }
}

int main(void)
{
    struct sockaddr_in peer;
    socklen_t size = sizeof(peer);
    char bytes[65536];
    int udp = make_inet(SOCK_DGRAM, 7, INADDR_ANY);
    ssize_t n;

    (void)signal(SIGCHLD, SIG_IGN);
    serve(make_inet(SOCK_STREAM, 7, INADDR_ANY), echo);
    serve(make_inet(SOCK_STREAM, 8, INADDR_LOOPBACK), echo);
    serve(make_inet(SOCK_STREAM, 9, INADDR_LOOPBACK), flood);
    serve(make_unix("/run/echo.sock"), echo);
    (void)puts("services can be called");
    (void)fflush(stdout);
    while ((n = recvfrom(udp, bytes, sizeof(bytes), 0, (struct sockaddr *)&peer, &size)) >= 0)
        (void)sendto(udp, bytes, (size_t)n, 0, (const struct sockaddr *)&peer, size);
    return 1;
}
