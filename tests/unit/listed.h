/*
 * listed: a list of texts as it stands in a frame, made of one string.
 */
#ifndef GUESTLINK_TESTS_LISTED_H
#define GUESTLINK_TESTS_LISTED_H

#include "protocol/wire.h"

/* @param words  the texts, with a comma between two; "": none
 * @param bytes  @p capacity of them: the list points there */
struct wire_list listed(const char *words, uint8_t *bytes, size_t capacity);

#endif
