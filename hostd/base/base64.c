/* base64: three bytes, four letters. */
#include "base64.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(const void *data, size_t size, char *text)
{
    const uint8_t *bytes = data;
    char *out = text;

    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;

        if (i + 1 < size)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < size)
            group |= bytes[i + 2];
        *out++ = letters[group >> 18];
        *out++ = letters[group >> 12 & 63];
        *out++ = (char)(i + 1 < size ? letters[group >> 6 & 63] : '=');
        *out++ = (char)(i + 2 < size ? letters[group & 63] : '=');
    }
    *out = '\0';
    return (size_t)(out - text);
}

static int value_of(char letter)
{
    const char *found = letter == '\0' ? NULL : strchr(letters, letter);

    return found == NULL ? -1 : (int)(found - letters);
}

int base64_decode(const char *text, void *data, size_t capacity, size_t *ret_size)
{
    size_t length = strlen(text), size = length / 4 * 3;
    uint8_t *out = data;

    if (length % 4 != 0)
        return -EINVAL;
    if (length > 0)
        size -= (size_t)(text[length - 1] == '=') + (size_t)(text[length - 2] == '=');
    if (size > capacity)
        return -ENOBUFS;
    for (size_t i = 0, at = 0; i < length; i += 4) {
        uint32_t group = 0;

        for (size_t j = 0; j < 4; j++) {
            bool padding = text[i + j] == '=' && i + 4 == length && i / 4 * 3 + j > size;
            int value = padding ? 0 : value_of(text[i + j]);

            if (value < 0)
                return -EINVAL;
            group = group << 6 | (uint32_t)value;
        }
        for (size_t j = 0; j < 3; j++, at++) {
            if (at < size)
                out[at] = (uint8_t)(group >> (16 - 8 * j));
            else if ((group >> (16 - 8 * j) & 0xFF) != 0)
                return -EINVAL; /* bits that belong to no byte */
        }
    }
    *ret_size = size;
    return 0;
}
