/* log: one line on stderr for a person. */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_SIZE 2048u

void log_clean(char *text)
{
    unsigned char *p = (unsigned char *)text;

    for (; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            *p = ' ';
        else if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
            p[0] = p[1] = ' ';
    }
}

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

/* Writes the whole line with one call: lines of several writers do not mix. */
static void write_line(int level, char *text)
{
    char line[LINE_SIZE + 32];
    int size;

    log_clean(text);
    if (stderr_is_journal())
        size = snprintf(line, sizeof(line), "<%d>%s\n", level, text);
    else
        size = snprintf(line, sizeof(line), "guestlink-hostd: %s\n", text);
    if (size > 0)
        (void)!write(STDERR_FILENO, line, (size_t)size);
}

void log_line(int level, const char *format, ...)
{
    char text[LINE_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    write_line(level, text);
}

void log_vm(int level, const char *vm, const char *boot_id, const char *format, ...)
{
    char text[LINE_SIZE];
    va_list arguments;
    int size;

    if (boot_id && *boot_id)
        size = snprintf(text, sizeof(text), "vm %s: boot %.8s: ", vm, boot_id);
    else
        size = snprintf(text, sizeof(text), "vm %s: ", vm);
    va_start(arguments, format);
    if (size >= 0 && (size_t)size < sizeof(text))
        (void)vsnprintf(text + size, sizeof(text) - (size_t)size, format, arguments);
    va_end(arguments);
    write_line(level, text);
}
