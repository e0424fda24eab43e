/* text: text of a guest's made fit for logs and telemetry. */
#include "text.h"

#include "log.h"

#include <stdbool.h>
#include <string.h>

void text_take(struct wire_text text, char *buffer, size_t capacity)
{
    size_t size = text.size < capacity ? text.size : capacity - 1;

    while (size < text.size && size > 0 && ((unsigned char)text.data[size] & 0xc0) == 0x80)
        size--;
    if (size > 0)
        memcpy(buffer, text.data, size);
    buffer[size] = '\0';
    for (size_t i = 0; i < size; i++) {
        if (buffer[i] == '\0')
            buffer[i] = ' ';
    }
    if (!wire_text_is_valid((struct wire_text){.data = buffer, .size = size})) {
        for (size_t i = 0; i < size; i++) {
            if ((unsigned char)buffer[i] >= 0x80)
                buffer[i] = '?';
        }
    }
    log_clean(buffer);
}

void text_uuid(const uint8_t b[16], char *buffer)
{
    static const char digits[] = "0123456789abcdef";
    char *p = buffer;

    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digits[b[i] >> 4];
        *p++ = digits[b[i] & 15];
    }
    *p = '\0';
}
