/* process_run: a start, an exit and what follows it. Children are the test's (CMakeLists.txt). */
#include "descriptors.h"
#include "init/base/clock.h"
#include "init/base/fd.h"
#include "init/process/process_group.h"
#include "init/process/process_run.h"
#include "init/process/process_stream.h"
#include "init/process/spawn.h"
#include "kmsg_played.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CHILD 4242

/* Wait statuses (wait(2)). */
#define EXIT(status) ((status) << 8)

static struct loop loop;
static struct link connection;
static struct exit_reports exits;
static struct processes processes;
static struct process *const process = &processes.table[0];
static const struct request_start_process request = {.process = 7};

static int exec_end, out_end; /* the child's */
static bool has_output;       /* the next child has a stdout */
static struct {
    int spawn_error;
    unsigned spawns, ends, removals, exits, answers;
    const struct request_start_process *order;
    int tree;
    struct event_child_exited event;
    uint32_t id, generation;
    struct report answer;
} seen;

int __wrap_spawn(const struct request_start_process *order, const struct spawn_group *group,
                 struct spawned *ret);
int __wrap_spawn(const struct request_start_process *order, const struct spawn_group *group,
                 struct spawned *ret)
{
    int exec[2], out[2] = {-1, -1};

    seen.spawns++;
    seen.order = order;
    seen.tree = group->tree;
    assert_string_equal(group->name, process->role == REQUEST_ROLE_PAYLOAD ? "payload" : "exec-7");
    if (seen.spawn_error != 0)
        return -seen.spawn_error;
    assert_int_equal(pipe2(exec, O_CLOEXEC | O_NONBLOCK), 0);
    if (has_output)
        assert_int_equal(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
    exec_end = exec[1];
    out_end = out[1];
    *ret = (struct spawned){.pid = CHILD, .exec_fd = exec[0], .out_fd = {out[0], -1}, .in_fd = -1};
    return 0;
}

void __wrap_process_group_end(const struct process *which);
void __wrap_process_group_end(const struct process *which)
{
    assert_ptr_equal(which, process);
    seen.ends++;
}

void __wrap_process_group_remove(const struct process *which);
void __wrap_process_group_remove(const struct process *which)
{
    assert_ptr_equal(which, process);
    seen.removals++;
}

void __wrap_exit_report_add(struct exit_reports *reports, struct link *link,
                            const struct event_child_exited *event);
void __wrap_exit_report_add(struct exit_reports *reports, struct link *link,
                            const struct event_child_exited *event)
{
    assert_ptr_equal(reports, &exits);
    assert_ptr_equal(link, &connection);
    seen.exits++;
    seen.event = *event;
}

void __wrap_link_answer(struct link *link, uint32_t id, uint32_t generation,
                        const struct report *report);
void __wrap_link_answer(struct link *link, uint32_t id, uint32_t generation,
                        const struct report *report)
{
    assert_ptr_equal(link, &connection);
    seen.answers++;
    seen.id = id;
    seen.generation = generation;
    seen.answer = *report;
}

/* A command is to be started for request 21. */
static int set_up(void **state)
{
    (void)state;
    memset(&processes, 0, sizeof(processes));
    memset(&seen, 0, sizeof(seen));
    exec_end = out_end = -1;
    has_output = false;
    kmsg_played[0] = '\0';
    assert_int_equal(loop_init(&loop), 0);
    processes.loop = &loop;
    processes.link = &connection; /* DOWN: output is read and dropped */
    processes.exits = &exits;
    processes.cgroups = -1;
    processes_init(&processes);
    process->used = true;
    process->number = 7;
    process->role = REQUEST_ROLE_COMMAND;
    process->pause_ms = INIT_RESTART_FIRST_MS;
    process->id = 21;
    process->generation = 3;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    exec_end = fd_close(exec_end);
    out_end = fd_close(out_end);
    loop_disarm(&loop, &process->timer);
    loop_close(&loop, &process->exec);
    loop_close(&loop, &process->out[0]);
    (void)fd_close(loop.epoll_fd);
    return 0;
}

static void be_payload(uint16_t restart)
{
    process->role = REQUEST_ROLE_PAYLOAD;
    process->restart = restart;
}

/* The child becomes its program. */
static void start(void)
{
    assert_int_equal(process_run_start(process, &request), 0);
    exec_end = fd_close(exec_end);
    loop_turn(&loop);
    assert_int_equal(process->exec.fd, -1);
}

/* The child does not become it. */
static void fail_start(int error, int status)
{
    const struct spawn_failure failure = {.error = error, .status = status, .where = "played"};

    assert_int_equal(process_run_start(process, &request), 0);
    assert_int_equal(write(exec_end, &failure, sizeof(failure)), sizeof(failure));
    exec_end = fd_close(exec_end);
    loop_turn(&loop);
}

/* The timer is armed so far from now. */
static void need_timer(uint64_t before_ns, uint64_t pause_ms)
{
    assert_in_range(process->timer.at_ns, before_ns + pause_ms * CLOCK_NS_PER_MS,
                    clock_in_ms(pause_ms));
}

static void expire(void)
{
    loop_arm(&loop, &process->timer, 1);
    loop_turn(&loop);
}

static void a_start_is_answered_once_the_program_runs(void **state)
{
    (void)state;
    process->after_exit[0] = process->after_exit[1] = 5; /* of a run before */
    process->exited = true;
    assert_int_equal(process_run_start(process, &request), 0);
    assert_false(process->exited);
    assert_int_equal(process->after_exit[0] + process->after_exit[1], 0);
    assert_ptr_equal(seen.order, &request);
    assert_int_equal(seen.tree, -1);
    assert_int_equal(process->pid, CHILD);
    assert_int_equal(processes.payload_ns, 0);
    process->exec.ready(&process->exec, EPOLLIN); /* nothing yet */
    assert_true(process->exec.fd >= 0);
    assert_int_equal(seen.answers, 0);
    exec_end = fd_close(exec_end);
    loop_turn(&loop);
    assert_int_equal(process->exec.fd, -1);
    assert_int_equal(seen.answers, 1);
    assert_int_equal(seen.id, 21);
    assert_int_equal(seen.generation, 3);
    assert_int_equal(seen.answer.error, 0);
    assert_int_equal(process->id, 0);
    kmsg_expect("6 started command 7 (pid 4242)\n");
}

static void each_role_is_named_and_a_connection_is_no_news(void **state)
{
    (void)state;
    process->id = 0; /* nobody asks */
    processes.cgroups = 5;
    be_payload(0);
    start();
    assert_int_equal(seen.tree, 5);
    assert_int_equal(processes.payload_ns, process->started_ns);
    process_run_ended(process, EXIT(0));
    kmsg_expect("6 started payload 7 (pid 4242)\n6 payload 7 (pid 4242): exit status 0\n");
    process->used = true;
    process->role = REQUEST_ROLE_COMMAND;
    process->flags = REQUEST_PROCESS_CONNECTION;
    start();
    process_run_ended(process, SIGHUP);
    kmsg_expect("7 started connection 7 (pid 4242)\n"
                "7 connection 7 (pid 4242): killed by signal 1\n");
    process->used = true;
    fail_start(ECONNREFUSED, SPAWN_NOT_EXECUTABLE);
    kmsg_expect("7 cannot start connection 7: played: Connection refused\n");
    assert_int_equal(seen.answers, 0);
}

static void a_failed_start_is_answered_and_has_no_exit(void **state)
{
    (void)state;
    fail_start(ENOENT, SPAWN_NOT_FOUND);
    assert_int_equal(seen.answers, 1);
    assert_int_equal(seen.id, 21);
    assert_int_equal(seen.answer.error, ENOENT);
    assert_string_equal(seen.answer.text, "cannot start command 7: played: "
                                          "No such file or directory");
    kmsg_expect("3 cannot start command 7: played: No such file or directory\n");
    process_run_ended(process, EXIT(SPAWN_NOT_FOUND));
    assert_int_equal(seen.exits, 0);
    assert_false(process->used);
}

/* 126 and 127 are a program's, not its directory's. */
static void what_is_not_the_programs_is_einval(void **state)
{
    (void)state;
    process->restart = REQUEST_RESTART_ALWAYS;
    fail_start(ENOENT, SPAWN_NOT_STARTED);
    assert_int_equal(seen.answer.error, EINVAL);
    assert_int_equal(process->restart, REQUEST_RESTART_NEVER);
}

static void a_payload_that_never_ran_was_not_started(void **state)
{
    (void)state;
    be_payload(REQUEST_RESTART_ALWAYS);
    fail_start(EACCES, SPAWN_NOT_EXECUTABLE);
    assert_int_equal(processes.payload_ns, 0);
    process->restarts = 1; /* it did, before */
    fail_start(EACCES, SPAWN_NOT_EXECUTABLE);
    assert_int_not_equal(processes.payload_ns, 0);
}

static void an_exit_is_reported_once(void **state)
{
    static const struct {
        int wait_status;
        unsigned status, signal;
        const char *words;
    } cases[] = {{EXIT(0), 0, 0, "exit status 0"},
                 {EXIT(3), 3, 0, "exit status 3"},
                 {SIGKILL, 128 + SIGKILL, SIGKILL, "killed by signal 9"}};
    char line[128];

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        process->used = true;
        start();
        kmsg_played[0] = '\0';
        process_run_ended(process, cases[i].wait_status);
        (void)snprintf(line, sizeof(line), "6 command 7 (pid 4242): %s\n", cases[i].words);
        kmsg_expect(line);
        assert_int_equal(seen.exits, i + 1);
        assert_int_equal(seen.event.process, 7);
        assert_int_equal(seen.event.role, REQUEST_ROLE_COMMAND);
        assert_int_equal(seen.event.pid, CHILD);
        assert_int_equal(seen.event.status, cases[i].status);
        assert_int_equal(seen.event.signal, cases[i].signal);
        assert_int_equal(seen.event.exited_ns, process->exited_ns);
        assert_int_equal(seen.event.again_ms, EVENT_NOT_AGAIN);
        assert_int_equal(seen.removals, i + 1);
        assert_false(process->used);
        assert_int_equal(process->pid, 0);
        assert_int_equal(process->timer.at_ns, 0);
    }
    assert_int_equal(seen.ends, 0);           /* what it left may go on */
    process->used = process->orphaned = true; /* nobody waits for it */
    start();
    process_run_ended(process, EXIT(0));
    assert_int_equal(seen.exits, 3);
    assert_false(process->used);
}

/* One that is reaped before its end of the pipe was read is answered first all the same. */
static void an_exit_does_not_overtake_the_answer(void **state)
{
    (void)state;
    assert_int_equal(process_run_start(process, &request), 0);
    exec_end = fd_close(exec_end);
    process_run_ended(process, EXIT(0));
    assert_int_equal(seen.answers, 1);
    assert_int_equal(seen.exits, 1);
    kmsg_expect("6 started command 7 (pid 4242)\n6 command 7 (pid 4242): exit status 0\n");
}

static void a_payload_is_restarted_as_it_was_asked_for(void **state)
{
    static const struct {
        int wait_status;
        uint16_t restart;
        bool stopping, again;
    } cases[] = {
        {EXIT(1), REQUEST_RESTART_NEVER, false, false},
        {EXIT(0), REQUEST_RESTART_NEVER, false, false},
        {EXIT(0), REQUEST_RESTART_ON_FAILURE, false, false},
        {EXIT(1), REQUEST_RESTART_ON_FAILURE, false, true},
        {SIGKILL, REQUEST_RESTART_ON_FAILURE, false, true},
        {EXIT(1), REQUEST_RESTART_ON_FAILURE, true, false},
        {EXIT(0), REQUEST_RESTART_ALWAYS, false, true},
        {EXIT(1), REQUEST_RESTART_ALWAYS, false, true},
        {EXIT(0), REQUEST_RESTART_ALWAYS, true, false},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t before_ns = clock_now_ns();

        be_payload(cases[i].restart);
        processes.stopping = cases[i].stopping;
        start();
        process_run_ended(process, cases[i].wait_status);
        assert_int_equal(seen.event.again_ms,
                         cases[i].again ? INIT_RESTART_FIRST_MS : EVENT_NOT_AGAIN);
        assert_int_equal(seen.ends, cases[i].again); /* what it left would be in the way */
        assert_int_equal(seen.removals, !cases[i].again);
        assert_int_equal(process->used, cases[i].again);
        assert_int_equal(process->pid, 0);
        assert_false(cases[i].again && process->exited);
        if (cases[i].again)
            need_timer(before_ns, INIT_RESTART_FIRST_MS);
        assert_int_equal(strstr(kmsg_played, "; restarting it\n") != NULL, cases[i].again);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

/* From the first, doubled up to the last; one that ran for long begins again. */
static void pauses_grow_unless_it_ran_for_long(void **state)
{
    const uint64_t calm_ns = INIT_RESTART_CALM_MS * CLOCK_NS_PER_MS;
    static const struct {
        uint32_t pause_ms;
        bool calm;
        uint32_t again_ms, next_ms;
    } cases[] = {
        {INIT_RESTART_FIRST_MS, false, INIT_RESTART_FIRST_MS, 2 * INIT_RESTART_FIRST_MS},
        {INIT_RESTART_LAST_MS / 2, false, INIT_RESTART_LAST_MS / 2, INIT_RESTART_LAST_MS},
        {INIT_RESTART_LAST_MS / 2 + 1, false, INIT_RESTART_LAST_MS / 2 + 1, INIT_RESTART_LAST_MS},
        {INIT_RESTART_LAST_MS, false, INIT_RESTART_LAST_MS, INIT_RESTART_LAST_MS},
        {INIT_RESTART_LAST_MS, true, INIT_RESTART_FIRST_MS, 2 * INIT_RESTART_FIRST_MS},
    };

    (void)state;
    be_payload(REQUEST_RESTART_ALWAYS);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        loop_disarm(&loop, &process->timer);
        start();
        process->pause_ms = cases[i].pause_ms;
        if (cases[i].calm)
            process->started_ns -= calm_ns;
        process_run_ended(process, EXIT(0));
        assert_int_equal(seen.event.again_ms, cases[i].again_ms);
        assert_int_equal(process->pause_ms, cases[i].next_ms);
    }
}

static void a_restart_that_fails_is_tried_again(void **state)
{
    uint64_t before_ns;

    (void)state;
    be_payload(REQUEST_RESTART_ALWAYS);
    start();
    process_run_ended(process, EXIT(0));
    kmsg_played[0] = '\0';
    seen.spawn_error = EAGAIN;
    before_ns = clock_now_ns();
    expire();
    assert_int_equal(seen.spawns, 2);
    assert_ptr_equal(seen.order, &processes.payload); /* not the frame's, which is gone */
    need_timer(before_ns, UINT64_C(2) * INIT_RESTART_FIRST_MS);
    kmsg_expect("3 cannot restart the payload: Resource temporarily unavailable; will retry in "
                "200 ms\n");
    seen.spawn_error = 0;
    expire();
    assert_int_equal(seen.spawns, 3);
    assert_int_equal(process->restarts, 2);
    assert_int_equal(process->pid, CHILD);
    exec_end = fd_close(exec_end);
    process_run_ended(process, EXIT(0));
    assert_int_equal(seen.event.restarts, 2);
    processes.stopping = true; /* a shutdown began in the pause */
    expire();
    assert_int_equal(seen.spawns, 3);
    assert_false(process->used);
    assert_int_equal(seen.removals, 1);
}

/* Somebody else holds it open: until it is quiet, what comes is taken. */
static void an_exit_waits_for_its_output(void **state)
{
    uint64_t before_ns = clock_now_ns();

    (void)state;
    has_output = true;
    start();
    process_run_ended(process, EXIT(0));
    assert_int_equal(seen.exits, 0);
    need_timer(before_ns, INIT_STREAMS_MS);
    assert_int_equal(write(out_end, "late", 4), 4);
    before_ns = clock_now_ns();
    process->timer.expired(&process->timer);
    assert_int_equal(seen.exits, 0);
    assert_true(process->out[0].fd >= 0);
    need_timer(before_ns, INIT_STREAMS_MS);
    loop_arm(&loop, &process->timer, clock_in_ms(3600000)); /* however slow this machine is */
    loop_turn(&loop);                                       /* it is read */
    process->timer.expired(&process->timer);
    assert_int_equal(seen.exits, 1);
    assert_false(process->used);
    assert_int_equal(process->out[0].fd, -1);
    assert_int_equal(process->timer.at_ns, 0);

    process->used = true; /* and one whose output ends later than it */
    out_end = fd_close(out_end);
    start();
    process_run_ended(process, EXIT(0));
    out_end = fd_close(out_end);
    loop_turn(&loop);
    assert_int_equal(seen.exits, 2);
    assert_int_equal(process->timer.at_ns, 0);
}

static void without_a_child_nothing_is_started(void **state)
{
    (void)state;
    be_payload(REQUEST_RESTART_ALWAYS);
    seen.spawn_error = ENOMEM;
    assert_int_equal(process_run_start(process, &request), -ENOMEM);
    assert_int_equal(process->pid, 0);
    assert_int_equal(processes.payload_ns, 0);
    assert_int_equal(process->exec.fd, -1);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(a_start_is_answered_once_the_program_runs),
        LIVE(each_role_is_named_and_a_connection_is_no_news),
        LIVE(a_failed_start_is_answered_and_has_no_exit),
        LIVE(what_is_not_the_programs_is_einval),
        LIVE(a_payload_that_never_ran_was_not_started),
        LIVE(an_exit_is_reported_once),
        LIVE(an_exit_does_not_overtake_the_answer),
        LIVE(a_payload_is_restarted_as_it_was_asked_for),
        LIVE(pauses_grow_unless_it_ran_for_long),
        LIVE(a_restart_that_fails_is_tried_again),
        LIVE(an_exit_waits_for_its_output),
        LIVE(without_a_child_nothing_is_started),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
