/* telemetry: makes each line once, in one buffer, and hands it to file, journal and subscribers. */
#include "telemetry.h"

#include "base/clock.h"
#include "base/log.h"
#include "journal.h"
#include "json_line.h"
#include "telemetry_file.h"
#include "telemetry_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* As telemetry_subscribe() says: operators at their terminals are few. */
#define SUBSCRIPTIONS 64

struct subscription {
    telemetry_line_fn fn; /* NULL: free */
    void *userdata;
};

struct telemetry {
    struct telemetry_file file;
    bool journal;
    bool told;     /* a failing file was told on stderr, until it works again */
    uint64_t seq;  /* of the last line */
    uint64_t lost; /* lines, since the start */
    uint64_t lost_untold;
    int lost_error; /* why the last one was lost, errno */
    uint64_t counts[TELEMETRY_EVENT_COUNT];
    time_t second; /* that `second_text` is */
    char second_text[32];
    struct subscription subscriptions[SUBSCRIPTIONS];
    size_t subscribed;     /* places in use so far: those behind are free */
    struct json_line line; /* the one that is told now */
};

/* In place of an errno: lines that were written are lost with their file. */
#define FILE_GONE (-1)

/* Says on stderr, once until it changes, that the file cannot be written. */
static void tell_file(struct telemetry *telemetry, int r)
{
    if (r < 0 && !telemetry->told)
        log_line(LOG_WARNING,
                 "cannot write telemetry file %s: %s; counting events as lost until it is "
                 "writable",
                 telemetry->file.path, strerror(-r));
    else if (r == 0 && telemetry->told)
        log_line(LOG_NOTICE, "telemetry file %s: writable again", telemetry->file.path);
    telemetry->told = r < 0;
}

int telemetry_new(const struct config_telemetry *config, struct telemetry **ret_telemetry)
{
    struct telemetry *telemetry = calloc(1, sizeof(*telemetry));

    if (telemetry == NULL)
        return -ENOMEM;
    telemetry->file = TELEMETRY_FILE_NULL;
    if (telemetry_file_init(&telemetry->file, config->file, config->max_bytes, config->keep) < 0) {
        (void)telemetry_free(telemetry);
        return -ENOMEM;
    }
    telemetry->journal = config->journal && journal_is_there();
    tell_file(telemetry, telemetry_file_open(&telemetry->file));
    *ret_telemetry = telemetry;
    return 0;
}

struct telemetry *telemetry_free(struct telemetry *telemetry)
{
    if (telemetry == NULL)
        return NULL;
    telemetry_file_done(&telemetry->file);
    free(telemetry);
    return NULL;
}

static void put_text(struct json_line *line, const char *key, const char *value)
{
    if (value != NULL)
        json_line_text(line, key, value, strlen(value));
    else
        json_line_literal(line, key, "null", strlen("null"));
}

/* "2026-11-21T11:27:03.123456Z" */
static void put_time(struct telemetry *telemetry)
{
    uint64_t now = clock_real_us();
    time_t second = (time_t)(now / 1000000);
    unsigned micros = (unsigned)(now % 1000000);
    char text[sizeof(telemetry->second_text) + 8];
    size_t size;
    struct tm parts;

    if (second != telemetry->second || telemetry->second_text[0] == '\0') {
        (void)gmtime_r(&second, &parts);
        (void)strftime(telemetry->second_text, sizeof(telemetry->second_text), "%Y-%m-%dT%H:%M:%S.",
                       &parts);
        telemetry->second = second;
    }
    size = strlen(telemetry->second_text);
    memcpy(text, telemetry->second_text, size);
    for (unsigned digit = 100000; digit > 0; digit /= 10)
        text[size++] = (char)('0' + micros / digit % 10);
    text[size++] = 'Z';
    json_line_text(&telemetry->line, "ts", text, size);
}

static void put_field(struct json_line *line, const struct field *field)
{
    char buffer[FIELDS_VALUE_SIZE];
    size_t size;
    const char *value = field_value(field, buffer, &size);

    if (field_is_text(field))
        json_line_text(line, field->key, value, size);
    else
        json_line_literal(line, field->key, value, size);
}

/* Makes the line, with its newline. @return false if it is too long to be one */
static bool make_line(struct telemetry *telemetry, enum telemetry_event event,
                      const struct telemetry_source *source, const struct fields *fields)
{
    static const struct telemetry_source nobody = {.vm = NULL};
    struct json_line *line = &telemetry->line;

    if (source == NULL)
        source = &nobody;
    telemetry->seq++;
    json_line_begin(line);
    put_time(telemetry);
    put_field(line, &(struct field){.key = "seq", .kind = FIELD_NUMBER, .number = telemetry->seq});
    put_text(line, "event", telemetry_table_get(event)->name);
    put_text(line, "vm", source->vm);
    put_text(line, "vm_id", source->vm_id);
    put_text(line, "boot_id", source->boot_id);
    for (unsigned i = 0; fields != NULL && i < fields->count; i++)
        put_field(line, &fields->items[i]);
    return json_line_end(line);
}

static void publish(struct telemetry *telemetry, enum telemetry_event event,
                    const struct telemetry_source *source, const struct fields *fields)
{
    telemetry->counts[event]++;
    if (telemetry->journal)
        journal_send(event, source, fields);
    for (size_t i = 0; i < telemetry->subscribed && !telemetry->line.overflow; i++) {
        const struct subscription *subscription = &telemetry->subscriptions[i];

        if (subscription->fn != NULL)
            subscription->fn(subscription->userdata, telemetry->line.data,
                             telemetry->line.size - 1);
    }
}

/* Says how many lines were lost, as soon as the file takes a line again. */
static void tell_lost(struct telemetry *telemetry)
{
    struct fields fields = {.count = 0};

    fields_number(&fields, "count", telemetry->lost_untold);
    fields_text(&fields, "reason",
                telemetry->lost_error == FILE_GONE ? "the file was removed"
                                                   : strerror(telemetry->lost_error));
    (void)make_line(telemetry, TELEMETRY_EVENTS_DROPPED, NULL, &fields);
    if (telemetry_file_append(&telemetry->file, telemetry->line.data, telemetry->line.size) == 0) {
        telemetry->lost_untold = 0;
        publish(telemetry, TELEMETRY_EVENTS_DROPPED, NULL, &fields);
    } else {
        telemetry->seq--; /* it was never there: a gap in the numbers is what was really lost */
    }
}

/* A file that somebody moved or removed without saying so (SIGUSR1) is recreated before the next
 * line; what went with it is counted as lost. */
static void look_at_file(struct telemetry *telemetry)
{
    uint64_t lines = telemetry->file.lines;
    enum telemetry_file_fate fate = telemetry_file_look(&telemetry->file);

    if (fate == TELEMETRY_FILE_THERE)
        return;
    if (fate == TELEMETRY_FILE_MOVED) {
        log_line(LOG_NOTICE, "telemetry file %s was moved; creating a new one",
                 telemetry->file.path);
        return;
    }
    log_line(
        LOG_WARNING,
        "telemetry file %s was removed with %llu lines of this daemon; recreating it; to rotate "
        "it, move it and send SIGUSR1",
        telemetry->file.path, (unsigned long long)lines);
    telemetry->lost += lines;
    telemetry->lost_untold += lines;
    telemetry->lost_error = FILE_GONE;
}

void telemetry_emit(struct telemetry *telemetry, enum telemetry_event event,
                    const struct telemetry_source *source, const struct fields *fields)
{
    int r = -EMSGSIZE;

    look_at_file(telemetry);
    if (telemetry->lost_untold > 0)
        tell_lost(telemetry);
    if (make_line(telemetry, event, source, fields))
        r = telemetry_file_append(&telemetry->file, telemetry->line.data, telemetry->line.size);
    if (r < 0) {
        telemetry->lost++;
        telemetry->lost_untold++;
        telemetry->lost_error = -r;
    }
    if (telemetry->file.path != NULL && r != -EMSGSIZE)
        tell_file(telemetry, r);
    publish(telemetry, event, source, fields);
}

void telemetry_reopen(struct telemetry *telemetry, const struct config_telemetry *config)
{
    struct telemetry_file file;

    if (config != NULL) {
        telemetry->journal = config->journal && journal_is_there();
        if (telemetry_file_init(&file, config->file, config->max_bytes, config->keep) == 0) {
            telemetry_file_done(&telemetry->file);
            telemetry->file = file;
            telemetry->told = false;
        }
    }
    tell_file(telemetry, telemetry_file_open(&telemetry->file));
}

int telemetry_subscribe(struct telemetry *telemetry, telemetry_line_fn fn, void *userdata)
{
    for (int i = 0; i < SUBSCRIPTIONS; i++) {
        if (telemetry->subscriptions[i].fn == NULL) {
            telemetry->subscriptions[i] = (struct subscription){fn, userdata};
            if (telemetry->subscribed <= (size_t)i)
                telemetry->subscribed = (size_t)i + 1;
            return i;
        }
    }
    return -EUSERS;
}

void telemetry_unsubscribe(struct telemetry *telemetry, int subscription)
{
    if (subscription >= 0 && subscription < SUBSCRIPTIONS)
        telemetry->subscriptions[subscription] = (struct subscription){0};
}

uint64_t telemetry_count(const struct telemetry *telemetry, enum telemetry_event event)
{
    return telemetry->counts[event];
}

uint64_t telemetry_lost(const struct telemetry *telemetry)
{
    return telemetry->lost;
}
