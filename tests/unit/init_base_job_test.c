/* job: work in children: its report, its deadline, its death. */
#include "descriptors.h"
#include "init/base/clock.h"
#include "init/base/fd.h"
#include "init/base/job.h"
#include "init/base/kmsg_log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop loop;
static struct jobs jobs;
static struct report last;
static unsigned done_count;

static void on_done(struct job *job, const struct report *report)
{
    (void)job;
    last = *report;
    done_count++;
}

static void work_well(const void *argument, struct report *report)
{
    (void)report_fail(report, 7, "got %s", (const char *)argument);
}

static void work_for_ever(const void *argument, struct report *report)
{
    (void)argument;
    (void)report;
    for (;;)
        (void)pause();
}

static void die(const void *argument, struct report *report)
{
    (void)argument;
    (void)report;
    _exit(3);
}

static void sink(void *context, int level, uint32_t dropped, const char *text)
{
    (void)level;
    (void)dropped;
    (void)text;
    (*(unsigned *)context)++;
}

/* The log of a child is its own, but not this machine's. */
static unsigned opened;

void __wrap_kmsg_log_open(void);
void __wrap_kmsg_log_open(void)
{
    opened++;
}

static unsigned sunk; /* lines that went to PID 1's sink */

/* The child's state: what is blocked or ignored, which of PID 1's descriptors are open, and where
 * its log goes. */
static void look_around(const void *argument, struct report *report)
{
    const int *fd = argument;
    struct sigaction action;
    sigset_t blocked;
    bool is_blocked, is_ignored;

    (void)sigprocmask(SIG_SETMASK, NULL, &blocked);
    (void)sigaction(SIGUSR1, NULL, &action);
    is_blocked = sigismember(&blocked, SIGCHLD);
    is_ignored = action.sa_handler != SIG_DFL;
    kmsg_log(LOG_ERR, "of a job");
    (void)report_fail(report, 1, "blocked %d ignored %d inherited %d flags %d sunk %u opened %u",
                      is_blocked, is_ignored, fcntl(*fd, F_GETFD) >= 0, fcntl(3, F_GETFD), sunk,
                      opened);
}

static pid_t start(job_work *work, uint32_t timeout_ms)
{
    const struct job_order order = {.name = "test",
                                    .work = work,
                                    .argument = "words",
                                    .timeout_ms = timeout_ms,
                                    .done = on_done,
                                    .id = 5,
                                    .generation = 1,
                                    .digest = 99};

    done_count = 0;
    return jobs_start(&jobs, &order);
}

static void reap(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(jobs_reaped(&jobs, pid, status));
    assert_false(jobs_reaped(&jobs, pid, status));
}

static int set_up(void **state)
{
    (void)state;
    memset(&jobs, 0, sizeof(jobs));
    assert_int_equal(loop_init(&loop), 0);
    jobs_init(&jobs, &loop);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)fd_close(loop.epoll_fd);
    return 0;
}

static void forget_and_start(struct job *job, const struct report *report)
{
    on_done(job, report);
    jobs_forget(&jobs);
    (void)start(work_for_ever, 60000);
}

/* PID 1 is handed over when one has ended, and what was held for it begins at once. */
static void what_follows_a_job_may_take_its_place(void **state)
{
    const struct job_order order = {
        .name = "test", .work = work_well, .timeout_ms = 60000, .done = forget_and_start};

    (void)state;
    assert_true(jobs_have_room(&jobs));
    reap(jobs_start(&jobs, &order));
    assert_int_not_equal(jobs.table[0].pid, 0); /* the one that began then */
    assert_int_equal(kill(jobs.table[0].pid, SIGKILL), 0);
    reap(jobs.table[0].pid);
    assert_int_equal(done_count, 1);
}

static void a_report_comes_back(void **state)
{
    (void)state;
    reap(start(work_well, 10000));
    assert_int_equal(done_count, 1);
    assert_int_equal(last.error, 7);
    assert_string_equal(last.text, "got words");
}

static void a_death_without_a_word_is_an_error(void **state)
{
    (void)state;
    reap(start(die, 10000));
    assert_int_equal(last.error, EIO);
}

static void a_job_beyond_its_deadline_is_answered_and_killed(void **state)
{
    pid_t pid = start(work_for_ever, 10);
    int status;

    (void)state;
    while (done_count == 0)
        loop_turn(&loop);
    assert_int_equal(last.error, ETIMEDOUT);
    assert_non_null(strstr(last.text, "10 ms"));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_false(jobs_reaped(&jobs, pid, status));
    assert_int_equal(done_count, 1);
}

/* None of them is reaped before the test says so: as on a share whose server is dead. */
static void jobs_that_hang_leave_room_for_others(void **state)
{
    pid_t pids[INIT_JOBS];

    (void)state;
    for (size_t i = 0; i < INIT_JOBS; i++)
        pids[i] = start(work_for_ever, 60000);
    assert_false(jobs_have_room(&jobs));
    for (size_t i = 0; i < INIT_JOBS; i++)
        jobs.table[i].deadline.expired(&jobs.table[i].deadline);
    assert_int_equal(last.error, ETIMEDOUT);
    assert_true(jobs_have_room(&jobs));
    assert_null(loop.timers);
    reap(start(work_well, 10000));
    assert_int_equal(last.error, 7);
    for (size_t i = 0; i < INIT_JOBS; i++) {
        assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
        assert_false(jobs_reaped(&jobs, pids[i], 0));
    }
}

static void a_full_table_is_eagain(void **state)
{
    pid_t pids[INIT_JOBS];

    (void)state;
    for (size_t i = 0; i < INIT_JOBS; i++) {
        pids[i] = start(die, 10000);
        assert_true(pids[i] > 0);
    }
    assert_int_equal(start(die, 10000), -EAGAIN);
    for (size_t i = 0; i < INIT_JOBS; i++)
        reap(pids[i]);
}

static void the_same_request_of_a_later_connection_adopts_the_job(void **state)
{
    pid_t pid = start(work_well, 10000);

    (void)state;
    assert_false(jobs_adopt(&jobs, 99, 6, 1)); /* the same connection asks twice: two jobs */
    assert_false(jobs_adopt(&jobs, 98, 6, 2));
    assert_true(jobs_adopt(&jobs, 99, 6, 2));
    for (size_t i = 0; i < INIT_JOBS; i++)
        if (jobs.table[i].pid == pid)
            assert_int_equal(jobs.table[i].order.id, 6);
    reap(pid);
}

/* Nothing of PID 1's is in the child but the streams and its report. */
static void a_child_begins_clean(void **state)
{
    int fd = fcntl(loop.epoll_fd, F_DUPFD_CLOEXEC, 20);
    const struct job_order order = {
        .name = "test", .work = look_around, .argument = &fd, .timeout_ms = 60000, .done = on_done};
    sigset_t chld, before;

    (void)state;
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &chld, &before);
    (void)signal(SIGUSR1, SIG_IGN);
    kmsg_log_set_sink(sink, &sunk);
    done_count = 0;
    reap(jobs_start(&jobs, &order));
    kmsg_log_set_sink(NULL, NULL);
    (void)signal(SIGUSR1, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)close(fd);
    assert_string_equal(last.text, "blocked 0 ignored 0 inherited 0 flags 1 sunk 0 opened 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_report_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_child_begins_clean, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_follows_a_job_may_take_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_death_without_a_word_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_job_beyond_its_deadline_is_answered_and_killed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(jobs_that_hang_leave_room_for_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_table_is_eagain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_request_of_a_later_connection_adopts_the_job,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
