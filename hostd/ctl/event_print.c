/* event print: time, VM, event, and its fields as words, wrapped. */
#include "event_print.h"

#include "command.h"
#include "say.h"
#include "wrap.h"

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

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), wanted = strlen(end);

    return size >= wanted && strcasecmp(text + size - wanted, end) == 0;
}

/* A person looks for what is there: no error, an empty text and a step that was not taken are not.
 */
static bool says_nothing(const char *key, struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return true;
    case json_type_string:
        return json_object_get_string_len(value) == 0;
    case json_type_int:
        return json_object_get_uint64(value) == 0 &&
               (strcmp(key, "error") == 0 || ends_with(key, "_ns") || ends_with(key, "_us"));
    default:
        return false;
    }
}

/* Numbers are easier to read in units that fit them. @return @p text of 48 bytes, or the value */
static const char *format_value(const char *key, struct json_object *value, char *text)
{
    uint64_t number = json_object_get_uint64(value);

    if (!json_object_is_type(value, json_type_int))
        return json_object_get_string(value);
    if ((ends_with(key, "size") || ends_with(key, "bytes")) && number >= 1024)
        return say_size(number, text);
    if (!ends_with(key, "_ns"))
        return json_object_get_string(value);
    (void)snprintf(text, 48, "%.1fms", (double)number / 1e6);
    return text;
}

static size_t add(char *words, size_t used, const char *key, struct json_object *value)
{
    int size = (int)strlen(key) - (ends_with(key, "_ns") ? 3 : 0), n;
    char text[48];

    n = snprintf(words + used, WORDS_BYTES - used, "%s%.*s=%s", used == 0 ? "" : "  ", size, key,
                 format_value(key, value, text));
    return used + (size_t)n < WORDS_BYTES ? used + (size_t)n : WORDS_BYTES - 1;
}

/* Prints words with a margin; the first line begins at @p column. */
static void print_wrapped(const char *words, unsigned column, unsigned columns)
{
    for (unsigned at = column; *words != '\0'; at = INDENT) {
        size_t size = wrap_line(words, columns > at ? columns - at : 1);

        (void)printf("%.*s\n", (int)size, words);
        words = wrap_rest(words, size);
        if (*words != '\0')
            (void)printf("%*s", (int)INDENT, "");
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
        if (!is_head(key) && !says_nothing(key, value))
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
