/* json line: JSON without a tree of objects behind it. */
#include "json_line.h"

#include "base/text.h"

#include <stdint.h>
#include <string.h>

static void put(struct json_line *line, const char *bytes, size_t size)
{
    if (line->overflow || size > sizeof(line->data) - line->size) {
        line->overflow = true;
        return;
    }
    memcpy(line->data + line->size, bytes, size);
    line->size += size;
}

void json_line_begin(struct json_line *line)
{
    line->size = 0;
    line->overflow = false;
}

static void put_key(struct json_line *line, const char *key)
{
    put(line, line->size == 0 ? "{\"" : ",\"", 2);
    put(line, key, strlen(key));
    put(line, "\":", 2);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_unit(struct json_line *line, uint32_t unit)
{
    char code[] = "\\u0000";

    for (unsigned i = 5; i > 1; i--, unit >>= 4)
        code[i] = "0123456789abcdef"[unit & 15u];
    put(line, code, 6);
}

/* By its name, or its number in UTF-16. */
static void put_escape(struct json_line *line, uint32_t character)
{
    static const char names[] = "b\bf\fn\nr\rt\t\"\"\\\\";

    for (size_t i = 0; i + 1 < sizeof(names); i += 2) {
        if ((unsigned char)names[i + 1] == character) {
            put(line, (char[]){'\\', names[i]}, 2);
            return;
        }
    }
    if (character >= 0x10000) {
        put_unit(line, 0xd800 + ((character - 0x10000) >> 10));
        character = 0xdc00 + (character & 0x3ffu);
    }
    put_unit(line, character);
}

/* One character that is not plain. @return its bytes */
static size_t put_other(struct json_line *line, struct wire_text text)
{
    size_t size = wire_character_size(text);

    if (size == 0)
        put(line, "\xef\xbf\xbd", 3);
    else if (size > 1 && text_visible_size(text) > 0)
        put(line, text.data, size);
    else
        put_escape(line, text_decode(text.data, size));
    return size > 0 ? size : 1;
}

void json_line_text(struct json_line *line, const char *key, const char *text, size_t size)
{
    put_key(line, key);
    put(line, "\"", 1);
    while (size > 0) {
        size_t taken = 0;

        while (taken < size && is_plain((unsigned char)text[taken]))
            taken++;
        put(line, text, taken);
        if (taken < size)
            taken += put_other(line, (struct wire_text){text + taken, size - taken});
        text += taken;
        size -= taken;
    }
    put(line, "\"", 1);
}

void json_line_literal(struct json_line *line, const char *key, const char *text, size_t size)
{
    put_key(line, key);
    put(line, text, size);
}

bool json_line_end(struct json_line *line)
{
    put(line, line->size == 0 ? "{}\n" : "}\n", line->size == 0 ? 3 : 2);
    return !line->overflow;
}
