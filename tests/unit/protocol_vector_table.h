/*
 * protocol_vector_table: what each vector of a sound message says, written down a second time.
 */
#ifndef GUESTLINK_TESTS_PROTOCOL_VECTOR_TABLE_H
#define GUESTLINK_TESTS_PROTOCOL_VECTOR_TABLE_H

#include "messages.h"

enum {
    VECTOR_OF_OTHERS = 1, /* it is read, but we would write other bytes: another minor version's */
    VECTOR_NO_STRUCT = 2,
    VECTOR_HEADER_ONLY = 4, /* the payload, all zeros, is not in the file */
};

struct vector_row {
    const char *name;
    uint16_t type;
    uint16_t flags;
    uint32_t id;
    unsigned kind; /* VECTOR_… */
    union message message;
};

extern const struct vector_row vector_rows[];
extern const size_t vector_rows_count;

#endif
