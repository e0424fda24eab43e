/*
 * text: text of a guest's made fit for logs and telemetry.
 */
#ifndef GUESTLINK_HOSTD_TEXT_H
#define GUESTLINK_HOSTD_TEXT_H

#include "protocol/wire.h"

#include <stddef.h>
#include <stdint.h>

/* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" and NUL */
#define TEXT_UUID_SIZE 37u

/* Copies @p text, cut to what fits at the start of a character, with blanks for control characters.
 * @p text is UTF-8, as wire_take_text() checked, or any bytes: those that are not UTF-8 become `?`.
 */
void text_take(struct wire_text text, char *buffer, size_t capacity);

/* Writes 16 bytes as a UUID in lower case. @param buffer of TEXT_UUID_SIZE bytes */
void text_uuid(const uint8_t bytes[16], char *buffer);

#endif
