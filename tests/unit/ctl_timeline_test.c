/* timeline: a bar for each step. */
#include "descriptors.h"
#include "timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

struct bar {
    const char *label;
    bool host;
    int begin_ms, end_ms;
};

static void assert_bars(const char *text, const struct bar *bars, size_t count, int end_ms)
{
    struct json_object *timings = json_tokener_parse(text);
    struct timeline timeline;

    assert_true(timeline_make(timings, &timeline));
    json_object_put(timings);
    assert_int_equal(timeline.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(timeline.bars[i].label, bars[i].label);
        assert_int_equal(timeline.bars[i].host, bars[i].host);
        assert_int_equal(timeline.bars[i].begin_ms, bars[i].begin_ms);
        assert_int_equal(timeline.bars[i].end_ms, bars[i].end_ms);
    }
    assert_int_equal(timeline.end_ms, end_ms);
}

static void test_each_step_begins_where_the_one_before_ends_or_beside_the_others(void **state)
{
    static const struct bar bars[] = {
        {"kernel until PID 1", false, 0, 100},
        {"modules", false, 100, 110},
        {"connection", false, 110, 120},
        {"capabilities sent", false, 120, 130},
        {"welcome", false, 130, 140},
        {"shares mounted", false, 130, 150},
        {"network set up", false, 130, 160},
        {"payload started", false, 130, 170},
        {"ready", false, 130, 180},
        {"handshake", true, 120, 125},
        {"devices created", true, 125, 150},
        {"mounts answered", true, 125, 160},
        {"network answered", true, 125, 170},
        {"payload answered", true, 125, 180},
        {"READY arrived", true, 125, 190},
    };

    (void)state;
    assert_bars("{\"guest_started_ns\":100000000,\"guest_modules_ns\":110000000,"
                "\"guest_connected_ns\":120000000,\"guest_sent_ns\":130000000,"
                "\"guest_welcomed_ns\":140000000,\"guest_mounted_ns\":150000000,"
                "\"guest_network_ns\":160000000,\"guest_payload_ns\":170000000,"
                "\"guest_ready_ns\":180000000,\"accepted_us\":1,\"capabilities_ms\":5,"
                "\"devices_ms\":30,\"mounts_ms\":40,\"network_ms\":50,\"payload_ms\":60,"
                "\"ready_ms\":70}",
                bars, sizeof(bars) / sizeof(bars[0]), 190);
}

/* As a guest may tell it, whose clock is its own affair. */
static void test_what_ends_before_it_begins_has_no_bar(void **state)
{
    static const struct bar bars[] = {
        {"kernel until PID 1", false, 0, 100},  {"connection", false, 100, 100},
        {"capabilities sent", false, 100, 130}, {"ready", false, 130, 130},
        {"handshake", true, 100, 150},          {"READY arrived", true, 150, 150},
    };

    (void)state;
    assert_bars("{\"guest_started_ns\":100000000,\"guest_modules_ns\":99000000,"
                "\"guest_connected_ns\":100000000,\"guest_sent_ns\":130000000,"
                "\"guest_welcomed_ns\":129000000,\"guest_ready_ns\":130000000,"
                "\"accepted_us\":1,\"capabilities_ms\":50,\"devices_ms\":49,"
                "\"ready_ms\":50}",
                bars, sizeof(bars) / sizeof(bars[0]), 150);
}

static void test_the_host_s_steps_need_a_moment_that_both_know(void **state)
{
    static const struct bar bars[] = {
        {"capabilities sent", false, 0, 130},
        {"handshake", true, 130, 135},
    };

    (void)state;
    assert_bars("{\"guest_sent_ns\":130000000,\"accepted_us\":1,\"capabilities_ms\":5}", bars, 2,
                135);
    assert_bars("{\"guest_sent_ns\":130000000,\"accepted_us\":0,\"capabilities_ms\":5}", bars, 1,
                130);
    assert_bars("{\"guest_mounted_ns\":150000000,\"accepted_us\":1,\"capabilities_ms\":5}",
                (const struct bar[]){{"shares mounted", false, 0, 150}}, 1, 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_timeline_has_a_bar_for_each_step),
        cmocka_unit_test(test_each_step_begins_where_the_one_before_ends_or_beside_the_others),
        cmocka_unit_test(test_what_ends_before_it_begins_has_no_bar),
        cmocka_unit_test(test_the_host_s_steps_need_a_moment_that_both_know),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
