/* vector: a test vector, bytes written down by hand. */
#include "vector.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void vector_done(struct vector *vector)
{
    free(vector->data);
    *vector = (struct vector){0};
}

struct vector vector_of(const void *data, size_t size)
{
    struct vector vector = {.data = malloc(size ? size : 1), .size = size};

    if (!vector.data)
        abort();
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

/* Appends the bytes of one line. */
static int take_line(const char *line, struct vector *vector)
{
    while (true) {
        int high, low;
        uint8_t *grown;

        while (isspace((unsigned char)*line))
            line++;
        if (*line == '\0' || *line == '#')
            return 0;
        high = digit_value(line[0]);
        low = high < 0 ? -1 : digit_value(line[1]);
        if (low < 0)
            return -EINVAL;
        grown = realloc(vector->data, vector->size + 1);
        if (!grown)
            return -ENOMEM;
        grown[vector->size] = (uint8_t)(high * 16 + low);
        vector->data = grown;
        vector->size++;
        line += 2;
    }
}

int vector_read(const char *name, struct vector *ret_vector)
{
    VECTOR_CLEANUP struct vector vector = {0};
    char path[PATH_MAX];
    char line[256];
    FILE *file;
    int r = 0;

    (void)snprintf(path, sizeof(path), "%s/%s.hex", GUESTLINK_VECTORS, name);
    file = fopen(path, "re");
    if (!file)
        return -errno;
    while (r == 0 && fgets(line, sizeof(line), file))
        r = take_line(line, &vector);
    (void)fclose(file);
    if (r < 0)
        return r;
    *ret_vector = vector_of(vector.data, vector.size);
    return 0;
}
