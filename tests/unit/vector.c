/* vector: a test vector, bytes written down by hand. */
#include "vector.h"

#include "protocol/wire.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR_MAX 4096 /* bytes; the longest has a few hundred */

void vector_done(struct vector *vector)
{
    free(vector->data);
    *vector = (struct vector){0};
}

struct vector vector_zeroed(size_t size)
{
    struct vector vector = {.data = calloc(1, size ? size : 1), .size = size};

    if (!vector.data)
        abort();
    return vector;
}

struct vector vector_of(const void *data, size_t size)
{
    struct vector vector = vector_zeroed(size);

    if (size > 0)
        memcpy(vector.data, data, size);
    return vector;
}

static int digit_value(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = digit ? strchr(digits, digit) : NULL;

    return found ? (int)(found - digits) : -1;
}

/* Appends the bytes of one line to @p memory. */
static int take_line(const char *line, struct wire_writer *memory)
{
    while (true) {
        int high, low;

        while (isspace((unsigned char)*line))
            line++;
        if (*line == '\0' || *line == '#')
            return memory->overflow ? -EFBIG : 0;
        high = digit_value(line[0]);
        low = high < 0 ? -1 : digit_value(line[1]);
        if (low < 0)
            return -EINVAL;
        wire_put_u8(memory, (uint8_t)(high * 16 + low));
        line += 2;
    }
}

int vector_read(const char *name, struct vector *ret_vector)
{
    uint8_t bytes[VECTOR_MAX];
    struct wire_writer memory = {.data = bytes, .capacity = sizeof(bytes)};
    char path[PATH_MAX];
    char line[256];
    FILE *file;
    int r = 0;

    (void)snprintf(path, sizeof(path), "%s/%s.hex", GUESTLINK_VECTORS, name);
    file = fopen(path, "re");
    if (!file)
        return -errno;
    while (r == 0 && fgets(line, sizeof(line), file))
        r = take_line(line, &memory);
    (void)fclose(file);
    if (r < 0)
        return r;
    *ret_vector = vector_of(bytes, memory.size);
    return 0;
}
