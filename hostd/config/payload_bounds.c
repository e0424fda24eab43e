/* config payload bounds: what a payload may use and how it is ended. */
#include "payload_bounds.h"

#include "strings.h"
#include "text.h"

#include "protocol/process_limit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define EXPECTED_LIMIT "a number, \"unlimited\", or [SOFT, HARD] of these with SOFT not above HARD"

static bool read_number(const struct config_json *node, uint64_t *ret)
{
    if (node->type == CONFIG_JSON_TEXT && strcmp(node->text, "unlimited") == 0) {
        *ret = PROCESS_LIMIT_UNLIMITED;
        return true;
    }
    return (node->type == CONFIG_JSON_NUMBER || node->type == CONFIG_JSON_TEXT) &&
           config_text_parse_size(node->text, ret) == 0;
}

static bool read_pair(const struct config_json *node, uint64_t *ret_soft, uint64_t *ret_hard)
{
    if (node->type != CONFIG_JSON_LIST) {
        if (!read_number(node, ret_soft))
            return false;
        *ret_hard = *ret_soft;
        return true;
    }
    return node->count == 2 && read_number(node->first, ret_soft) &&
           read_number(node->first->next, ret_hard) && *ret_soft <= *ret_hard;
}

static void add(struct config_reader *reader, struct config_strings *to, const char *item)
{
    char **items = reallocarray(to->items, to->count + 2, sizeof(*items));

    if (items)
        to->items = items;
    if (!items || !(items[to->count] = strdup(item))) {
        reader->out_of_memory = true;
        return;
    }
    items[++to->count] = NULL;
}

void config_read_limits(struct config_reader *reader, const struct config_json *node,
                        const struct config_field *field, void *to)
{
    char item[PROCESS_LIMIT_SIZE];
    uint64_t soft, hard;

    (void)field;
    if (node->type != CONFIG_JSON_OBJECT) {
        config_reader_expected(reader, node, "an object such as {\"nofile\": [1024, 524288]}");
        return;
    }
    for (const struct config_json *limit = node->first; limit; limit = limit->next) {
        if (process_limit_resource(limit->key) < 0) {
            config_reader_error(reader, limit,
                                "unknown limit, expected one of " PROCESS_LIMIT_NAMES);
        } else if (config_json_find(node, limit->key) != limit) {
            config_reader_error(reader, limit, "limit given twice, expected once");
        } else if (!read_pair(limit, &soft, &hard)) {
            config_reader_expected(reader, limit, EXPECTED_LIMIT);
        } else {
            process_limit_compose(item, limit->key, soft, hard);
            add(reader, to, item);
        }
    }
}

void config_read_umask(struct config_reader *reader, const struct config_json *node,
                       const struct config_field *field, void *to)
{
    (void)field;
    if (node->type != CONFIG_JSON_TEXT || node->text[0] == '\0' || strlen(node->text) > 4 ||
        node->text[strspn(node->text, "01234567")] != '\0' || strtoul(node->text, NULL, 8) > 0777) {
        config_reader_expected(reader, node,
                               "a string of octal digits, from \"0000\" to "
                               "\"0777\"");
        return;
    }
    *(uint32_t *)to = CONFIG_UMASK_GIVEN | (uint32_t)strtoul(node->text, NULL, 8);
}

/* @return a signal's number, or 0 if @p name is none's */
static uint32_t parse_signal(const char *name)
{
    /* Linux' generic numbers, which the guest counts by, whatever libc here keeps for itself. */
    static const uint32_t real_time_least = 34, real_time_most = 64;
    char *end = NULL;
    unsigned long offset;

    if (strncmp(name, "SIG", 3) == 0)
        name += 3;
    if (strcmp(name, "RTMIN") == 0)
        return real_time_least;
    if (strcmp(name, "RTMAX") == 0)
        return real_time_most;
    if (strncmp(name, "RTMIN+", 6) == 0 || strncmp(name, "RTMAX-", 6) == 0) {
        offset = strtoul(name + 6, &end, 10);
        if (name[6] < '0' || name[6] > '9' || *end != '\0' ||
            offset > real_time_most - real_time_least)
            return 0;
        return name[5] == '+' ? real_time_least + (uint32_t)offset
                              : real_time_most - (uint32_t)offset;
    }
    for (int number = 1; number < 32; number++) {
        const char *abbreviation = sigabbrev_np(number);

        if (abbreviation && strcmp(abbreviation, name) == 0)
            return (uint32_t)number;
    }
    return 0;
}

void config_read_signal(struct config_reader *reader, const struct config_json *node,
                        const struct config_field *field, void *to)
{
    uint64_t number = 0;

    (void)field;
    if (node->type == CONFIG_JSON_TEXT)
        number = parse_signal(node->text);
    else if (node->type == CONFIG_JSON_NUMBER)
        (void)config_text_parse_size(node->text, &number);
    if (number < 1 || number > 64) {
        config_reader_expected(reader, node,
                               "a signal: \"SIGQUIT\", \"SIGRTMIN+3\", or a number from 1 to 64");
        return;
    }
    *(uint32_t *)to = (uint32_t)number;
}
