/* process limit: an item of START_PROCESS's list of resource limits. */
#include "process_limit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char unlimited[] = "unlimited";

int process_limit_resource(const char *name)
{
    static const struct {
        const char *name;
        int resource;
    } table[] = {
        {"as", RLIMIT_AS},
        {"core", RLIMIT_CORE},
        {"cpu", RLIMIT_CPU},
        {"data", RLIMIT_DATA},
        {"fsize", RLIMIT_FSIZE},
        {"locks", RLIMIT_LOCKS},
        {"memlock", RLIMIT_MEMLOCK},
        {"msgqueue", RLIMIT_MSGQUEUE},
        {"nice", RLIMIT_NICE},
        {"nofile", RLIMIT_NOFILE},
        {"nproc", RLIMIT_NPROC},
        {"rss", RLIMIT_RSS},
        {"rtprio", RLIMIT_RTPRIO},
        {"rttime", RLIMIT_RTTIME},
        {"sigpending", RLIMIT_SIGPENDING},
        {"stack", RLIMIT_STACK},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(name, table[i].name) == 0)
            return table[i].resource;
    return -1;
}

static int parse_number(const char *text, uint64_t *ret)
{
    char *end = NULL;
    uint64_t number;

    if (strcmp(text, unlimited) == 0) {
        *ret = PROCESS_LIMIT_UNLIMITED;
        return 0;
    }
    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0')
        return -EINVAL;
    *ret = number;
    return 0;
}

int process_limit_parse(struct wire_text item, struct process_limit *ret)
{
    char text[PROCESS_LIMIT_SIZE];
    struct process_limit limit;
    char *soft, *hard;

    if (wire_text_copy(item, text, sizeof(text)) < 0)
        return -EINVAL;
    soft = strchr(text, ' ');
    hard = soft ? strchr(soft + 1, ' ') : NULL;
    if (!hard)
        return -EINVAL;
    *soft++ = *hard++ = '\0';
    limit.resource = process_limit_resource(text);
    if (limit.resource < 0 || parse_number(soft, &limit.soft) < 0 ||
        parse_number(hard, &limit.hard) < 0 || limit.soft > limit.hard)
        return -EINVAL;
    *ret = limit;
    return 0;
}

static void compose_number(char buffer[24], uint64_t number)
{
    if (number == PROCESS_LIMIT_UNLIMITED)
        (void)snprintf(buffer, 24, "%s", unlimited);
    else
        (void)snprintf(buffer, 24, "%" PRIu64, number);
}

void process_limit_compose(char *buffer, const char *name, uint64_t soft, uint64_t hard)
{
    char numbers[2][24];

    compose_number(numbers[0], soft);
    compose_number(numbers[1], hard);
    (void)snprintf(buffer, PROCESS_LIMIT_SIZE, "%.14s %s %s", name, numbers[0], numbers[1]);
}
