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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_timeline_has_a_bar_for_each_step),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
