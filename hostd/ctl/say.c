/* say: stdout and stderr, colours, and what a terminal is spared. */
#include "say.h"

#include "base/text.h"
#include "wrap.h"

#include <inttypes.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define COLUMNS     80u
#define COLUMNS_MAX 200u

static const char *program = "guestlinkctl";

void say_set_program(const char *name)
{
    program = name;
}

void say_sanitise(char *text)
{
    (void)text_clean(text);
    for (; !say_has_utf8() && *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            *text = '?';
}

/* Of the terminal that @p fd is, or 80. */
static unsigned columns_of(int fd)
{
    struct winsize size;

    if (!isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col < 40)
        return COLUMNS;
    return size.ws_col < COLUMNS_MAX ? size.ws_col : COLUMNS_MAX;
}

void say_error(const char *format, ...)
{
    unsigned margin = (unsigned)strlen(program) + 2; /* ": " */
    char text[2048];
    const char *rest = text;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    say_sanitise(text);
    if (!isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "%s: %s\n", program, text);
        return;
    }
    (void)fprintf(stderr, "%s: ", program);
    for (bool first = true; first || *rest != '\0'; first = false) {
        size_t size = wrap_line(rest, columns_of(STDERR_FILENO) - margin);

        (void)fprintf(stderr, "%*s%.*s\n", first ? 0 : (int)margin, "", (int)size, rest);
        rest = wrap_rest(rest, size);
    }
}

static bool has_colours(void)
{
    const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return (none == NULL || none[0] == '\0') && isatty(STDOUT_FILENO) &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

void say_text(enum say_colour colour, const char *text)
{
    static const char *const codes[SAY_COLOURS] = {"", "1", "2", "31", "32", "33"};
    char *copy = strdup(text);

    if (copy == NULL)
        return;
    say_sanitise(copy);
    if (colour != SAY_PLAIN && has_colours())
        (void)printf("\033[%sm%s\033[0m", codes[colour], copy);
    else
        (void)fputs(copy, stdout);
    free(copy);
}

void say_wrapped(enum say_colour colour, const char *text, unsigned margin)
{
    unsigned columns = say_columns() > margin ? say_columns() - margin : 1;
    size_t size;

    for (bool first = true; first || *text != '\0'; first = false, text = wrap_rest(text, size)) {
        char *line;

        size = wrap_line(text, columns);
        line = strndup(text, size);
        if (line == NULL)
            return;
        (void)printf("%*s", first ? 0 : (int)margin, "");
        say_text(colour, line);
        (void)putchar('\n');
        free(line);
    }
}

void say_format(enum say_colour colour, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (n < 0)
        return;
    say_text(colour, text);
    free(text);
}

void say_lines(const char *text)
{
    bool terminal = isatty(STDOUT_FILENO);

    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        char *line = strndup(text, size);

        if (line == NULL)
            return;
        if (terminal)
            say_sanitise(line);
        (void)puts(line);
        free(line);
        text += size + (text[size] == '\n');
    }
}

void say_json(struct json_object *object)
{
    int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

    if (isatty(STDOUT_FILENO))
        flags |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
    say_lines(json_object_to_json_string_ext(object, flags));
}

unsigned say_columns(void)
{
    return columns_of(STDOUT_FILENO);
}

unsigned say_width(const char *text)
{
    mbstate_t state = {0};
    size_t left = strlen(text);
    unsigned width = 0;

    while (left > 0) {
        wchar_t wide = 0;
        size_t size = mbrtowc(&wide, text, left, &state);
        int columns;

        if (size == (size_t)-1 || size == (size_t)-2 || size == 0) {
            memset(&state, 0, sizeof(state));
            size = 1;
        }
        columns = wcwidth(wide);
        width += columns < 0 ? 1 : (unsigned)columns;
        text += size;
        left -= size;
    }
    return width;
}

bool say_has_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

const char *say_size(uint64_t bytes, char *buffer)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    double value = (double)bytes;

    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    if (unit == 0 || value - (double)(uint64_t)value < 0.05)
        (void)snprintf(buffer, 32, "%" PRIu64 " %s", (uint64_t)value, units[unit]);
    else
        (void)snprintf(buffer, 32, "%.1f %s", value, units[unit]);
    return buffer;
}
