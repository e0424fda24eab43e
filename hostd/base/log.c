/* log: one line on stderr for a person. */
#include "log.h"

#include "text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_SIZE 2080u

/* systemd says in the environment which device and inode the journal's stream has. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char expected[64];
    struct stat st;

    if (!stream || fstat(STDERR_FILENO, &st) < 0)
        return false;
    (void)snprintf(expected, sizeof(expected), "%ju:%ju", (uintmax_t)st.st_dev,
                   (uintmax_t)st.st_ino);
    return strcmp(stream, expected) == 0;
}

/* A line so far. What does not fit is cut; there is always room for its end. */
struct line {
    char text[LINE_SIZE];
    size_t size;
};

__attribute__((format(printf, 2, 0))) static void
put_arguments(struct line *line, const char *format, va_list arguments)
{
    size_t room = sizeof(line->text) - 1 - line->size;
    int size = vsnprintf(line->text + line->size, room, format, arguments);

    if (size > 0)
        line->size += (size_t)size < room ? (size_t)size : room - 1;
}

__attribute__((format(printf, 2, 3))) static void put(struct line *line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    put_arguments(line, format, arguments);
    va_end(arguments);
}

static void begin(struct line *line, int level)
{
    line->size = 0;
    if (stderr_is_journal())
        put(line, "<%d>", level);
    else
        put(line, "guestlink-hostd: ");
}

/* Writes the whole line with one call: lines of several writers do not mix. */
static void end(struct line *line)
{
    line->size = text_clean(line->text);
    line->text[line->size++] = '\n';
    (void)!write(STDERR_FILENO, line->text, line->size);
}

void log_line(int level, const char *format, ...)
{
    struct line line;
    va_list arguments;

    begin(&line, level);
    va_start(arguments, format);
    put_arguments(&line, format, arguments);
    va_end(arguments);
    end(&line);
}

void log_vm_list(int level, const char *vm, const char *boot_id, const char *format,
                 va_list arguments)
{
    struct line line;

    begin(&line, level);
    put(&line, "vm %s: ", vm);
    if (boot_id && *boot_id)
        put(&line, "boot %.8s: ", boot_id);
    put_arguments(&line, format, arguments);
    end(&line);
}

void log_vm(int level, const char *vm, const char *boot_id, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_vm_list(level, vm, boot_id, format, arguments);
    va_end(arguments);
}
