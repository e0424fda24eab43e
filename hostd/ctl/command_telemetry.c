/* command telemetry: reads the daemon's file, which works without the daemon. */
#include "client.h"
#include "command.h"
#include "event_filter.h"
#include "event_print.h"
#include "event_reader.h"
#include "say.h"
#include "since.h"
#include "telemetry/telemetry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_FILE "/var/log/guestlink/telemetry.jsonl"

/* @return true if there is such an event; else says which is nearest */
static bool check_event(const char *name)
{
    for (int i = 0; i < TELEMETRY_EVENT_COUNT; i++)
        if (strcasecmp(name, telemetry_event_name((enum telemetry_event)i)) == 0)
            return true;
    say_error("cannot use --event \"%s\": unknown; expected one that guestlinkctl(1) lists", name);
    return false;
}

static int read_filter(const struct options *options, struct event_filter *ret_filter)
{
    struct event_filter filter = {.vm = options->vm, .event = options->event};
    struct timespec now;

    if (options->event != NULL && !check_event(options->event))
        return 2;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (options->since != NULL &&
        since_parse(options->since, (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000,
                    &filter.since_us) < 0) {
        say_error("cannot use --since \"%s\": expected \"10m\", \"2h\", \"today\", \"15:04\", "
                  "\"2026-11-21 "
                  "15:04\" or RFC 3339",
                  options->since);
        return 2;
    }
    *ret_filter = filter;
    return 0;
}

/* The file that the daemon writes, if it runs and says; else the default. malloc()ed. */
static char *find_file(const struct options *options)
{
    struct json_object *reply = NULL;
    const char *file = options->file;
    char *copy;

    if (file == NULL) {
        reply = client_ask(options->socket, "Files", NULL);
        file = command_text(reply, "telemetry");
    }
    copy = strdup(file[0] != '\0' ? file : DEFAULT_FILE);
    json_object_put(reply);
    return copy;
}

static void show_line(const struct options *options, const struct event_filter *filter,
                      struct event_print *print, const char *line, unsigned long *bad)
{
    struct json_object *event = json_tokener_parse(line);

    if (!json_object_is_type(event, json_type_object))
        (*bad)++;
    else if (event_filter_matches(filter, event)) {
        if (options->json)
            say_lines(line);
        else
            event_print(print, event);
    }
    json_object_put(event);
}

static int show_lines(const struct options *options, const struct event_filter *filter,
                      struct event_reader *reader)
{
    struct event_print print = EVENT_PRINT_NULL;
    unsigned long bad = 0;
    char *line;
    int r;

    while ((r = event_reader_next(reader, &line)) > 0 && ferror(stdout) == 0) {
        if (event_reader_take_gap(reader))
            say_error("some events are missing: the file was rotated before they were read; "
                      "continuing with the next ones");
        show_line(options, filter, &print, line, &bad);
    }
    if (bad > 0)
        say_error("skipped %lu lines that are not JSON objects", bad);
    if (r < 0)
        say_error("cannot read the telemetry file: %s", strerror(-r));
    return r < 0 ? 1 : 0;
}

int command_telemetry(const struct options *options, char **words)
{
    struct event_reader *reader = NULL;
    struct event_filter filter;
    char *file;
    int status, r;

    (void)words;
    status = read_filter(options, &filter);
    if (status != 0)
        return status;
    file = find_file(options);
    r = file == NULL ? -ENOMEM
                     : event_reader_new(file, (options->given & OPTIONS_FOLLOW) != 0, &reader);
    if (r < 0) {
        say_error("cannot read %s: %s, expected the telemetry file of guestlink-hostd (--file "
                  "names another)",
                  file != NULL ? file : DEFAULT_FILE, strerror(-r));
        status = 1;
    } else {
        status = show_lines(options, &filter, reader);
    }
    (void)event_reader_free(reader);
    free(file);
    return status;
}
