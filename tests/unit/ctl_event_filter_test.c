/* event filter: an event matches by VM, name and time. */
#include "descriptors.h"
#include "event_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)
/* 2026-11-21T12:00:00Z */
#define NOW (UINT64_C(1795262400) * SECOND)

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
