/* config size: bytes as people write them. */
#include "config_size.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int config_size_parse(const char *text, uint64_t *ret_bytes)
{
    static const char units[] = "KMGT";
    unsigned long long value;
    unsigned shift = 0;
    const char *unit;
    char *end;

    if (*text < '0' || *text > '9')
        return -EINVAL; /* strtoull() would take blanks and signs */
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0)
        return -ERANGE;
    if (*end != '\0') {
        unit = strchr(units, *end & ~0x20);
        if (unit == NULL || *unit == '\0')
            return -EINVAL;
        shift = 10 * ((unsigned)(unit - units) + 1);
        end++;
        if (*end != '\0' && strcasecmp(end, "B") != 0 && strcasecmp(end, "iB") != 0)
            return -EINVAL;
    }
    if (shift != 0 && value >> (64 - shift) != 0)
        return -ERANGE;
    *ret_bytes = (uint64_t)value << shift;
    return 0;
}

int config_size_parse_withdrawn(const char *text, uint64_t *ret_bytes)
{
    char *end;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    (void)strtoull(text, &end, 0);
    if (errno != 0 || *end != ',')
        return -EINVAL;
    return config_size_parse(end + 1, ret_bytes) == 0 ? 0 : -EINVAL;
}
