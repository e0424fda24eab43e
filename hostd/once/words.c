/* words: a list that grows. */
#include "words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void words_add(struct words *words, const char *format, ...)
{
    char **items = realloc(words->items, (words->count + 2) * sizeof(*items));
    va_list arguments;
    int size = -1;

    if (items != NULL) {
        words->items = items;
        va_start(arguments, format);
        size = vasprintf(&items[words->count], format, arguments);
        va_end(arguments);
        words->count += size >= 0;
        items[words->count] = NULL;
    }
    words->failed = words->failed || size < 0;
}

void words_done(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
    *words = WORDS_NULL;
}
