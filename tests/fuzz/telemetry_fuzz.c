/*
 * guestlinkctl's reader: lines of a telemetry file that anything may have happened to, filtered and
 * printed, and the same objects as the timings of a timeline.
 */
#include "fuzz.h"
#include "hostd/ctl/event_filter.h"
#include "hostd/ctl/event_print.h"
#include "hostd/ctl/event_reader.h"
#include "hostd/ctl/timeline.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is printed is of no interest here: stdout of this process becomes /dev/null. */
static void silence(void)
{
    static bool silent;

    if (!silent)
        FUZZ_CHECK(freopen("/dev/null", "w", stdout));
    silent = true;
}

static void draw(struct json_object *timings)
{
    struct timeline timeline;
    FILE *null = fopen("/dev/null", "we");

    FUZZ_CHECK(null);
    if (timeline_make(timings, &timeline)) {
        FUZZ_CHECK(timeline.count <= TIMELINE_BARS);
        timeline_print(&timeline);
        timeline_write_svg(&timeline, "fuzz <&>", null);
    }
    (void)fclose(null);
}

static void take_line(struct event_print *print, const char *line)
{
    static const struct event_filter filter = {.vm = "dev", .event = "GuestReady", .since_us = 1};
    struct json_object *event = json_tokener_parse(line);

    (void)event_filter_matches(&filter, event);
    if (json_object_is_type(event, json_type_object)) {
        event_print(print, event);
        draw(event);
    }
    (void)json_object_put(event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event_print print = EVENT_PRINT_NULL;
    struct event_reader *reader = NULL;
    char path[64];
    char *line;
    int fd = memfd_create("telemetry", MFD_CLOEXEC);

    silence();
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (event_reader_new(path, false, &reader) == 0) {
        while (event_reader_next(reader, &line) == 1) {
            FUZZ_CHECK(strlen(line) <= EVENT_READER_LINE_BYTES);
            take_line(&print, line);
        }
        (void)event_reader_free(reader);
    }
    (void)close(fd);
    return 0;
}
