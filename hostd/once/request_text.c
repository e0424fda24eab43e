/* request: the forms that single values have. */
#include "request.h"

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

int request_parse_publish(const char *text, char ret_forward[CONFIG_PUBLISH_HOSTFWD])
{
    struct config_publish publish;

    if (config_publish_parse(text, &publish) < 0 || publish.is_ipv6)
        return -EINVAL;
    config_publish_hostfwd(&publish, &(struct config_strings){0}, ret_forward);
    return 0;
}
