/*
 * words: a process's command line, and what QEMU's options in it say: as key=value,… or as JSON.
 */
#ifndef GUESTLINK_CTL_WORDS_H
#define GUESTLINK_CTL_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* A command line may have megabytes; one of QEMU's has some KiB. */
#define WORDS_BYTES 131072u

/* NUL-terminated, one behind the other. */
struct words {
    char data[WORDS_BYTES + 1];
    size_t size;
    char pid[16]; /* whose they are */
};

/* @param word  NULL: before the first. @return NULL behind the last */
const char *words_next(const struct words *words, const char *word);

/* The first word at or behind @p from that has @p part. NULL: none */
const char *words_find(const struct words *words, const char *from, const char *part);

/*
 * Reads the value of a key in one word.
 *
 * @param buffer  gets it, cut; unchanged if there is none
 * @return true if the word has that key with a value
 */
bool words_value(const char *word, const char *key, char *buffer, size_t capacity);

#endif
