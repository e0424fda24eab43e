/* output tail: a ring of bytes, read from its newest end. */
#include "output_tail.h"

#include <stdlib.h>
#include <string.h>

static size_t smaller(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

void output_tail_add(struct output_tail *tail, struct wire_text data, uint64_t lines)
{
    tail->hidden += lines;
    if (!tail->data)
        tail->data = malloc(OUTPUT_TAIL_BYTES);
    if (!tail->data)
        return;
    if (data.size > OUTPUT_TAIL_BYTES) {
        tail->size += data.size - OUTPUT_TAIL_BYTES;
        data.data += data.size - OUTPUT_TAIL_BYTES;
        data.size = OUTPUT_TAIL_BYTES;
    }
    while (data.size > 0) {
        size_t at = tail->size % OUTPUT_TAIL_BYTES;
        size_t part = smaller(data.size, OUTPUT_TAIL_BYTES - at);

        memcpy(tail->data + at, data.data, part);
        tail->size += part;
        data.data += part;
        data.size -= part;
    }
}

void output_tail_show(struct output_tail *tail)
{
    tail->shown = tail->size;
    tail->hidden = 0;
}

size_t output_tail_copy(const struct output_tail *tail, bool hidden, char *buffer)
{
    uint64_t wanted = hidden ? tail->size - tail->shown : tail->size;
    size_t size = tail->data ? smaller(wanted, OUTPUT_TAIL_BYTES) : 0;
    const char *newline;

    for (size_t i = 0; i < size; i++) {
        buffer[i] = tail->data[(tail->size - size + i) % OUTPUT_TAIL_BYTES];
        if (buffer[i] == '\0')
            buffer[i] = ' ';
    }
    buffer[size] = '\0';
    newline = size < wanted ? memchr(buffer, '\n', size) : NULL;
    if (newline && newline[1] != '\0') {
        size -= (size_t)(newline + 1 - buffer);
        memmove(buffer, newline + 1, size + 1);
    }
    return size;
}

void output_tail_clear(struct output_tail *tail)
{
    free(tail->data);
    *tail = (struct output_tail){0};
}
