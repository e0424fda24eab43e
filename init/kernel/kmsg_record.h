/*
 * kmsg_record: one record of /dev/kmsg, and what it says of the bounce pool.
 */
#ifndef GUESTLINK_INIT_KMSG_RECORD_H
#define GUESTLINK_INIT_KMSG_RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct kmsg_record {
    bool by_kernel;   /* facility 0: the kernel itself, not a program that wrote to /dev/kmsg */
    int level;        /* 0 to 7 */
    uint64_t time_us; /* CLOCK_MONOTONIC's, as the kernel's log has it */
    const char *text; /* into the record; ends with a newline, behind which the record's dictionary
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

#endif
