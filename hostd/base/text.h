/*
 * text: what others said (a guest, its VMM, a program that serves it) made fit to be shown.
 *
 * Such a text is cleaned where it comes in, and once more where a line leaves the daemon (the log,
 * the journal): whatever was forgotten there can neither steer a terminal nor show something other
 * than it says.
 */
#ifndef GUESTLINK_HOSTD_TEXT_H
#define GUESTLINK_HOSTD_TEXT_H

#include "protocol/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "xx:xx:xx:xx:xx:xx" and NUL */
#define TEXT_MAC_SIZE 18u
/* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" and NUL */
#define TEXT_UUID_SIZE 37u

/*
 * The bytes of the character that @p text begins with, if a reader sees it for what it is.
 *
 * @return 0 for a byte that is not UTF-8, a control character (C0, DEL, C1), a separator of lines
 *         or paragraphs, and what is not visible itself: bidirectional marks, zero-width
 *         characters, tags, variation selectors, byte order marks
 */
size_t text_visible_size(struct wire_text text);

/* The number of a character. @param size  of its bytes, as wire_character_size() says, not 0 */
uint32_t text_decode(const char *bytes, size_t size);

/*
 * Puts a blank for each control character or separator of @p text, and `?` for each other character
 * and byte that text_visible_size() takes for none; in place.
 *
 * @return its bytes: at most as many as before
 */
size_t text_clean(char *text);

/* Copies @p text, any bytes, cut to what fits at the start of a character, and cleans the copy. A
 * NUL becomes a blank. */
void text_take(struct wire_text text, char *buffer, size_t capacity);

/* Two digits for each byte, and NUL. @return where that is */
char *text_hex(const uint8_t *bytes, size_t size, char *buffer);

/* Writes 16 bytes as a UUID in lower case. @param buffer of TEXT_UUID_SIZE bytes */
void text_uuid(const uint8_t bytes[16], char *buffer);

/* Writes 6 bytes as a MAC address. @param buffer of TEXT_MAC_SIZE bytes */
void text_mac(const uint8_t bytes[6], char *buffer);

#endif
