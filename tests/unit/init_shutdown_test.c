/* shutdown: each phase is followed by the next, when its time is over or there is nothing to wait
 * for. What would end this machine is taken by the linker. */
#include "descriptors.h"
#include "init/base/clock.h"
#include "init/base/fd.h"
#include "init/base/limits.h"
#include "init/shutdown.h"
#include "init/work/unmount.h"
#include "link_support.h"
#include "protocol/event.h"
#include "protocol/request.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct loop loop;
static struct link connection;
static struct jobs jobs;
static struct processes processes;
static struct exit_reports exits;
static struct shutdown machine;
static int host;

static struct {
    int signals[8];
    pid_t pids[8];
    unsigned kills, reboots, syncs, stoppings;
    int command;
    bool alone, no_child;
    struct job_order order;
} seen;

int __wrap_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number)
{
    assert_in_range(seen.kills, 0, 7);
    seen.pids[seen.kills] = pid;
    seen.signals[seen.kills++] = number;
    return 0;
}

int __wrap_reboot(int command);
int __wrap_reboot(int command)
{
    seen.reboots++;
    seen.command = command;
    errno = EPERM;
    return -1;
}

int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    (void)id;
    (void)info;
    assert_int_equal(type, P_ALL);
    assert_int_equal(options, WEXITED | WNOHANG | WNOWAIT);
    errno = ECHILD;
    return seen.alone ? -1 : 0;
}

void __wrap_sync(void);
void __wrap_sync(void)
{
    seen.syncs++;
}

int __wrap_jobs_start(struct jobs *of, const struct job_order *order);
int __wrap_jobs_start(struct jobs *of, const struct job_order *order)
{
    assert_ptr_equal(of, &jobs);
    seen.order = *order;
    return seen.no_child ? -EAGAIN : 4711;
}

void __wrap_notify_stopping(struct jobs *of, const char *how);
void __wrap_notify_stopping(struct jobs *of, const char *how)
{
    (void)how;
    assert_true(jobs_have_room(of));
    seen.stoppings++;
}

static int set_up(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    memset(&processes, 0, sizeof(processes));
    memset(&exits, 0, sizeof(exits));
    processes.exits = &exits;
    assert_int_equal(loop_init(&loop), 0);
    jobs_init(&jobs, &loop);
    host = link_support_up(&connection, &loop);
    machine = (struct shutdown){.loop = &loop,
                                .link = &connection,
                                .jobs = &jobs,
                                .processes = &processes,
                                .power_off = CMDLINE_POWER_OFF_ACPI};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_disarm(&loop, &machine.timer);
    link_support_down(&connection, host);
    (void)fd_close(loop.epoll_fd);
    return 0;
}

/* The time of the phase is over; it was that long. */
static void expire(uint64_t ms)
{
    assert_in_range(machine.timer.at_ns, clock_in_ms(ms / 2) + 1, clock_in_ms(ms));
    loop_disarm(&loop, &machine.timer);
    machine.timer.expired(&machine.timer);
}

static void begin(uint16_t how)
{
    assert_true(shutdown_begin(&machine, how, EVENT_BY_HOST, 60000));
    assert_true(processes.stopping);
}

static void end_unmounting(int error, const char *text)
{
    struct job job = {.order = seen.order};
    struct report report = {.error = error};

    assert_int_equal(machine.phase, SHUTDOWN_UNMOUNTING);
    assert_ptr_equal(seen.order.work, unmount_all);
    assert_int_equal(seen.order.timeout_ms, INIT_SYNC_MS);
    assert_int_equal(machine.timer.at_ns, 0); /* the job has a deadline of its own */
    (void)snprintf(report.text, sizeof(report.text), "%s", text);
    seen.order.done(&job, &report);
}

static void unmounted(int error, const char *text)
{
    end_unmounting(error, text);
    assert_int_equal(machine.phase, SHUTDOWN_FAREWELL);
}

/* Takes the farewell. @return its id */
static uint32_t take_farewell(struct event_farewell *ret)
{
    struct frame frame;

    assert_true(link_support_take(host, &frame));
    assert_int_equal(frame.type, FRAME_FAREWELL);
    assert_int_not_equal(frame.id, 0);
    assert_int_equal(event_farewell_unpack(frame.payload, frame.length, ret), 0);
    return frame.id;
}

static void everything_is_terminated_then_killed_then_unmounted(void **state)
{
    struct event_farewell farewell;
    uint32_t id;

    (void)state;
    begin(REQUEST_POWER_OFF);
    assert_int_equal(machine.phase, SHUTDOWN_TERMINATING);
    assert_int_equal(seen.kills, 2);
    assert_int_equal(seen.pids[0], -1);
    assert_int_equal(seen.signals[0], SIGTERM);
    assert_int_equal(seen.signals[1], SIGCONT);
    shutdown_reaped(&machine, SIGKILL); /* before ours: not by us */
    expire(60000);
    assert_int_equal(machine.phase, SHUTDOWN_KILLING);
    assert_int_equal(seen.kills, 3);
    assert_int_equal(seen.pids[2], -1);
    assert_int_equal(seen.signals[2], SIGKILL);
    shutdown_reaped(&machine, SIGKILL);
    shutdown_reaped(&machine, SIGKILL);
    shutdown_reaped(&machine, SIGTERM);
    shutdown_reaped(&machine, 0);
    for (size_t i = 0; i < INIT_JOBS; i++) /* beyond the reach of SIGKILL */
        jobs.table[i].pid = 4711;
    expire(INIT_KILL_MS);
    assert_int_equal(seen.stoppings, 1);
    unmounted(3, "");
    id = take_farewell(&farewell);
    assert_int_equal(farewell.how, REQUEST_POWER_OFF);
    assert_int_equal(farewell.reason, EVENT_BY_HOST);
    assert_int_equal(farewell.killed, 2);
    assert_int_equal(farewell.mounted, 3);
    assert_int_equal(seen.reboots, 0);
    shutdown_acknowledged(&machine, id + 1);
    shutdown_acknowledged(&machine, 0);
    assert_int_equal(seen.reboots, 0);
    shutdown_acknowledged(&machine, id);
    assert_int_equal(seen.reboots, 1);
    assert_int_equal(seen.command, RB_POWER_OFF);
}

static void a_phase_ends_when_no_child_is_left(void **state)
{
    shutdown_alone(&machine);
    assert_int_equal(machine.phase, SHUTDOWN_RUNNING);
    begin(REQUEST_POWER_OFF);
    shutdown_alone(&machine);
    assert_int_equal(machine.phase, SHUTDOWN_UNMOUNTING);
    shutdown_alone(&machine);
    assert_int_equal(seen.stoppings, 1);
    unmounted(0, "");
    shutdown_alone(&machine);
    assert_int_equal(machine.phase, SHUTDOWN_FAREWELL);
    (void)tear_down(state);
    (void)set_up(state);
    begin(REQUEST_POWER_OFF);
    expire(60000);
    shutdown_alone(&machine);
    assert_int_equal(machine.phase, SHUTDOWN_UNMOUNTING);
}

static void without_children_nobody_is_signaled(void **state)
{
    (void)state;
    seen.alone = true;
    begin(REQUEST_HALT);
    assert_int_equal(seen.kills, 0);
    assert_int_equal(machine.phase, SHUTDOWN_UNMOUNTING);
}

static void each_way_has_its_command(void **state)
{
    static const int commands[] = {[REQUEST_POWER_OFF] = RB_POWER_OFF,
                                   [REQUEST_REBOOT] = RB_AUTOBOOT,
                                   [REQUEST_HALT] = (int)RB_HALT_SYSTEM};

    for (unsigned how = REQUEST_POWER_OFF; how <= REQUEST_HALT; how++) {
        struct event_farewell farewell;

        seen.alone = true;
        begin((uint16_t)how);
        unmounted(0, "");
        (void)take_farewell(&farewell);
        assert_int_equal(farewell.how, how);
        assert_int_equal(farewell.mounted, 0);
        expire(INIT_FAREWELL_MS); /* nobody acknowledges */
        assert_int_equal(seen.reboots, 1);
        assert_int_equal(seen.command, commands[how]);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

static void without_acpi_a_power_off_is_a_reboot(void **state)
{
    struct event_farewell farewell;

    (void)state;
    seen.alone = true;
    machine.power_off = CMDLINE_POWER_OFF_REBOOT;
    begin(REQUEST_POWER_OFF);
    unmounted(0, "");
    (void)take_farewell(&farewell);
    assert_int_equal(farewell.how, REQUEST_POWER_OFF);
    expire(INIT_FAREWELL_MS);
    assert_int_equal(seen.command, RB_AUTOBOOT);
}

/* A payload in the table, as one that runs. */
static struct process *run_payload(uint16_t stop_signal, uint32_t stop_timeout_ms)
{
    struct process *payload = &processes.table[0];

    processes.payload.stop_signal = stop_signal;
    processes.payload.stop_timeout_ms = stop_timeout_ms;
    *payload = (struct process){
        .used = true, .role = REQUEST_ROLE_PAYLOAD, .pid = 4242, .owner = &processes};
    return payload;
}

static void a_payload_is_stopped_first_in_its_own_way(void **state)
{
    struct process *payload = run_payload(SIGQUIT, 0);

    (void)state;
    begin(REQUEST_POWER_OFF);
    assert_int_equal(machine.phase, SHUTDOWN_STOPPING);
    assert_int_equal(seen.pids[0], -4242);
    assert_int_equal(seen.signals[0], SIGQUIT);
    assert_int_equal(seen.signals[1], SIGCONT);
    shutdown_program_ended(&machine); /* another one */
    assert_int_equal(machine.phase, SHUTDOWN_STOPPING);
    payload->exited = true;
    shutdown_program_ended(&machine);
    assert_int_equal(machine.phase, SHUTDOWN_TERMINATING);
    assert_int_equal(seen.pids[2], -1);
    assert_int_equal(seen.signals[2], SIGTERM);
    shutdown_reaped(&machine, SIGKILL);
    assert_int_equal(machine.killed, 0);
}

static void a_payload_that_takes_longer_than_its_time_is_killed(void **state)
{
    (void)state;
    (void)run_payload(0, 120000);
    begin(REQUEST_POWER_OFF);
    assert_int_equal(seen.signals[0], SIGTERM);
    expire(120000);
    assert_int_equal(seen.pids[2], -4242);
    assert_int_equal(seen.signals[2], SIGKILL);
    assert_int_equal(machine.phase, SHUTDOWN_TERMINATING);
    assert_int_equal(seen.pids[3], -1);
    shutdown_reaped(&machine, SIGKILL);
    assert_int_equal(machine.killed, 1);
}

static void a_terminals_program_is_hung_up_on(void **state)
{
    (void)state;
    run_payload(0, 0)->flags = REQUEST_PROCESS_TERMINAL;
    begin(REQUEST_POWER_OFF);
    assert_int_equal(machine.phase, SHUTDOWN_TERMINATING);
    assert_int_equal(seen.signals[0], SIGTERM);
    assert_int_equal(seen.pids[1], -4242);
    assert_int_equal(seen.signals[1], SIGHUP);
    assert_int_equal(seen.signals[2], SIGCONT);
}

static void a_second_request_changes_nothing(void **state)
{
    uint64_t at_ns;

    (void)state;
    begin(REQUEST_REBOOT);
    at_ns = machine.timer.at_ns;
    assert_false(shutdown_begin(&machine, REQUEST_HALT, EVENT_BY_SIGNAL, 1));
    assert_int_equal(machine.timer.at_ns, at_ns);
    assert_int_equal(machine.how, REQUEST_REBOOT);
    assert_int_equal(machine.reason, EVENT_BY_HOST);
    assert_int_equal(seen.kills, 2);
}

static void a_job_that_died_leaves_something_mounted(void **state)
{
    struct event_farewell farewell;

    (void)state;
    seen.alone = true;
    begin(REQUEST_POWER_OFF);
    unmounted(EIO, "words");
    (void)take_farewell(&farewell);
    assert_int_equal(farewell.mounted, 1);
}

static void look_again(void)
{
    assert_in_range(machine.timer.at_ns, 1, clock_in_ms(INIT_SENT_LOOK_MS));
    loop_disarm(&loop, &machine.timer);
    machine.timer.expired(&machine.timer);
}

static void a_farewell_comes_after_the_last_output_and_exit(void **state)
{
    struct event_farewell farewell;

    (void)state;
    seen.alone = true;
    processes.table[3].used = processes.table[3].exited = true; /* it has output that waits */
    begin(REQUEST_POWER_OFF);
    end_unmounting(0, "");
    machine.sent_until_ns = clock_in_ms(60000); /* this machine may stand still */
    look_again();
    assert_int_equal(machine.phase, SHUTDOWN_UNMOUNTING);
    processes.table[3].used = false;
    exits.count = 2;
    exits.table[0].id = 7;
    look_again();
    assert_int_equal(machine.phase, SHUTDOWN_UNMOUNTING);
    assert_int_equal(link_support_take(host, &(struct frame){0}), 0);
    exits.table[1].id = 8; /* sent, and no more: the answer is not waited for */
    processes.table[5].used = processes.table[5].exited = processes.table[5].orphaned = true;
    processes.table[6].used = true; /* beyond the reach of SIGKILL */
    look_again();
    assert_int_equal(machine.phase, SHUTDOWN_FAREWELL);
    (void)take_farewell(&farewell);
}

static void a_farewell_waits_for_output_only_so_long(void **state)
{
    struct event_farewell farewell;

    (void)state;
    seen.alone = true;
    exits.count = 1;
    begin(REQUEST_POWER_OFF);
    end_unmounting(0, "");
    assert_in_range(machine.sent_until_ns, clock_in_ms(INIT_SENT_MS / 2),
                    clock_in_ms(INIT_SENT_MS));
    machine.sent_until_ns = clock_now_ns();
    look_again();
    (void)take_farewell(&farewell);
    (void)tear_down(state);
    (void)set_up(state);
    seen.alone = true;
    exits.count = 1;
    begin(REQUEST_POWER_OFF);
    connection.state = LINK_DOWN; /* nobody there to send it to */
    end_unmounting(0, "");
    assert_int_equal(seen.reboots, 1);
}

static void without_a_child_for_it_pid_1_syncs(void **state)
{
    struct event_farewell farewell;

    (void)state;
    seen.alone = seen.no_child = true;
    begin(REQUEST_POWER_OFF);
    assert_int_equal(seen.syncs, 1);
    assert_int_equal(machine.phase, SHUTDOWN_FAREWELL);
    (void)take_farewell(&farewell);
}

static void without_a_host_nobody_is_waited_for(void **state)
{
    (void)state;
    seen.alone = true;
    begin(REQUEST_REBOOT);
    shutdown_lost(&machine); /* too early to matter */
    assert_int_equal(seen.reboots, 0);
    connection.state = LINK_DOWN;
    unmounted(0, "");
    assert_int_equal(seen.reboots, 1);
    assert_int_equal(seen.command, RB_AUTOBOOT);
}

static void a_host_that_goes_ends_the_wait(void **state)
{
    struct event_farewell farewell;

    (void)state;
    seen.alone = true;
    begin(REQUEST_POWER_OFF);
    unmounted(0, "");
    (void)take_farewell(&farewell);
    shutdown_lost(&machine);
    assert_int_equal(seen.reboots, 1);
}

/* systemd's signals, and PID 1's answer to them. */
static void an_agent_asks_pid_1_and_says_farewell_when_it_is_told_to_end(void **state)
{
    static const int numbers[] = {
        [REQUEST_POWER_OFF] = 4, [REQUEST_REBOOT] = 5, [REQUEST_HALT] = 3};
    struct event_farewell farewell;

    for (unsigned how = REQUEST_POWER_OFF; how <= REQUEST_HALT; how++) {
        machine.agent = true;
        begin((uint16_t)how);
        assert_int_equal(seen.kills, 1);
        assert_int_equal(seen.pids[0], 1);
        assert_int_equal(seen.signals[0], SIGRTMIN + numbers[how]);
        shutdown_alone(&machine); /* the machine's end is not ours */
        assert_int_equal(machine.phase, SHUTDOWN_TERMINATING);
        shutdown_agent(&machine);
        (void)take_farewell(&farewell);
        assert_int_equal(farewell.how, how);
        assert_int_equal(farewell.reason, EVENT_BY_HOST);
        shutdown_agent(&machine);
        assert_int_equal(link_support_take(host, &(struct frame){0}), 0);
        (void)tear_down(state);
        (void)set_up(state);
    }
    machine.agent = true;
    shutdown_agent(&machine);
    (void)take_farewell(&farewell);
    assert_int_equal(farewell.reason, EVENT_BY_SIGNAL);
    assert_int_equal(seen.kills, 0);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(everything_is_terminated_then_killed_then_unmounted),
        LIVE(a_phase_ends_when_no_child_is_left),
        LIVE(without_children_nobody_is_signaled),
        LIVE(each_way_has_its_command),
        LIVE(without_acpi_a_power_off_is_a_reboot),
        LIVE(a_payload_is_stopped_first_in_its_own_way),
        LIVE(a_payload_that_takes_longer_than_its_time_is_killed),
        LIVE(a_terminals_program_is_hung_up_on),
        LIVE(a_second_request_changes_nothing),
        LIVE(a_job_that_died_leaves_something_mounted),
        LIVE(a_farewell_comes_after_the_last_output_and_exit),
        LIVE(a_farewell_waits_for_output_only_so_long),
        LIVE(without_a_child_for_it_pid_1_syncs),
        LIVE(without_a_host_nobody_is_waited_for),
        LIVE(a_host_that_goes_ends_the_wait),
        LIVE(an_agent_asks_pid_1_and_says_farewell_when_it_is_told_to_end),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
