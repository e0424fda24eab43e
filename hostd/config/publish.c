/* config publish: a port of the host's at which connections reach a port of the guest's. */
#include "publish.h"

#include "base/local_port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_port(const char **text, char end, uint16_t *ret_port)
{
    unsigned long number = 0;
    const char *digit = *text;

    if (*digit == '0')
        return false;
    for (; *digit >= '0' && *digit <= '9' && number <= UINT16_MAX; digit++)
        number = number * 10 + (unsigned long)(*digit - '0');
    if (number == 0 || number > UINT16_MAX || (*digit != end && *digit != '\0'))
        return false;
    *text = digit;
    *ret_port = (uint16_t)number;
    return true;
}

/* @param text  behind it then. @return false: it begins with an address that is none */
static bool read_address(const char **text, struct config_publish *publish)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    const char *begin = *text, *end;
    char address[INET6_ADDRSTRLEN] = "127.0.0.1";

    publish->is_ipv6 = *begin == '[';
    if (publish->is_ipv6) {
        begin++;
        end = strchr(begin, ']');
        if (end == NULL || end[1] != ':')
            return false;
    } else {
        end = strchr(begin, ':');
        if (end == NULL || strchr(end + 1, ':') == NULL)
            end = NULL; /* PORT:GUESTPORT */
    }
    if (end != NULL) {
        if ((size_t)(end - begin) >= sizeof(address))
            return false;
        (void)snprintf(address, sizeof(address), "%.*s", (int)(end - begin), begin);
        *text = end + 1 + publish->is_ipv6;
    }
    /* Read and written again: one address has one form. */
    return inet_pton(publish->is_ipv6 ? AF_INET6 : AF_INET, address, bytes) == 1 &&
           inet_ntop(publish->is_ipv6 ? AF_INET6 : AF_INET, bytes, publish->address,
                     sizeof(publish->address)) != NULL;
}

int config_publish_parse(const char *text, struct config_publish *ret_publish)
{
    struct config_publish publish = {0};

    if (!read_address(&text, &publish) || !read_port(&text, ':', &publish.port) || *text++ != ':' ||
        !read_port(&text, '/', &publish.guest_port))
        return -EINVAL;
    publish.is_udp = strcmp(text, "/udp") == 0;
    if (*text != '\0' && !publish.is_udp && strcmp(text, "/tcp") != 0)
        return -EINVAL;
    *ret_publish = publish;
    return 0;
}

const char *config_publish_check(const char *text)
{
    struct config_publish publish;

    return config_publish_parse(text, &publish) < 0
               ? "[ADDRESS:]PORT:GUESTPORT[/tcp|/udp] such as \"127.0.0.1:8080:80/tcp\", an IPv6 "
                 "address in brackets"
               : NULL;
}

bool config_publish_is_any(const struct config_publish *publish)
{
    return strcmp(publish->address, publish->is_ipv6 ? "::" : "0.0.0.0") == 0;
}

size_t config_publish_name_ports(const struct config_strings *list, char *text, size_t capacity)
{
    size_t used = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct config_publish publish;
        int size;

        if (config_publish_parse(list->items[i], &publish) < 0)
            continue;
        size = snprintf(text + used, capacity - used, "%u/%s,", publish.port,
                        publish.is_udp ? "udp" : "tcp");
        if ((size_t)size >= capacity - used)
            break;
        used += (size_t)size;
    }
    text[used] = '\0';
    return used;
}

void config_publish_hostfwd(const struct config_publish *publish,
                            const struct config_strings *addresses,
                            char text[CONFIG_PUBLISH_HOSTFWD])
{
    char guest[INET_ADDRSTRLEN] = "";

    for (size_t i = 0; i < addresses->count && guest[0] == '\0'; i++)
        if (strchr(addresses->items[i], ':') == NULL)
            (void)snprintf(guest, sizeof(guest), "%.*s", (int)strcspn(addresses->items[i], "/"),
                           addresses->items[i]);
    (void)snprintf(text, CONFIG_PUBLISH_HOSTFWD, "%s:%.15s:%u-%s:%u",
                   publish->is_udp ? "udp" : "tcp", publish->address, publish->port, guest,
                   publish->guest_port);
}

static const char *what_to_do(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "stop the program that listens there, or publish another port";
    case EADDRNOTAVAIL:
        return "this host has no such address; fix the address, or add it to an interface first";
    case EACCES:
        return "only root can listen there; publish a port from 1024 on, or lower the sysctl "
               "net.ipv4.ip_unprivileged_port_start";
    default:
        return "publish another address or port";
    }
}

int config_publish_probe(const struct config_strings *list, bool any_user, char *text,
                         size_t capacity)
{
    for (size_t i = 0; i < list->count; i++) {
        struct config_publish publish;
        int r = config_publish_parse(list->items[i], &publish);

        if (r == 0)
            r = local_port_probe(publish.address, publish.is_udp, publish.port, any_user);
        if (r == 0)
            continue;
        (void)snprintf(text, capacity, "cannot publish \"%s\": %s; %s", list->items[i],
                       strerrordesc_np(-r), what_to_do(-r));
        return -r;
    }
    return 0;
}
