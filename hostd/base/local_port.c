/* local port: bind(2) is the question; of a port for root alone, the kernel's own bound. */
#include "local_port.h"

#include "fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_FOR_ALL_FILE "/proc/sys/net/ipv4/ip_unprivileged_port_start"
#define FIRST_FOR_ALL      1024u

static unsigned first_for_all(void)
{
    FD fd = open(FIRST_FOR_ALL_FILE, O_RDONLY | O_CLOEXEC);
    char text[16] = "";

    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return FIRST_FOR_ALL;
    return (unsigned)strtoul(text, NULL, 10);
}

/* @return its size, 0: it is no address */
static socklen_t make(const char *address, uint16_t port, struct sockaddr_storage *ret_storage)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (inet_pton(AF_INET, address, &ipv4.sin_addr) == 1) {
        memcpy(ret_storage, &ipv4, sizeof(ipv4));
        return sizeof(ipv4);
    }
    if (inet_pton(AF_INET6, address, &ipv6.sin6_addr) == 1) {
        memcpy(ret_storage, &ipv6, sizeof(ipv6));
        return sizeof(ipv6);
    }
    return 0;
}

int local_port_probe(const char *address, bool is_udp, uint16_t port, bool any_user)
{
    static const int on = 1;
    struct sockaddr_storage storage = {0};
    socklen_t size = make(address, port, &storage);
    FD fd = -1;

    if (size == 0)
        return -EINVAL;
    if (any_user && port < first_for_all())
        return -EACCES;
    fd = socket(storage.ss_family, (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* What is left of connections that ended keeps nobody from listening. */
    if (!is_udp)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (storage.ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    return bind(fd, (const struct sockaddr *)&storage, size) < 0 ? -errno : 0;
}
