/* timeline: from timings to bars, and bars to text. */
#include "timeline.h"

#include "command.h"
#include "say.h"

#include <string.h>

static void add(struct timeline *timeline, const char *label, bool host, double begin_ms,
                double end_ms)
{
    if (end_ms < begin_ms || timeline->count == TIMELINE_BARS)
        return;
    timeline->bars[timeline->count++] = (struct timeline_bar){label, host, begin_ms, end_ms};
    if (end_ms > timeline->end_ms)
        timeline->end_ms = end_ms;
}

static double guest_ms(struct json_object *timings, const char *key)
{
    return (double)command_number(timings, key) / 1e6;
}

/* What the guest does one after the other until its capabilities are sent, and what then happens
 * side by side until it is ready. */
static void add_guest(struct timeline *timeline, struct json_object *timings)
{
    static const struct {
        const char *key, *label;
    } row[] =
        {
            {"guest_started_ns", "kernel until PID 1"},
            {"guest_modules_ns", "modules"},
            {"guest_connected_ns", "connection"},
            {"guest_sent_ns", "capabilities sent"},
        },
      beside[] = {
          {"guest_welcomed_ns", "welcome"},
          {"guest_mounted_ns", "shares mounted"},
          {"guest_network_ns", "network set up"},
          {"guest_payload_ns", "payload started"},
          {"guest_ready_ns", "ready"},
      };
    double at = 0;

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        double end = guest_ms(timings, row[i].key);

        if (end > 0) {
            add(timeline, row[i].label, false, at, end);
            at = end > at ? end : at;
        }
    }
    for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
        double end = guest_ms(timings, beside[i].key);

        if (end > 0)
            add(timeline, beside[i].label, false, at, end);
    }
}

static void add_host(struct timeline *timeline, struct json_object *timings)
{
    static const struct {
        const char *key, *label;
    } rows[] = {
        {"devices_ms", "devices created"},  {"mounts_ms", "mounts answered"},
        {"network_ms", "network answered"}, {"payload_ms", "payload answered"},
        {"ready_ms", "READY arrived"},
    };
    double accepted = guest_ms(timings, "guest_connected_ns"), handshake;

    if (accepted <= 0) /* not told before READY; CAPABILITIES were sent right behind */
        accepted = guest_ms(timings, "guest_sent_ns");
    if (accepted <= 0 || command_number(timings, "accepted_us") == 0)
        return;
    handshake = accepted + (double)command_number(timings, "capabilities_ms");
    add(timeline, "handshake", true, accepted, handshake);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double end = (double)command_number(timings, rows[i].key);

        if (end > 0)
            add(timeline, rows[i].label, true, handshake, accepted + end);
    }
}

bool timeline_make(struct json_object *timings, struct timeline *ret_timeline)
{
    struct timeline timeline = {.end_ms = 0};

    add_guest(&timeline, timings);
    add_host(&timeline, timings);
    if (timeline.count == 0)
        return false;
    *ret_timeline = timeline;
    return true;
}

/* Eleven columns, whatever a guest says of its clock. @return @p buffer of at least 16 bytes */
static const char *format_ms(double ms, char *buffer)
{
    if (ms < 1e6)
        (void)snprintf(buffer, 16, "%8.1f ms", ms);
    else
        (void)snprintf(buffer, 16, "%9.0f s", ms < 999999999e3 ? ms / 1e3 : 999999999.0);
    return buffer;
}

static void print_bar(const struct timeline *timeline, const struct timeline_bar *bar,
                      unsigned columns)
{
    double scale = timeline->end_ms > 0 ? (double)columns / timeline->end_ms : 0;
    unsigned begin = (unsigned)(bar->begin_ms * scale), end = (unsigned)(bar->end_ms * scale);
    const char *block = say_has_utf8() ? "█" : "#";
    char text[16];

    if (end >= columns)
        end = columns - 1;
    if (begin > end)
        begin = end;
    (void)printf("%-19s%s  %*s", bar->label, format_ms(bar->end_ms - bar->begin_ms, text),
                 (int)begin, "");
    for (unsigned i = begin; i <= end; i++)
        say_text(bar->host ? SAY_YELLOW : SAY_GREEN, block);
    (void)putchar('\n');
}

void timeline_print(const struct timeline *timeline)
{
    unsigned width = say_columns(), columns = width > 60 ? width - 32 : 28;
    bool host = false;
    char text[16];

    (void)printf("%-32s0%*s\n", "guest", (int)columns - 1, format_ms(timeline->end_ms, text));
    for (size_t i = 0; i < timeline->count; i++) {
        if (timeline->bars[i].host && !host)
            (void)puts("host");
        host = timeline->bars[i].host;
        print_bar(timeline, &timeline->bars[i], columns);
    }
}
