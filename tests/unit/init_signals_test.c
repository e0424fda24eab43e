/* signals: which one means what, and that whatever ended is reaped, a bounded number a turn.
 * Signals and children are the test's. */
#include "descriptors.h"
#include "init/base/fd.h"
#include "init/guest.h"
#include "init/signals.h"
#include "protocol/event.h"
#include "protocol/request.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* signals.c's: more are left for the next turn. */
#define REAPED_PER_TURN 256u

static struct guest guest;
static int to_guest; /* what is written here is read as signals */
static struct {
    sigset_t set;
    unsigned waits, children, alone, reaped, processes, ended, jobs, agents, begins, reboots;
    uint16_t how, reason;
    bool lives; /* a child that has not ended */
} seen;

int __wrap_signalfd(int fd, const sigset_t *set, int flags);
int __wrap_signalfd(int fd, const sigset_t *set, int flags)
{
    int ends[2];

    assert_int_equal(fd, -1);
    assert_int_equal(flags, SFD_CLOEXEC | SFD_NONBLOCK);
    seen.set = *set;
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    (void)fd_close(to_guest);
    to_guest = ends[1];
    return ends[0];
}

int __wrap_reboot(int command);
int __wrap_reboot(int command)
{
    assert_int_equal(command, RB_DISABLE_CAD);
    seen.reboots++;
    return 0;
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
    assert_int_equal(pid, -1);
    assert_int_equal(options, WNOHANG);
    seen.waits++;
    *status = 7;
    if (seen.children > 0)
        return (pid_t)(1000 + seen.children--);
    errno = ECHILD; /* of something before, if one lives */
    return seen.lives ? 0 : -1;
}

void __wrap_shutdown_alone(struct shutdown *shutdown);
void __wrap_shutdown_alone(struct shutdown *shutdown)
{
    assert_ptr_equal(shutdown, &guest.shutdown);
    seen.alone++;
}

void __wrap_shutdown_reaped(struct shutdown *shutdown, int status);
void __wrap_shutdown_reaped(struct shutdown *shutdown, int status)
{
    assert_ptr_equal(shutdown, &guest.shutdown);
    assert_int_equal(status, 7);
    seen.reaped++;
}

/* Odd ones are processes, the others jobs. */
bool __wrap_process_reaped(struct processes *processes, pid_t pid, int status);
bool __wrap_process_reaped(struct processes *processes, pid_t pid, int status)
{
    assert_ptr_equal(processes, &guest.processes);
    assert_int_equal(status, 7);
    seen.processes += pid % 2 != 0;
    return pid % 2 != 0;
}

void __wrap_shutdown_program_ended(struct shutdown *shutdown);
void __wrap_shutdown_program_ended(struct shutdown *shutdown)
{
    assert_ptr_equal(shutdown, &guest.shutdown);
    assert_int_equal(++seen.ended, seen.processes); /* once it is known that it ended */
}

bool __wrap_jobs_reaped(struct jobs *jobs, pid_t pid, int status);
bool __wrap_jobs_reaped(struct jobs *jobs, pid_t pid, int status)
{
    assert_ptr_equal(jobs, &guest.jobs);
    assert_int_equal(pid % 2, 0);
    assert_int_equal(status, 7);
    seen.jobs++;
    return true;
}

void __wrap_shutdown_agent(struct shutdown *shutdown);
void __wrap_shutdown_agent(struct shutdown *shutdown)
{
    assert_ptr_equal(shutdown, &guest.shutdown);
    seen.agents++;
}

bool __wrap_shutdown_begin(struct shutdown *shutdown, uint16_t how, uint16_t reason,
                           uint32_t grace_ms);
bool __wrap_shutdown_begin(struct shutdown *shutdown, uint16_t how, uint16_t reason,
                           uint32_t grace_ms)
{
    assert_ptr_equal(shutdown, &guest.shutdown);
    assert_int_equal(grace_ms, INIT_GRACE_MS);
    seen.begins++;
    seen.how = how;
    seen.reason = reason;
    return true;
}

static int set_up(void **state)
{
    (void)state;
    memset(&guest, 0, sizeof(guest));
    memset(&seen, 0, sizeof(seen));
    to_guest = -1;
    if (loop_init(&guest.loop) < 0)
        return -1;
    signals_watch(&guest);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_close(&guest.loop, &guest.signals);
    loop_disarm(&guest.loop, &guest.reap_timer);
    to_guest = fd_close(to_guest);
    (void)fd_close(guest.loop.epoll_fd);
    return 0;
}

static void receive(int number)
{
    const struct signalfd_siginfo info = {.ssi_signo = (uint32_t)number};

    assert_int_equal(write(to_guest, &info, sizeof(info)), sizeof(info));
    loop_turn(&guest.loop);
}

static unsigned count_watched(void)
{
    unsigned count = 0;

    for (int number = 1; number < NSIG; number++)
        count += sigismember(&seen.set, number) == 1;
    return count;
}

static void all_are_watched_but_an_agent_watches_its_own(void **state)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGPWR};

    (void)state;
    assert_int_equal(count_watched(), SIGRTMAX - 2); /* 32 and 33: the C library's */
    assert_int_equal(seen.reboots, 1);               /* Ctrl-Alt-Del is a SIGINT from here on */
    signals_watch(&guest); /* after the real root took over: nothing is left open */
    assert_int_equal(seen.reboots, 2);
    guest.shutdown.agent = true;
    signals_watch(&guest);
    assert_int_equal(seen.reboots, 2); /* that is the other PID 1's */
    assert_int_equal(count_watched(), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(sigismember(&seen.set, numbers[i]), 1);
}

static void each_has_its_meaning(void **state)
{
    const struct {
        int number;
        uint16_t how;
    } table[] = {
        {SIGUSR1, REQUEST_HALT},           {SIGUSR2, REQUEST_POWER_OFF},
        {SIGTERM, REQUEST_REBOOT},         {SIGPWR, REQUEST_POWER_OFF},
        {SIGINT, REQUEST_REBOOT},          {SIGRTMIN + 3, REQUEST_HALT},
        {SIGRTMIN + 4, REQUEST_POWER_OFF}, {SIGRTMIN + 5, REQUEST_REBOOT},
    };

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        receive(table[i].number);
        assert_int_equal(seen.begins, i + 1);
        assert_int_equal(seen.how, table[i].how);
        assert_int_equal(seen.reason, EVENT_BY_SIGNAL);
    }
    receive(SIGHUP);
    receive(SIGRTMIN + 6);
    assert_int_equal(seen.begins, 8);
    assert_int_equal(seen.agents + seen.waits, 0);
    guest.shutdown.agent = true;
    receive(SIGTERM);
    assert_int_equal(seen.begins, 8);
    assert_int_equal(seen.agents, 1);
    receive(SIGCHLD);
    assert_int_equal(seen.agents, 1);
    assert_int_equal(seen.alone, 1);
}

static void what_is_no_signal_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(write(to_guest, "x", 1), 1);
    loop_turn(&guest.loop);
    assert_int_equal(seen.begins + seen.agents + seen.waits, 0);
}

static void all_that_ended_are_reaped(void **state)
{
    (void)state;
    seen.children = 5;
    receive(SIGCHLD);
    assert_int_equal(seen.reaped, 5);
    assert_int_equal(seen.processes, 3);
    assert_int_equal(seen.ended, 3); /* a shutdown may have waited for one of them */
    assert_int_equal(seen.jobs, 2);
    assert_int_equal(seen.alone, 1); /* none is left */
    assert_int_equal(guest.reap_timer.at_ns, 0);
}

static void who_has_a_child_that_lives_is_not_alone(void **state)
{
    (void)state;
    seen.lives = true;
    seen.children = 1;
    receive(SIGCHLD);
    assert_int_equal(seen.reaped, 1);
    assert_int_equal(seen.waits, 2);
    assert_int_equal(seen.alone, 0);
}

static void a_flood_of_them_is_reaped_in_turns(void **state)
{
    (void)state;
    seen.children = 4 * REAPED_PER_TURN + 1;
    receive(SIGCHLD);
    assert_in_range(seen.reaped, REAPED_PER_TURN, 2 * REAPED_PER_TURN); /* the timer's too */
    assert_int_equal(seen.alone, 0);
    for (unsigned i = 0; i < 4 && seen.alone == 0; i++)
        loop_turn(&guest.loop);
    assert_int_equal(seen.reaped, 4 * REAPED_PER_TURN + 1);
    assert_int_equal(seen.alone, 1);
}

static void all_are_blocked(void **state)
{
    sigset_t before, now;

    (void)state;
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &before), 0);
    signals_block();
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, &now), 0);
    for (int number = 1; number < SIGRTMIN; number++)
        if (number < 32 && number != SIGKILL && number != SIGSTOP) /* 32, 33: the C library's */
            assert_int_equal(sigismember(&now, number), 1);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(all_are_watched_but_an_agent_watches_its_own),
        LIVE(each_has_its_meaning),
        LIVE(what_is_no_signal_changes_nothing),
        LIVE(all_that_ended_are_reaped),
        LIVE(who_has_a_child_that_lives_is_not_alone),
        LIVE(a_flood_of_them_is_reaped_in_turns),
        LIVE(all_are_blocked),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
