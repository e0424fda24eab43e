/* warned: each kernel is warned of once, and so many are remembered. */
#include "base/limits.h"
#include "state/warned.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void each_kernel_is_warned_of_once(void **state)
{
    struct warned warned = {0}, again = {0};
    struct json_object *json;
    char release[32];

    (void)state;
    assert_true(warned_note(&warned, "6.1"));
    assert_false(warned_note(&warned, "6.1"));
    assert_true(warned_note(&warned, "6.2"));
    json = warned_to_json(&warned);
    warned_from_json(&again, json);
    assert_false(warned_note(&again, "6.1"));
    assert_false(warned_note(&again, "6.2"));
    /* the oldest is forgotten, and no more is kept than the limit */
    for (unsigned i = 0; i < LIMITS_WARNED_RELEASES; i++) {
        (void)snprintf(release, sizeof(release), "7.%u", i);
        assert_true(warned_note(&again, release));
    }
    assert_int_equal(again.count, LIMITS_WARNED_RELEASES);
    assert_true(warned_note(&again, "6.1"));
    (void)json_object_put(json);
    warned_done(&warned);
    warned_done(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kernel_is_warned_of_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
