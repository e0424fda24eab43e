/* wrap: lines of words; option strings, which have no blanks, break behind their semicolons. */
#include "wrap.h"

#include <stdbool.h>
#include <string.h>

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0u) == 0x80;
}

size_t wrap_line(const char *text, unsigned columns)
{
    size_t end = 0;
    unsigned width = 0;

    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] == ' ' && i > 0 && text[i - 1] != ' ' && width <= columns)
            end = i;
        if (!is_continuation(text[i]))
            width++;
        if (text[i] == ';' && text[i + 1] != ' ' && width <= columns)
            end = i + 1;
        if (width > columns && end > 0)
            return end;
        if (width > columns && (text[i] == ' ' || text[i] == ';'))
            return text[i] == ' ' ? i : i + 1;
    }
    return strlen(text);
}

const char *wrap_rest(const char *text, size_t size)
{
    return text + size + strspn(text + size, " ");
}
