/*
 * kmsg_record: one record of /dev/kmsg, and what it says of bounce pools.
 */
#ifndef GUESTLINK_INIT_KMSG_RECORD_H
#define GUESTLINK_INIT_KMSG_RECORD_H

#include <stdbool.h>
#include <stdint.h>

/* CONSOLE_EXT_LOG_MAX of the kernel, the longest record, and a NUL: one read of /dev/kmsg. */
#define KMSG_RECORD_SIZE 8193u

struct kmsg_record {
    bool by_kernel;    /* facility 0: the kernel itself, not a program that wrote to /dev/kmsg */
    int level;         /* 0 to 7 */
    uint64_t sequence; /* 0 is the first of this boot */
    uint64_t time_us;  /* CLOCK_MONOTONIC's, as the kernel's log has it */
    const char *text;  /* into the record; ends with a newline, behind which the record's dictionary
                        * is, or with the NUL of the record */
};

/* Reads `PRIORITY,SEQUENCE,TIME,FLAGS[,…];TEXT`. @param record ends with a NUL.
 * @return 0 or -EINVAL */
int kmsg_record_parse(const char *record, struct kmsg_record *ret);

struct kmsg_pool_full {
    uint64_t count; /* mappings that found no room: 1, or what the kernel's own limit kept back */
    uint64_t bytes; /* of the mapping; 0: not said */
    uint64_t total; /* slots; 0: not said */
    uint64_t used;
};

/* @return true if the kernel says there, of a device, that a pool was full */
bool kmsg_record_pool_full(const struct kmsg_record *record, struct kmsg_pool_full *ret);

enum kmsg_default_pool {
    KMSG_DEFAULT_POOL_NOTHING,    /* the record is about something else */
    KMSG_DEFAULT_POOL_MAPPED,     /* here it is */
    KMSG_DEFAULT_POOL_GONE,       /* the kernel gave its memory back */
    KMSG_DEFAULT_POOL_UNREADABLE, /* here it is, in words that we do not trust */
};

/*
 * What the kernel says there of its default pool.
 *
 * Since Linux 4.20 the sentence is `software IO TLB: mapped [mem 0xBASE-0xEND] (NMB)`, where END is
 * the first byte behind the pool. Earlier ones have other words and the last byte of the pool.
 *
 * @param ret_base, ret_size  of KMSG_DEFAULT_POOL_MAPPED, bytes
 */
enum kmsg_default_pool kmsg_record_default_pool(const struct kmsg_record *record,
                                                uint64_t *ret_base, uint64_t *ret_size);

#endif
