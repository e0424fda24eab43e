/* telemetry: makes each line once, in one buffer, and hands it to file, journal and subscribers. */
#include "telemetry.h"

#include "base/clock.h"
#include "base/log.h"
#include "journal.h"
#include "telemetry_file.h"
#include "telemetry_table.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/printbuf.h>
#include <stdlib.h>
#include <string.h>

/* As telemetry_subscribe() says: operators at their terminals are few. */
#define SUBSCRIPTIONS 64
/* Guests' texts are cut long before; a line must fit the smallest file that may be configured. */
#define LINE_BYTES 65536

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
    struct printbuf *line;
    struct subscription subscriptions[SUBSCRIPTIONS];
};

/* Says on stderr, once until it changes, that the file cannot be written. */
static void tell_file(struct telemetry *telemetry, int r)
{
    if (r < 0 && !telemetry->told)
        log_line(LOG_WARNING,
                 "telemetry file %s: %s, expected a file that can be written; events are counted "
                 "as lost until it can",
                 telemetry->file.path, strerror(-r));
    else if (r == 0 && telemetry->told)
        log_line(LOG_NOTICE, "telemetry file %s: can be written again", telemetry->file.path);
    telemetry->told = r < 0;
}

int telemetry_new(const struct config_telemetry *config, struct telemetry **ret_telemetry)
{
    struct telemetry *telemetry = calloc(1, sizeof(*telemetry));

    if (telemetry == NULL)
        return -ENOMEM;
    telemetry->file = TELEMETRY_FILE_NULL;
    telemetry->line = printbuf_new();
    if (telemetry->line == NULL ||
        telemetry_file_init(&telemetry->file, config->file, config->max_bytes, config->keep) < 0) {
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
    if (telemetry->line != NULL)
        printbuf_free(telemetry->line);
    free(telemetry);
    return NULL;
}

static void put(struct telemetry *telemetry, const char *text, size_t size)
{
    (void)printbuf_memappend(telemetry->line, text, (int)size);
}

/* Names of VMs and UUIDs have nothing that JSON escapes (config_text.h), but say so here once. */
static void put_member(struct telemetry *telemetry, const char *key, const char *value)
{
    char text[192];
    int n;

    if (value == NULL || strpbrk(value, "\"\\") != NULL)
        return;
    n = snprintf(text, sizeof(text), ",\"%s\":\"%s\"", key, value);
    if (n > 0 && (size_t)n < sizeof(text))
        put(telemetry, text, (size_t)n);
}

static void put_time(struct telemetry *telemetry)
{
    uint64_t now = clock_real_us();
    time_t second = (time_t)(now / 1000000);
    char text[80];
    struct tm parts;
    int n;

    if (second != telemetry->second || telemetry->second_text[0] == '\0') {
        (void)gmtime_r(&second, &parts);
        (void)strftime(telemetry->second_text, sizeof(telemetry->second_text), "%Y-%m-%dT%H:%M:%S",
                       &parts);
        telemetry->second = second;
    }
    n = snprintf(text, sizeof(text), "{\"ts\":\"%s.%06uZ\",\"seq\":%" PRIu64,
                 telemetry->second_text, (unsigned)(now % 1000000), telemetry->seq);
    put(telemetry, text, (size_t)n);
}

/* Makes the line, with its newline, and a NUL behind it that does not count. */
static void make_line(struct telemetry *telemetry, enum telemetry_event event,
                      const struct telemetry_source *source, struct json_object *fields)
{
    const char *body = "{}";
    size_t size = 2;

    telemetry->seq++;
    printbuf_reset(telemetry->line);
    put_time(telemetry);
    put_member(telemetry, "event", telemetry_table_get(event)->name);
    if (source != NULL) {
        put_member(telemetry, "vm", source->vm);
        put_member(telemetry, "vm_id", source->vm_id);
        put_member(telemetry, "boot_id", source->boot_id);
    }
    if (fields != NULL)
        body = json_object_to_json_string_length(fields, JSON_C_TO_STRING_NOSLASHESCAPE, &size);
    if (body != NULL && size > 2) {
        put(telemetry, ",", 1);
        put(telemetry, body + 1, size - 1);
        put(telemetry, "\n", 1);
    } else {
        put(telemetry, "}\n", 2);
    }
}

static void publish(struct telemetry *telemetry, enum telemetry_event event,
                    const struct telemetry_source *source, struct json_object *fields)
{
    size_t size = (size_t)printbuf_length(telemetry->line);

    telemetry->counts[event]++;
    if (telemetry->journal)
        journal_send(event, source, fields);
    for (size_t i = 0; i < SUBSCRIPTIONS; i++) {
        const struct subscription *subscription = &telemetry->subscriptions[i];

        if (subscription->fn != NULL)
            subscription->fn(subscription->userdata, telemetry->line->buf, size - 1);
    }
}

/* @return 0, or -errno: the line is not in the file */
static int append(struct telemetry *telemetry)
{
    size_t size = (size_t)printbuf_length(telemetry->line);
    int r = -EMSGSIZE;

    if (size <= LINE_BYTES)
        r = telemetry_file_append(&telemetry->file, telemetry->line->buf, size);
    return r;
}

/* Says how many lines were lost, as soon as the file takes a line again. */
static void tell_lost(struct telemetry *telemetry)
{
    struct json_object *fields = json_object_new_object();

    if (fields == NULL)
        return;
    json_object_object_add(fields, "count", json_object_new_uint64(telemetry->lost_untold));
    json_object_object_add(fields, "reason",
                           json_object_new_string(strerror(telemetry->lost_error)));
    make_line(telemetry, TELEMETRY_EVENTS_DROPPED, NULL, fields);
    if (append(telemetry) == 0) {
        telemetry->lost_untold = 0;
        publish(telemetry, TELEMETRY_EVENTS_DROPPED, NULL, fields);
    } else {
        telemetry->seq--; /* it was never there: a gap in the numbers is what was really lost */
    }
    json_object_put(fields);
}

void telemetry_emit(struct telemetry *telemetry, enum telemetry_event event,
                    const struct telemetry_source *source, struct json_object *fields)
{
    int r;

    if (telemetry->lost_untold > 0)
        tell_lost(telemetry);
    make_line(telemetry, event, source, fields);
    r = append(telemetry);
    if (r < 0) {
        telemetry->lost++;
        telemetry->lost_untold++;
        telemetry->lost_error = -r;
    }
    if (telemetry->file.path != NULL && r != -EMSGSIZE)
        tell_file(telemetry, r);
    publish(telemetry, event, source, fields);
    json_object_put(fields);
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
