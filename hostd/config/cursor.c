/* config cursor: comments and blanks, texts with their escapes, and what is wrong with them. */
#include "cursor.h"

#include "protocol/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int config_cursor_fail(struct config_cursor *cursor, const char *format, ...)
{
    va_list arguments;

    cursor->error->line = cursor->line;
    va_start(arguments, format);
    (void)vsnprintf(cursor->error->text, sizeof(cursor->error->text), format, arguments);
    va_end(arguments);
    return 1;
}

int config_cursor_fail_here(struct config_cursor *cursor, const char *expected)
{
    if (cursor->at >= cursor->end)
        return config_cursor_fail(cursor, "the file ends here, expected %s", expected);
    if (*cursor->at > ' ' && *cursor->at <= '~')
        return config_cursor_fail(cursor, "`%c`, expected %s", *cursor->at, expected);
    return config_cursor_fail(cursor, "byte 0x%02x, expected %s", (unsigned)(uint8_t)*cursor->at,
                              expected);
}

bool config_cursor_starts_with(const struct config_cursor *cursor, const char *word)
{
    const char *at = cursor->at;

    for (; *word != '\0'; word++, at++)
        if (at >= cursor->end || *at != *word)
            return false;
    return true;
}

static int skip_block_comment(struct config_cursor *cursor)
{
    unsigned begun = cursor->line;

    for (cursor->at += 2; cursor->at < cursor->end; cursor->at++) {
        if (config_cursor_starts_with(cursor, "*/")) {
            cursor->at += 2;
            return 0;
        }
        if (*cursor->at == '\n')
            cursor->line++;
    }
    cursor->line = begun;
    return config_cursor_fail(cursor, "unterminated comment, expected `*/`");
}

int config_cursor_skip_blank(struct config_cursor *cursor)
{
    int r;

    while (cursor->at < cursor->end) {
        if (config_cursor_starts_with(cursor, "/*")) {
            r = skip_block_comment(cursor);
            if (r != 0)
                return r;
        } else if (config_cursor_starts_with(cursor, "//")) {
            while (cursor->at < cursor->end && *cursor->at != '\n')
                cursor->at++;
        } else if (*cursor->at != '\0' && strchr(" \t\r\n", *cursor->at) != NULL) {
            if (*cursor->at == '\n')
                cursor->line++;
            cursor->at++;
        } else {
            break;
        }
    }
    return 0;
}

bool config_cursor_take(struct config_cursor *cursor, char wanted)
{
    if (cursor->at >= cursor->end || *cursor->at != wanted)
        return false;
    cursor->at++;
    return true;
}

static int parse_hex4(struct config_cursor *cursor, uint32_t *ret_value)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++, cursor->at++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = NULL;

        if (cursor->at < cursor->end && *cursor->at != '\0')
            digit = strchr(digits, *cursor->at | ((*cursor->at & 0x40) != 0 ? 0x20 : 0));
        if (digit == NULL)
            return config_cursor_fail_here(cursor, "four hex digits after `\\u`");
        value = value << 4 | (uint32_t)(digit - digits);
    }
    *ret_value = value;
    return 0;
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xC0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *out++ = (char)(0xE0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    } else {
        *out++ = (char)(0xF0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3F));
        *out++ = (char)(0x80 | (code >> 6 & 0x3F));
        *out++ = (char)(0x80 | (code & 0x3F));
    }
    return out;
}

/* Behind `\u`. What is written here is never longer than its escape was. */
static int parse_unicode_escape(struct config_cursor *cursor, char **out)
{
    uint32_t code = 0, low = 0;
    int r;

    r = parse_hex4(cursor, &code);
    if (r != 0)
        return r;
    if (code >= 0xD800 && code < 0xDC00 && config_cursor_starts_with(cursor, "\\u")) {
        cursor->at += 2;
        r = parse_hex4(cursor, &low);
        if (r != 0)
            return r;
        if (low < 0xDC00 || low > 0xDFFF)
            return config_cursor_fail(cursor, "half a surrogate pair, expected the other half");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code == 0 || (code >= 0xD800 && code < 0xE000))
        return config_cursor_fail(cursor, "`\\u%04x` in a string, expected a character", code);
    *out = put_utf8(*out, code);
    return 0;
}

static int parse_escape(struct config_cursor *cursor, char **out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter = NULL;

    if (config_cursor_take(cursor, 'u'))
        return parse_unicode_escape(cursor, out);
    if (cursor->at < cursor->end && *cursor->at != '\0')
        letter = strchr(letters, *cursor->at);
    if (letter == NULL)
        return config_cursor_fail_here(cursor, "one of \"\\/bfnrtu after a backslash");
    *(*out)++ = meanings[letter - letters];
    cursor->at++;
    return 0;
}

int config_cursor_take_text(struct config_cursor *cursor, char **ret_text)
{
    char *text, *out;
    size_t room = 1; /* for the NUL */
    int r = 0;

    if (!config_cursor_take(cursor, '"'))
        return config_cursor_fail_here(cursor, "a string in double quotes");
    /* The bytes up to the closing quote are enough for what the escapes come to. */
    for (const char *end = cursor->at; end < cursor->end && *end != '"'; end++, room++) {
        if (*end == '\\' && end + 1 < cursor->end) {
            end++;
            room++;
        }
    }
    text = out = malloc(room);
    if (text == NULL)
        return -ENOMEM;
    while (r == 0 && !config_cursor_take(cursor, '"')) {
        if (cursor->at >= cursor->end || (uint8_t)*cursor->at < 0x20)
            r = config_cursor_fail_here(cursor, "the string's closing quote (control characters as "
                                                "\\u00XX)");
        else if (config_cursor_take(cursor, '\\'))
            r = parse_escape(cursor, &out);
        else
            *out++ = *cursor->at++;
    }
    if (r == 0 && !wire_text_is_valid((struct wire_text){text, (size_t)(out - text)}))
        r = config_cursor_fail(cursor, "invalid UTF-8 in a string, expected UTF-8");
    if (r != 0) {
        free(text);
        return r;
    }
    *out = '\0';
    *ret_text = text;
    return 0;
}
