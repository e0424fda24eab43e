/* kmsg_record: one record of /dev/kmsg. */
#include "kmsg_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Takes a decimal number and the comma or semicolon behind it. */
static int take_number(const char **cursor, uint64_t *ret)
{
    char *end = NULL;

    if (**cursor < '0' || **cursor > '9')
        return -EINVAL;
    errno = 0;
    *ret = strtoull(*cursor, &end, 10);
    if (errno != 0 || (*end != ',' && *end != ';'))
        return -EINVAL;
    *cursor = end;
    return 0;
}

int kmsg_record_parse(const char *record, struct kmsg_record *ret)
{
    uint64_t priority, sequence, time_us;

    if (take_number(&record, &priority) < 0 || *record++ != ',' ||
        take_number(&record, &sequence) < 0 || *record++ != ',' ||
        take_number(&record, &time_us) < 0)
        return -EINVAL;
    record = strchr(record, ';');
    if (!record)
        return -EINVAL;
    *ret = (struct kmsg_record){
        .by_kernel = priority >> 3 == 0,
        .level = (int)(priority & 7),
        .time_us = time_us,
        .text = record + 1,
    };
    return 0;
}

/* The number right behind @p key, or 0. */
static uint64_t number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);

    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

bool kmsg_record_pool_full(const char *text, struct kmsg_pool_full *ret)
{
    const char *full = strstr(text, "swiotlb buffer is full");

    if (full) {
        /* kernel/dma/swiotlb.c: "(sz: %zd bytes), total %lu (slots), used %lu (slots)" */
        *ret = (struct kmsg_pool_full){.count = 1,
                                       .bytes = number_after(full, "(sz: "),
                                       .total = number_after(full, "total "),
                                       .used = number_after(full, "used ")};
        return true;
    }
    /* lib/ratelimit.c, for that same line: "swiotlb_tbl_map_single: %d callbacks suppressed" */
    if (strncmp(text, "swiotlb_", 8) == 0 && strstr(text, " callbacks suppressed")) {
        *ret = (struct kmsg_pool_full){.count = number_after(text, ": ")};
        return ret->count > 0;
    }
    return false;
}
