/* json line: JSON without a tree of objects behind it. */
#include "json_line.h"

#include "protocol/wire.h"

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
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void put_escape(struct json_line *line, unsigned char c)
{
    static const char names[] = "b\bf\fn\nr\rt\t\"\"\\\\";
    char code[] = "\\u0000";

    for (size_t i = 0; i + 1 < sizeof(names); i += 2) {
        if ((unsigned char)names[i + 1] == c) {
            code[1] = names[i];
            put(line, code, 2);
            return;
        }
    }
    code[4] = "0123456789abcdef"[c >> 4];
    code[5] = "0123456789abcdef"[c & 15u];
    put(line, code, 6);
}

/* @return the bytes of the character beyond ASCII at @p text; 0: it is none */
static size_t character_size(const char *text, size_t size)
{
    unsigned char first = (unsigned char)*text;
    size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;

    return wanted <= size && wire_text_is_valid((struct wire_text){.data = text, .size = wanted})
               ? wanted
               : 0;
}

/* One character that is not plain. @return its bytes */
static size_t put_other(struct json_line *line, const char *text, size_t size)
{
    size_t character;

    if ((unsigned char)*text < 0x80) {
        put_escape(line, (unsigned char)*text);
        return 1;
    }
    character = character_size(text, size);
    if (character > 0)
        put(line, text, character);
    else
        put(line, "\xef\xbf\xbd", 3);
    return character > 0 ? character : 1;
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
            taken += put_other(line, text + taken, size - taken);
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
