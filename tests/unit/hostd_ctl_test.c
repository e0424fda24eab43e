/* guestlinkctl: times as people write them, files that rotate, filters, bars, and what a terminal
 * is spared. */
#include "descriptors.h"
#include "event_filter.h"
#include "event_reader.h"
#include "options.h"
#include "say.h"
#include "since.h"
#include "timeline.h"
#include "wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)
/* 2026-11-21T12:00:00Z */
#define NOW (UINT64_C(1795262400) * SECOND)

static const struct {
    const char *text;
    uint64_t us; /* 0: refused */
} times[] = {
    {"30s", NOW - 30 * SECOND},
    {"10m", NOW - 600 * SECOND},
    {"2h ago", NOW - 7200 * SECOND},
    {"1d", NOW - 86400 * SECOND},
    {"1w", NOW - 604800 * SECOND},
    {"today", NOW - 43200 * SECOND},
    {"yesterday", NOW - 129600 * SECOND},
    {"11:30", NOW - 1800 * SECOND},
    {"11:30:15", NOW - 1785 * SECOND},
    {"2026-11-21", NOW - 43200 * SECOND},
    {"2026-11-21 11:30", NOW - 1800 * SECOND},
    {"2026-11-21T11:30:00", NOW - 1800 * SECOND},
    {"2026-11-21T11:30:00Z", NOW - 1800 * SECOND},
    {"2026-11-21T11:30:00.250001Z", NOW - 1800 * SECOND + 250001},
    {"2026-11-21T12:30:00+01:00", NOW - 1800 * SECOND},
    {"2026-11-21T10:00:00-01:30", NOW - 1800 * SECOND},
    {"", 0},
    {"10", 0},
    {"10x", 0},
    {"m", 0},
    {"-5m", 0},
    {"tomorrow", 0},
    {"2026-13-01", 0},
    {"2026-11-21T11:30:00+1:00", 0},
    {"99999999999999999999s", 0},
    {"999999999999w", 0},
};

static void test_times(void **state)
{
    (void)state;
    (void)setenv("TZ", "UTC", 1);
    tzset();
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        uint64_t us = 0;
        int r = since_parse(times[i].text, NOW, &us);

        if (r != (times[i].us == 0 ? -EINVAL : 0) || us != times[i].us)
            fail_msg("\"%s\": %d, %lld s from now", times[i].text, r,
                     ((long long)us - (long long)NOW) / (long long)SECOND);
    }
}

static void test_filters(void **state)
{
    struct json_object *event = json_tokener_parse(
        "{\"ts\":\"2026-11-21T11:30:00.500000Z\",\"event\":\"GuestReady\",\"vm\":\"dev\","
        "\"vm_id\":\"abc\"}");
    static const struct {
        struct event_filter filter;
        bool matches;
    } filters[] = {
        {{NULL, NULL, 0}, true},
        {{"dev", NULL, 0}, true},
        {{"abc", NULL, 0}, true},
        {{"de", NULL, 0}, false},
        {{NULL, "GuestReady", 0}, true},
        {{NULL, "guestready", 0}, true},
        {{NULL, "GuestLog", 0}, false},
        {{NULL, NULL, NOW - 1800 * SECOND + 500000}, true},
        {{NULL, NULL, NOW - 1800 * SECOND + 500001}, false},
        {{"dev", "GuestLog", 0}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        assert_int_equal(event_filter_matches(&filters[i].filter, event), filters[i].matches);
    json_object_put(event);
}

static char directory[64], file[96];

static int set_up(void **state)
{
    (void)state;
    (void)strcpy(directory, "/tmp/guestlink-ctl-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(file, sizeof(file), "%s/t.jsonl", directory);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -r %s", directory);
    return system(command); // NOLINT(cert-env33-c): a test's own directory
}

static void append(const char *text)
{
    FILE *stream = fopen(file, "ae");

    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
}

/* As the daemon does it, keeping three. */
static void rotate(void)
{
    char from[128], to[128];

    for (unsigned i = 3; i > 0; i--) {
        (void)snprintf(to, sizeof(to), "%s.%u", file, i);
        if (i == 1)
            (void)snprintf(from, sizeof(from), "%s", file);
        else
            (void)snprintf(from, sizeof(from), "%s.%u", file, i - 1);
        (void)rename(from, to);
    }
}

static void expect(struct event_reader *reader, const char *wanted)
{
    char *line = NULL;
    int r = event_reader_next(reader, &line);

    assert_int_equal(r, wanted == NULL ? 0 : 1);
    if (wanted != NULL)
        assert_string_equal(line, wanted);
}

static void test_rotated_files_are_read_oldest_first(void **state)
{
    struct event_reader *reader = NULL;

    (void)state;
    assert_int_equal(event_reader_new(file, false, &reader), -ENOENT);
    append("1\n2\n");
    rotate();
    append("3\n");
    rotate();
    append("4\nhalf");
    assert_int_equal(event_reader_new(file, false, &reader), 0);
    expect(reader, "1");
    expect(reader, "2");
    expect(reader, "3");
    expect(reader, "4");
    expect(reader, NULL);
    assert_false(event_reader_take_gap(reader));
    assert_null(event_reader_free(reader));
}

static void test_nothing_is_lost_when_it_rotates_while_it_is_read(void **state)
{
    struct event_reader *reader = NULL;

    (void)state;
    append("1\n");
    assert_int_equal(event_reader_new(file, true, &reader), 0);
    expect(reader, "1");
    append("2\n");
    rotate();
    append("3\n");
    rotate();
    append("4\nfi");
    expect(reader, "2");
    expect(reader, "3");
    expect(reader, "4");
    append("ve\n");
    expect(reader, "five");
    rotate();
    append("6\n");
    expect(reader, "6");
    assert_false(event_reader_take_gap(reader));

    for (int i = 0; i < 5; i++) { /* more than is kept */
        rotate();
        append("later\n");
    }
    expect(reader, "later");
    (void)event_reader_free(reader);
}

static void test_logrotate_s_ways_are_followed(void **state)
{
    struct event_reader *reader = NULL;
    char moved[128];

    (void)state;
    append("1\n");
    assert_int_equal(event_reader_new(file, true, &reader), 0);
    expect(reader, "1");
    (void)snprintf(moved, sizeof(moved), "%s-20261121", file);
    assert_int_equal(rename(file, moved), 0);
    append("2\n");
    expect(reader, "2");
    assert_false(event_reader_take_gap(reader));
    append("a longer line\n");
    expect(reader, "a longer line");
    assert_int_equal(truncate(file, 0), 0); /* copytruncate */
    append("3\n");
    expect(reader, "3");
    (void)event_reader_free(reader);
}

static void test_a_line_without_end_is_left_out(void **state)
{
    static char line[EVENT_READER_LINE_BYTES * 3];
    struct event_reader *reader = NULL;

    (void)state;
    memset(line, 'x', sizeof(line) - 1);
    append("1\n");
    append(line);
    append("\n2\n");
    assert_int_equal(event_reader_new(file, false, &reader), 0);
    expect(reader, "1");
    expect(reader, "2");
    expect(reader, NULL);
    (void)event_reader_free(reader);
}

static void test_a_terminal_is_spared_control_characters(void **state)
{
    static const struct {
        const char *text, *sane;
    } texts[] = {
        {"plain", "plain"},
        {"a\033[31mb", "a [31mb"},
        {"a\r\n\tb\x7f", "a   b "},
        {"\xc3\xa4\xe2\x82\xac", "\xc3\xa4\xe2\x82\xac"},
        {"a\xc2\x9b"
         "31mb",
         "a 31mb"}, /* C1: CSI in one character */
        {"a\xff\xc3", "a??"},
        {"a\u202egpj.exe", "a?gpj.exe"},
    };

    (void)state;
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        skip();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *copy = strdup(texts[i].text);

        say_sanitise(copy);
        assert_string_equal(copy, texts[i].sane);
        free(copy);
    }
    assert_int_equal(say_width("a\xc3\xa4\xe2\x82\xac"), 3);
}

static void test_lines_break_at_blanks_and_behind_semicolons(void **state)
{
    static const struct {
        const char *text, *line, *rest;
    } cases[] = {
        {"", "", ""},
        {"short", "short", ""},
        {"ten bytes.", "ten bytes.", ""},
        {"ten bytes. more", "ten bytes.", "more"},
        {"two  blanks  between", "two", "blanks  between"},
        {"a word thatislonger", "a word", "thatislonger"},
        {"thatislongerthanten more", "thatislongerthanten", "more"},
        {"ro;a=1;b=22222", "ro;a=1;", "b=22222"},
        {"thatislongerthan;ten", "thatislongerthan;", "ten"},
        {"\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc \u00fc\u00fc\u00fc x",
         "\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc \u00fc\u00fc\u00fc", "x"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t size = wrap_line(cases[i].text, 10);

        assert_int_equal(size, strlen(cases[i].line));
        assert_memory_equal(cases[i].text, cases[i].line, size);
        assert_string_equal(wrap_rest(cases[i].text, size), cases[i].rest);
    }
}

static void test_sizes_for_people(void **state)
{
    char text[32];

    (void)state;
    assert_string_equal(say_size(0, text), "0 bytes");
    assert_string_equal(say_size(1023, text), "1023 bytes");
    assert_string_equal(say_size(67108864, text), "64 MiB");
    assert_string_equal(say_size(UINT64_C(3) << 29, text), "1.5 GiB");
}

static void test_a_timeline_has_a_bar_for_each_step(void **state)
{
    struct json_object *timings = json_tokener_parse(
        "{\"accepted_us\":1,\"capabilities_ms\":5,\"devices_ms\":100,\"ready_ms\":300,"
        "\"guest_started_ns\":2000000000,\"guest_connected_ns\":2100000000,"
        "\"guest_sent_ns\":2101000000,\"guest_mounted_ns\":2300000000,"
        "\"guest_ready_ns\":2400000000}");
    struct timeline timeline;
    char *text = NULL;
    size_t size;
    FILE *stream;

    (void)state;
    assert_true(timeline_make(timings, &timeline));
    assert_int_equal(timeline.count, 8);
    assert_string_equal(timeline.bars[0].label, "kernel until PID 1");
    assert_true(timeline.bars[0].end_ms > 1999.9 && timeline.bars[0].end_ms < 2000.1);
    assert_true(timeline.bars[7].host);
    assert_true(timeline.end_ms > 2399.9 && timeline.end_ms < 2400.1);
    stream = open_memstream(&text, &size);
    timeline_write_svg(&timeline, "dev <&>", stream);
    (void)fclose(stream);
    assert_int_equal(strncmp(text, "<svg ", 5), 0);
    assert_non_null(strstr(text, "dev &lt;&amp;&gt;"));
    assert_string_equal(text + size - 7, "</svg>\n");
    free(text);
    json_object_put(timings);

    timings = json_tokener_parse("{}");
    assert_false(timeline_make(timings, &timeline));
    json_object_put(timings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_filters),
        cmocka_unit_test_setup_teardown(test_rotated_files_are_read_oldest_first, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_lost_when_it_rotates_while_it_is_read,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_logrotate_s_ways_are_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_line_without_end_is_left_out, set_up, tear_down),
        cmocka_unit_test(test_a_terminal_is_spared_control_characters),
        cmocka_unit_test(test_lines_break_at_blanks_and_behind_semicolons),
        cmocka_unit_test(test_sizes_for_people),
        cmocka_unit_test(test_a_timeline_has_a_bar_for_each_step),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
