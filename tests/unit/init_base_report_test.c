/* report: the first error is the report's, and every sentence is in it as far as it fits. */
#include "init/base/report.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void failure_takes_the_place_of_what_was_there(void **state)
{
    struct report report = {.error = EIO, .text = "before"};

    (void)state;
    assert_int_equal(report_fail(&report, EPERM, "cannot do %d", 7), EPERM);
    assert_int_equal(report.error, EPERM);
    assert_string_equal(report.text, "cannot do 7");
}

static void what_is_added_stands_behind(void **state)
{
    struct report report = {0};

    (void)state;
    assert_int_equal(report_add(&report, 0, "a remark"), 0);
    assert_int_equal(report.error, 0);
    assert_string_equal(report.text, "a remark");
    assert_int_equal(report_add(&report, EPERM, "first %s", "error"), EPERM);
    assert_int_equal(report_add(&report, EIO, "second"), EIO);
    assert_int_equal(report.error, EPERM);
    assert_string_equal(report.text, "a remark; first error; second");
}

static void what_does_not_fit_is_cut(void **state)
{
    /* How much is free, and what is there then. */
    static const struct {
        size_t room;
        const char *end;
    } rows[] = {{6, "a; next"}, {5, "a; nex"}, {3, "a; n"}, {2, "a; "}, {1, "a;"}, {0, "a"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct report report = {0};
        size_t size = sizeof(report.text) - 1 - rows[i].room;

        memset(report.text, 'a', size);
        assert_int_equal(report_add(&report, EPERM, "next"), EPERM);
        assert_int_equal(report.error, EPERM);
        assert_string_equal(report.text + size - 1, rows[i].end);
        assert_int_equal(strlen(report.text), sizeof(report.text) - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failure_takes_the_place_of_what_was_there),
        cmocka_unit_test(what_is_added_stands_behind),
        cmocka_unit_test(what_does_not_fit_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
