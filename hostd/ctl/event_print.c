/* event print: time, VM, event, and its fields as words, wrapped. */
#include "event_print.h"

#include "command.h"
#include "say.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* "08:15:30.123  dev           GuestConnected  " */
#define TIME_WIDTH  12
#define VM_WIDTH    10
#define INDENT      4u
#define WORDS_BYTES 8192u

static enum say_colour colour_of(const char *event)
{
    static const char *const bad[] = {"DeviceFailed", "ProtocolError", "HandshakeTimeout",
                                      "GuestTimeout", "EventsDropped"};
    static const char *const odd[] = {"SwiotlbKernelUnsupported", "SwiotlbPoolRejected",
                                      "SwiotlbPoolExhausted", "ConfigWarning", "GuestDisconnected"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (strcmp(event, bad[i]) == 0)
            return SAY_RED;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        if (strcmp(event, odd[i]) == 0)
            return SAY_YELLOW;
    return strcmp(event, "GuestReady") == 0 ? SAY_GREEN : SAY_BOLD;
}

static bool is_head(const char *key)
{
    static const char *const head[] = {"ts", "seq", "event", "vm", "vm_id", "boot_id"};

    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
        if (strcmp(key, head[i]) == 0)
            return true;
    return false;
}

/* A number of bytes is easier to read in its unit. */
static bool is_size(const char *key)
{
    size_t size = strlen(key);

    return (size >= 4 && strcasecmp(key + size - 4, "size") == 0) ||
           (size >= 5 && strcmp(key + size - 5, "bytes") == 0);
}

static size_t add(char *words, size_t used, const char *key, struct json_object *value)
{
    char text[32];
    const char *shown = json_object_get_string(value);
    int n;

    if (shown == NULL)
        shown = "null";
    if (json_object_is_type(value, json_type_int) && is_size(key) &&
        json_object_get_uint64(value) >= 1024)
        shown = say_size(json_object_get_uint64(value), text);
    if (shown[0] == '\0')
        shown = "\"\"";
    n = snprintf(words + used, WORDS_BYTES - used, "%s%s=%s", used == 0 ? "" : "  ", key, shown);
    return used + (size_t)n < WORDS_BYTES ? used + (size_t)n : WORDS_BYTES - 1;
}

/* Prints words with a margin, broken at blanks where there are some. */
static void print_wrapped(char *words, unsigned column, unsigned columns)
{
    unsigned room = columns > column ? columns - column : 1;

    while (*words != '\0') {
        size_t size = 0, blank = 0;
        unsigned width = 0;

        while (words[size] != '\0' && width < room) {
            int letter = mblen(words + size, MB_CUR_MAX);

            if (words[size] == ' ')
                blank = size;
            size += letter > 0 ? (size_t)letter : 1;
            width++;
        }
        if (words[size] != '\0' && words[size] != ' ' && blank > 0)
            size = blank;
        (void)printf("%.*s\n", (int)size, words);
        words += size;
        words += strspn(words, " ");
        if (*words != '\0')
            (void)printf("%*s", (int)INDENT, "");
        room = columns - INDENT;
    }
}

void event_print(struct event_print *print, struct json_object *event)
{
    const char *ts = command_text(event, "ts"), *name = command_text(event, "event");
    const char *vm = command_text(event, "vm");
    static char words[WORDS_BYTES];
    unsigned column, columns = say_columns();
    size_t used = 0;

    if (strlen(ts) > 23 && strncmp(ts, print->day, 10) != 0) {
        (void)snprintf(print->day, sizeof(print->day), "%.10s", ts);
        say_format(SAY_DIM, "%s (UTC)", print->day);
        (void)putchar('\n');
    }
    say_format(SAY_DIM, "%-*.*s ", TIME_WIDTH, TIME_WIDTH, strlen(ts) > 11 ? ts + 11 : "");
    say_format(SAY_PLAIN, "%-*s ", VM_WIDTH, vm[0] == '\0' ? "-" : vm);
    say_text(colour_of(name), name);
    column = TIME_WIDTH + 1 + (say_width(vm) > VM_WIDTH ? say_width(vm) : VM_WIDTH) + 1 +
             say_width(name) + 1;
    words[0] = '\0';
    json_object_object_foreach(event, key, value)
    {
        if (!is_head(key))
            used = add(words, used, key, value);
    }
    say_sanitise(words);
    if (words[0] == '\0' || column + 20 > columns) {
        (void)printf("\n%*s", words[0] == '\0' ? 0 : (int)INDENT, "");
        column = INDENT;
    } else {
        (void)putchar(' ');
    }
    print_wrapped(words, column, columns);
}
