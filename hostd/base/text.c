/* text: what others said made fit to be shown. */
#include "text.h"

#include <string.h>

/* Characters beyond ASCII that change how others look, or have no picture: C1, the separators of
 * lines and paragraphs, and what Unicode calls Default_Ignorable_Code_Point. In order. */
static const struct range {
    uint32_t first, last;
} hidden[] = {
    {0x80, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},     {0x61c, 0x61c},   {0x115f, 0x1160},
    {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e}, {0x2060, 0x206f},
    {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0}, {0xfff0, 0xfffb},
    {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

static bool is_hidden(uint32_t character)
{
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
        if (character <= hidden[i].last)
            return character >= hidden[i].first;
    return false;
}

uint32_t text_decode(const char *bytes, size_t size)
{
    static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t character = (uint8_t)bytes[0] & lead_bits[size];

    for (size_t i = 1; i < size; i++)
        character = character << 6 | ((uint8_t)bytes[i] & 0x3fu);
    return character;
}

size_t text_visible_size(struct wire_text text)
{
    size_t size;

    if (text.size == 0)
        return 0;
    if ((uint8_t)*text.data < 0x80)
        return (uint8_t)*text.data >= 0x20 && *text.data != 0x7f;
    size = wire_character_size(text);
    return size > 0 && !is_hidden(text_decode(text.data, size)) ? size : 0;
}

/* What stands in for a character that is not shown: what broke or ended a line parts words. */
static char stand_in(const char *bytes, size_t size)
{
    uint32_t character = size > 0 ? text_decode(bytes, size) : 0xfffd;

    return character < 0xa0 || character == 0x2028 || character == 0x2029 ? ' ' : '?';
}

/* Cleans what follows behind @p seen bytes that need nothing. */
static size_t clean(char *text, size_t seen, size_t size)
{
    size_t used = seen;

    while (seen < size) {
        struct wire_text rest = {.data = text + seen, .size = size - seen};
        size_t taken = text_visible_size(rest);

        if (taken > 0) {
            memmove(text + used, rest.data, taken);
            used += taken;
        } else {
            taken = wire_character_size(rest);
            text[used++] = stand_in(rest.data, taken);
            taken += taken == 0;
        }
        seen += taken;
    }
    text[used] = '\0';
    return used;
}

size_t text_clean(char *text)
{
    size_t plain = 0;

    while ((uint8_t)text[plain] >= 0x20 && (uint8_t)text[plain] < 0x7f)
        plain++;
    return text[plain] == '\0' ? plain : clean(text, plain, plain + strlen(text + plain));
}

void text_take(struct wire_text text, char *buffer, size_t capacity)
{
    size_t size = text.size < capacity ? text.size : capacity - 1;

    while (size < text.size && size > 0 && ((unsigned char)text.data[size] & 0xc0) == 0x80)
        size--;
    if (size > 0)
        memcpy(buffer, text.data, size);
    buffer[size] = '\0';
    (void)clean(buffer, 0, size);
}

char *text_hex(const uint8_t *bytes, size_t size, char *buffer)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        *buffer++ = digits[bytes[i] >> 4];
        *buffer++ = digits[bytes[i] & 15];
    }
    *buffer = '\0';
    return buffer;
}

void text_uuid(const uint8_t bytes[16], char *buffer)
{
    static const uint8_t groups[] = {4, 2, 2, 2, 6};

    for (size_t i = 0; i < sizeof(groups); bytes += groups[i++]) {
        if (i > 0)
            *buffer++ = '-';
        buffer = text_hex(bytes, groups[i], buffer);
    }
}

void text_mac(const uint8_t bytes[6], char *buffer)
{
    for (size_t i = 0; i < 6; i++) {
        if (i > 0)
            *buffer++ = ':';
        buffer = text_hex(bytes + i, 1, buffer);
    }
}
