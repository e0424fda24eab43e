/*
 * fuzz: what a fuzz target and its runners (libFuzzer, replay.c) agree on.
 *
 * A target reads one input and must neither crash, nor leak, nor take over a second. Where it finds
 * that the code broke its word it calls FUZZ_CHECK(), which ends the program.
 */
#ifndef GUESTLINK_TESTS_FUZZ_H
#define GUESTLINK_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A copy of the input as a C string in memory of exactly its size; the caller's to free(). */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    FUZZ_CHECK(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

#endif
