/* inet: addresses as the host writes them, without the resolver. */
#include "inet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

unsigned inet_size(int family)
{
    return family == AF_INET ? 4u : 16u;
}

static int parse_prefix(const char *text, unsigned most, uint8_t *ret)
{
    unsigned value = 0;

    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return -EINVAL;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > most)
            return -EINVAL;
    }
    *ret = (uint8_t)value;
    return 0;
}

int inet_parse(struct wire_text text, struct inet *ret)
{
    char buffer[INET6_ADDRSTRLEN + 4]; /* and "/128" */
    struct inet inet = {0};
    char *slash;

    if (wire_text_copy(text, buffer, sizeof(buffer)) < 0)
        return -EINVAL;
    slash = strchr(buffer, '/');
    if (slash)
        *slash++ = '\0';
    inet.family = strchr(buffer, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(inet.family, buffer, inet.bytes) != 1)
        return -EINVAL;
    inet.prefix = (uint8_t)(inet_size(inet.family) * 8);
    if (slash && parse_prefix(slash, inet.prefix, &inet.prefix) < 0)
        return -EINVAL;
    *ret = inet;
    return 0;
}

int inet_parse_route(struct wire_text text, struct inet_route *ret)
{
    const char *blank = text.size > 0 ? memchr(text.data, ' ', text.size) : NULL;
    struct inet_route route;
    struct wire_text first, second;

    if (!blank)
        return -EINVAL;
    first = (struct wire_text){.data = text.data, .size = (size_t)(blank - text.data)};
    second = (struct wire_text){.data = blank + 1, .size = text.size - first.size - 1};
    if (inet_parse(first, &route.destination) < 0 || inet_parse(second, &route.gateway) < 0 ||
        route.destination.family != route.gateway.family ||
        route.gateway.prefix != inet_size(route.gateway.family) * 8)
        return -EINVAL;
    *ret = route;
    return 0;
}
