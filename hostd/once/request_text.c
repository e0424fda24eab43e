/* request: the forms that single values have. */
#include "request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* @param ret_end  what is behind the digits. @return 0, or -EINVAL: no number, or above @p most */
static int parse_number(const char *text, unsigned long most, unsigned long *ret_number,
                        const char **ret_end)
{
    char *end;

    errno = 0;
    if (*text < '0' || *text > '9')
        return -EINVAL;
    *ret_number = strtoul(text, &end, 10);
    *ret_end = end;
    return errno != 0 || *ret_number > most ? -EINVAL : 0;
}

int request_parse_ids(const char *text, uint32_t *ret_uid, uint32_t *ret_gid)
{
    unsigned long uid = 0, gid = 0;
    const char *end = text + strcspn(text, ":");

    /* -1 is "leave it as it is" to the kernel. */
    if ((end - text != 4 || strncmp(text, "root", 4) != 0) &&
        parse_number(text, UINT32_MAX - 1, &uid, &end) < 0)
        return -EINVAL;
    gid = uid;
    if (*end == ':' && parse_number(end + 1, UINT32_MAX - 1, &gid, &end) < 0)
        return -EINVAL;
    if (*end != '\0')
        return -EINVAL;
    *ret_uid = (uint32_t)uid;
    *ret_gid = (uint32_t)gid;
    return 0;
}

int request_parse_duration(const char *text, uint64_t *ret_ms)
{
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    double number;

    if ((*text < '0' || *text > '9') && *text != '.')
        return -EINVAL;
    number = strtod(text, &end);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (*end != units[i].unit || (*end != '\0' && end[1] != '\0'))
            continue;
        number *= units[i].seconds * 1000;
        if (!(number >= 1 && number < 1e12))
            return -EINVAL;
        *ret_ms = (uint64_t)number;
        return 0;
    }
    return -EINVAL;
}

int request_split_share(char *text, const char **ret_path, const char **ret_target,
                        bool *ret_read_only)
{
    size_t size = strlen(text);
    char *colon;

    *ret_read_only = false;
    if (size > 3 && (strcmp(text + size - 3, ":ro") == 0 || strcmp(text + size - 3, ":rw") == 0)) {
        *ret_read_only = text[size - 1] == 'o';
        text[size - 3] = '\0';
    }
    /* A folder of the host may have a colon in its name; what it is called in the guest has none.
     */
    colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon[1] != '/')
        return -EINVAL;
    *colon = '\0';
    *ret_path = text;
    *ret_target = colon + 1;
    return 0;
}

int request_parse_publish(const char *text, char ret_forward[REQUEST_FORWARD_SIZE])
{
    char address[INET_ADDRSTRLEN] = "127.0.0.1";
    struct in_addr parsed;
    unsigned long port, guest_port;
    const char *rest = text, *colon = strchr(text, ':'), *protocol = "tcp";

    if (colon != NULL && strchr(colon + 1, ':') != NULL) {
        if ((size_t)(colon - text) >= sizeof(address))
            return -EINVAL;
        (void)snprintf(address, sizeof(address), "%.*s", (int)(colon - text), text);
        if (inet_pton(AF_INET, address, &parsed) != 1)
            return -EINVAL;
        rest = colon + 1;
    }
    if (parse_number(rest, 65535, &port, &rest) < 0 || port == 0 || *rest != ':' ||
        parse_number(rest + 1, 65535, &guest_port, &rest) < 0 || guest_port == 0)
        return -EINVAL;
    if (strcmp(rest, "/udp") == 0)
        protocol = "udp";
    else if (*rest != '\0' && strcmp(rest, "/tcp") != 0)
        return -EINVAL;
    (void)snprintf(ret_forward, REQUEST_FORWARD_SIZE, "%s:%s:%lu-:%lu", protocol, address, port,
                   guest_port);
    return 0;
}
