/*
 * output tail: the last that a payload printed, which says why it died, however much came before.
 */
#ifndef GUESTLINK_HOSTD_OUTPUT_TAIL_H
#define GUESTLINK_HOSTD_OUTPUT_TAIL_H

#include "protocol/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A program's last words, with a trace of its calls. */
#define OUTPUT_TAIL_BYTES 4096u
/* Lines of it that are logged if the log did not have them: a screen's half. */
#define OUTPUT_TAIL_LINES 10u

struct output_tail {
    char *data;      /* a ring of OUTPUT_TAIL_BYTES; NULL: nothing was printed */
    uint64_t size;   /* bytes printed, in all */
    uint64_t shown;  /* of those, up to the end of the newest line that was logged */
    uint64_t hidden; /* lines behind that */
};

/* Adds what was printed, @p lines lines of it that were not logged. Without memory it is lost. */
void output_tail_add(struct output_tail *tail, struct wire_text data, uint64_t lines);

/* What was printed so far needs not be logged again. */
void output_tail_show(struct output_tail *tail);

/*
 * Copies what is left of the output, from the beginning of a line if there is one.
 *
 * @param hidden  only what was not logged
 * @param buffer  of OUTPUT_TAIL_BYTES + 1 bytes: text with a NUL behind it and none before
 * @return its bytes
 */
size_t output_tail_copy(const struct output_tail *tail, bool hidden, char *buffer);

/* Frees it, and leaves an empty one. */
void output_tail_clear(struct output_tail *tail);

#endif
