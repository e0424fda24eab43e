/*
 * words: a program's command line while it is put together.
 */
#ifndef GUESTLINK_ONCE_WORDS_H
#define GUESTLINK_ONCE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct words {
    char **items; /* ended by a NULL once there is one */
    size_t count;
    bool failed; /* no memory: a word is missing, and the list is of no use */
};

#define WORDS_NULL ((struct words){0})
#define WORDS      __attribute__((cleanup(words_done))) struct words

/* Adds one word; out of memory is noted in `failed`. */
__attribute__((format(printf, 2, 3))) void words_add(struct words *words, const char *format, ...);

void words_done(struct words *words);

#endif
