/* since: several forms, tried one after the other. */
#include "since.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND UINT64_C(1000000)

/* "10m": a number and a unit. */
static bool parse_ago(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    unsigned long long value;
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || end[0] == '\0' || (end[1] != '\0' && strcmp(end + 1, " ago") != 0))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (units[i].unit == end[0] && value <= now_us / SECOND / units[i].seconds) {
            *ret_us = now_us - value * units[i].seconds * SECOND;
            return true;
        }
    }
    return false;
}

static bool parse_day_name(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    time_t now = (time_t)(now_us / SECOND);
    struct tm parts;
    int back;

    if (strcmp(text, "today") == 0)
        back = 0;
    else if (strcmp(text, "yesterday") == 0)
        back = 1;
    else
        return false;
    (void)localtime_r(&now, &parts);
    parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
    parts.tm_mday -= back;
    parts.tm_isdst = -1;
    *ret_us = (uint64_t)mktime(&parts) * SECOND;
    return true;
}

/* Local time, whole days or to the minute or second. */
static bool parse_local(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    static const char *const formats[] = {
        "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d",
        "%H:%M:%S",          "%H:%M"};
    time_t now = (time_t)(now_us / SECOND), then;

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct tm parts;
        const char *end;

        (void)localtime_r(&now, &parts);
        parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
        parts.tm_isdst = -1;
        end = strptime(text, formats[i], &parts);
        if (end == NULL || *end != '\0')
            continue;
        then = mktime(&parts);
        if (then < 0)
            return false;
        *ret_us = (uint64_t)then * SECOND;
        return true;
    }
    return false;
}

/* Behind the seconds: a fraction, and Z or an offset. @return false if that is not it */
static bool parse_tail(const char *text, uint64_t *ret_fraction_us, int64_t *ret_offset_s)
{
    uint64_t scale = SECOND / 10, fraction = 0;
    int sign;

    if (*text == '.') {
        for (text++; isdigit((unsigned char)*text); text++, scale /= 10)
            fraction += (uint64_t)(*text - '0') * scale;
    }
    *ret_fraction_us = fraction;
    *ret_offset_s = 0;
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return true;
    sign = *text == '+' ? 1 : *text == '-' ? -1 : 0;
    if (sign == 0 || strlen(text) != 6 || text[3] != ':' || !isdigit((unsigned char)text[1]) ||
        !isdigit((unsigned char)text[2]) || !isdigit((unsigned char)text[4]) ||
        !isdigit((unsigned char)text[5]))
        return false;
    *ret_offset_s = (int64_t)sign * (((text[1] - '0') * 10 + text[2] - '0') * 3600 +
                                     ((text[4] - '0') * 10 + text[5] - '0') * 60);
    return true;
}

int since_parse_timestamp(const char *text, uint64_t *ret_us)
{
    struct tm parts = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    uint64_t fraction;
    int64_t offset, seconds;

    if (end == NULL || !parse_tail(end, &fraction, &offset))
        return -EINVAL;
    seconds = (int64_t)timegm(&parts) - offset;
    if (seconds < 0)
        return -EINVAL;
    *ret_us = (uint64_t)seconds * SECOND + fraction;
    return 0;
}

int since_parse(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    if (parse_ago(text, now_us, ret_us) || parse_day_name(text, now_us, ret_us) ||
        since_parse_timestamp(text, ret_us) == 0 || parse_local(text, now_us, ret_us))
        return 0;
    return -EINVAL;
}
