/*
 * json line: a JSON object on a separate line, written member by member.
 *
 * Whatever bytes a text has, the line is JSON and UTF-8: quotes, backslashes and what is not
 * visible (text.h) are escaped, and each byte that is not UTF-8 becomes U+FFFD.
 */
#ifndef GUESTLINK_HOSTD_JSON_LINE_H
#define GUESTLINK_HOSTD_JSON_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* Guests' texts are cut long before; a line must fit the smallest file that may be configured. */
#define JSON_LINE_BYTES 65536u

struct json_line {
    size_t size;
    bool overflow; /* something did not fit: it is not a line */
    char data[JSON_LINE_BYTES];
};

/* Empties it. */
void json_line_begin(struct json_line *line);

/*
 * Adds a member.
 *
 * @param key   needs no escapes
 * @param text  any bytes, @p size of them
 */
void json_line_text(struct json_line *line, const char *key, const char *text, size_t size);

/* Adds a member that is JSON as it is: a number, true, false. */
void json_line_literal(struct json_line *line, const char *key, const char *text, size_t size);

/* Ends the object and the line. @return false if it did not fit */
bool json_line_end(struct json_line *line);

#endif
