/* exit_report: none of a payload's ends is lost, and commands do not stand in their way. */
#include "descriptors.h"
#include "init/process/exit_report.h"
#include "protocol/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct link link; /* DOWN: nothing can be sent */

static void add(struct exit_reports *reports, uint32_t process, uint16_t role)
{
    const struct event_child_exited event = {.process = process, .role = role};

    exit_report_add(reports, &link, &event);
}

static void payloads_are_kept_while_nobody_listens_the_newest_first(void **state)
{
    struct exit_reports reports = {0};

    (void)state;
    for (uint32_t i = 0; i < INIT_EXIT_REPORTS + 3; i++)
        add(&reports, i, REQUEST_ROLE_PAYLOAD);
    assert_int_equal(reports.count, INIT_EXIT_REPORTS);
    assert_int_equal(reports.table[0].event.process, 3);
}

static void commands_are_not_kept_for_another_connection(void **state)
{
    struct exit_reports reports = {0};

    (void)state;
    add(&reports, 1, REQUEST_ROLE_COMMAND);
    assert_int_equal(reports.count, 0);
    reports.count = 2; /* as if both had been sent */
    reports.table[0].id = 8;
    reports.table[0].event.role = REQUEST_ROLE_COMMAND;
    reports.table[1].id = 9;
    reports.table[1].event.role = REQUEST_ROLE_PAYLOAD;
    exit_report_lost(&reports);
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.table[0].event.role, REQUEST_ROLE_PAYLOAD);
    assert_int_equal(reports.table[0].id, 0); /* to be sent again */
}

static void an_acknowledgement_takes_one_out(void **state)
{
    struct exit_reports reports = {.count = 2, .table = {{.id = 8}, {.id = 9}}};

    (void)state;
    assert_false(exit_report_acknowledge(&reports, 7));
    reports.table[0].id = 0; /* not sent: no answer is for it */
    assert_false(exit_report_acknowledge(&reports, 0));
    reports.table[0].id = 8;
    assert_true(exit_report_acknowledge(&reports, 8));
    assert_false(exit_report_acknowledge(&reports, 8));
    assert_int_equal(reports.count, 1);
    assert_int_equal(reports.table[0].id, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads_are_kept_while_nobody_listens_the_newest_first),
        cmocka_unit_test(commands_are_not_kept_for_another_connection),
        cmocka_unit_test(an_acknowledgement_takes_one_out),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
