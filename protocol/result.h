/*
 * result: how a request ended (PROTOCOL.md, "RESULT").
 */
#ifndef GUESTLINK_PROTOCOL_RESULT_H
#define GUESTLINK_PROTOCOL_RESULT_H

#include "wire.h"

#define RESULT_SIZE 12u /* bytes of the struct in 1.0 */

struct result {
    int32_t error;         /* 0, or a positive errno of Linux' generic numbering */
    struct wire_text text; /* what a person should read about the error; may be empty */
};

void result_pack(struct wire_writer *writer, const struct result *result);

/* @return 0, WIRE_E_STRUCT_SIZE or WIRE_E_TEXT; the text points into @p payload */
int result_unpack(const uint8_t *payload, size_t size, struct result *ret_result);

#endif
