/* exit_report: none of a payload's ends is lost, and commands do not stand in their way. */
#include "descriptors.h"
#include "init/base/fd.h"
#include "init/process/exit_report.h"
#include "link_support.h"
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

/* The oldest of the commands goes first, then the oldest payload. */
static void commands_make_room_for_payloads(void **state)
{
    struct exit_reports reports = {.count = INIT_EXIT_REPORTS};

    (void)state;
    for (uint32_t i = 0; i < INIT_EXIT_REPORTS; i++)
        reports.table[i].event = (struct event_child_exited){
            .process = i, .role = i == 4 ? REQUEST_ROLE_COMMAND : REQUEST_ROLE_PAYLOAD};
    add(&reports, 100, REQUEST_ROLE_PAYLOAD);
    assert_int_equal(reports.count, INIT_EXIT_REPORTS);
    for (uint32_t i = 0; i < INIT_EXIT_REPORTS - 1; i++)
        assert_int_equal(reports.table[i].event.process, i < 4 ? i : i + 1);
    assert_int_equal(reports.table[INIT_EXIT_REPORTS - 1].event.process, 100);
}

/* @return the id under which process @p process was reported, which is the next frame */
static uint32_t reported(int host, uint32_t process)
{
    struct event_child_exited event;
    struct frame frame;

    assert_true(link_support_take(host, &frame));
    assert_int_equal(frame.type, FRAME_CHILD_EXITED);
    assert_int_equal(frame.flags, 0);
    assert_int_equal(event_child_exited_unpack(frame.payload, frame.length, &event), 0);
    assert_int_equal(event.process, process);
    return frame.id;
}

static void each_is_sent_once_over_each_connection(void **state)
{
    struct exit_reports reports = {0};
    struct frame frame;
    struct loop loop;
    uint32_t ids[3];
    int host;

    (void)state;
    assert_int_equal(loop_init(&loop), 0);
    add(&reports, 1, REQUEST_ROLE_PAYLOAD); /* while nobody listens */
    host = link_support_up(&link, &loop);
    add(&reports, 2, REQUEST_ROLE_PAYLOAD); /* takes the first along */
    add(&reports, 3, REQUEST_ROLE_COMMAND);
    for (uint32_t i = 0; i < 3; i++) {
        ids[i] = reported(host, i + 1);
        assert_int_not_equal(ids[i], 0);
        assert_int_equal(reports.table[i].id, ids[i]);
    }
    assert_true(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    exit_report_send(&reports, &link);
    assert_false(link_support_take(host, &frame));
    assert_true(exit_report_acknowledge(&reports, ids[1]));
    link_support_down(&link, host);
    exit_report_lost(&reports);
    assert_int_equal(reports.count, 1); /* the command is nobody's any more */
    host = link_support_up(&link, &loop);
    exit_report_send(&reports, &link);
    (void)reported(host, 1);
    assert_false(link_support_take(host, &frame));
    link_support_down(&link, host);
    (void)fd_close(loop.epoll_fd);
}

/* Room is kept for answers; what waits is sent once there is more. */
static void a_full_link_is_waited_for(void **state)
{
    struct exit_reports reports = {0};
    struct frame frame;
    struct loop loop;
    int host;

    (void)state;
    assert_int_equal(loop_init(&loop), 0);
    host = link_support_up(&link, &loop);
    link.out.size = link.out.capacity - INIT_ANSWER_RESERVE + 1;
    add(&reports, 1, REQUEST_ROLE_PAYLOAD);
    assert_int_equal(reports.table[0].id, 0);
    assert_false(link_support_take(host, &frame));
    link.out.size = 0;
    exit_report_send(&reports, &link);
    assert_int_equal(reports.table[0].id, reported(host, 1));
    link.out.size = link.out.capacity - INIT_ANSWER_RESERVE;
    add(&reports, 2, REQUEST_ROLE_PAYLOAD);
    assert_int_not_equal(reports.table[1].id, 0);
    link_support_down(&link, host);
    (void)fd_close(loop.epoll_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads_are_kept_while_nobody_listens_the_newest_first),
        cmocka_unit_test(commands_are_not_kept_for_another_connection),
        cmocka_unit_test(an_acknowledgement_takes_one_out),
        cmocka_unit_test(commands_make_room_for_payloads),
        cmocka_unit_test(each_is_sent_once_over_each_connection),
        cmocka_unit_test(a_full_link_is_waited_for),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
