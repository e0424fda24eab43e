/* wrap: where a line of text ends on a terminal. */
#ifndef GUESTLINK_CTL_WRAP_H
#define GUESTLINK_CTL_WRAP_H

#include <stddef.h>

/* How many bytes of @p text go into a line of @p columns: up to a blank or behind a `;`, the last
 * that fits; a piece that is longer than the line whole. Blanks that follow belong to no line.
 * @return 0 for an empty text alone */
size_t wrap_line(const char *text, unsigned columns);

/* The rest behind a line of @p size bytes, its leading blanks left out. */
const char *wrap_rest(const char *text, size_t size);

#endif
