/* loopback: where a service that is for one machine alone listens. */
#include "loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool parse_port(const char *text, in_port_t *ret_port)
{
    unsigned long number = 0;

    for (const char *digit = text; *digit; digit++) {
        if (*digit < '0' || *digit > '9')
            return false;
        number = number * 10 + (unsigned long)(*digit - '0');
        if (number > UINT16_MAX)
            return false;
    }
    *ret_port = htons((uint16_t)number);
    return *text != '\0';
}

static bool parse_inet(const char *text, struct sockaddr_in *address)
{
    const char *colon = strchr(text, ':');
    char name[INET_ADDRSTRLEN] = "127.0.0.1";

    if (colon && (size_t)(colon - text) >= sizeof(name))
        return false;
    if (colon)
        (void)snprintf(name, sizeof(name), "%.*s", (int)(colon - text), text);
    address->sin_family = AF_INET;
    return parse_port(colon ? colon + 1 : text, &address->sin_port) &&
           inet_pton(AF_INET, name, &address->sin_addr) == 1 &&
           ntohl(address->sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
}

socklen_t loopback_parse(const char *text, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in ipv4 = {0};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    size_t size = strlen(text);

    if (text[0] == '/' && size < sizeof(local.sun_path)) {
        memcpy(local.sun_path, text, size + 1);
        memcpy(ret_address, &local, sizeof(local));
        return sizeof(local);
    }
    if (strncmp(text, "[::1]:", 6) == 0 && parse_port(text + 6, &ipv6.sin6_port)) {
        memcpy(ret_address, &ipv6, sizeof(ipv6));
        return sizeof(ipv6);
    }
    if (!parse_inet(text, &ipv4))
        return 0;
    memcpy(ret_address, &ipv4, sizeof(ipv4));
    return sizeof(ipv4);
}

void loopback_format(const struct sockaddr_storage *address, char text[LOOPBACK_TEXT])
{
    struct sockaddr_un local;
    struct sockaddr_in ipv4;
    char name[INET_ADDRSTRLEN];

    memcpy(&local, address, sizeof(local));
    memcpy(&ipv4, address, sizeof(ipv4));
    if (address->ss_family == AF_UNIX)
        (void)snprintf(text, LOOPBACK_TEXT, "%s", local.sun_path);
    else if (address->ss_family == AF_INET)
        (void)snprintf(text, LOOPBACK_TEXT, "%s:%u",
                       inet_ntop(AF_INET, &ipv4.sin_addr, name, sizeof(name)),
                       ntohs(ipv4.sin_port));
    else /* the port is in the same place */
        (void)snprintf(text, LOOPBACK_TEXT, "[::1]:%u", ntohs(ipv4.sin_port));
}
