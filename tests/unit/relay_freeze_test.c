/* relay: what it has started is stopped, all of it, or that is known. */
#include "descriptors.h"
#include "hostd/relay/freeze.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WORKERS 4

static struct {
    volatile uint64_t counts[WORKERS];
    volatile pid_t pids[WORKERS];
} * shared;

static uint64_t sum(void)
{
    uint64_t total = 0;

    for (int i = 0; i < WORKERS; i++)
        total += shared->counts[i];
    return total;
}

static void need_rest(void)
{
    uint64_t before = sum();

    (void)poll(NULL, 0, 50);
    assert_int_equal(sum(), before);
}

/* thaw() reaches all after a freeze() that did; else some may stay stopped. */
static void need_work(bool was_frozen)
{
    uint64_t before = sum();

    thaw();
    while (sum() == before) {
        (void)poll(NULL, 0, 1);
        if (!was_frozen)
            thaw();
    }
}

static void *count(void *counter)
{
    for (;;)
        ++*(volatile uint64_t *)counter;
    return NULL;
}

/* Ends all that a test started. */
static void end(void)
{
    for (int i = 0; i < WORKERS; i++)
        if (shared->pids[i] > 0)
            (void)kill(shared->pids[i], SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    memset((void *)shared, 0, sizeof(*shared));
}

static int set_up(void **state)
{
    (void)state;
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : descriptors_note(state);
}

/* A child with threads, and its own child, which another one of it left behind. */
static void threads_and_children_stop_and_go_on(void **state)
{
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        pthread_t thread;

        if (fork() == 0) {
            if (fork() > 0)
                _exit(0);
            shared->pids[1] = getpid();
            (void)count((void *)&shared->counts[1]);
        }
        if (pthread_create(&thread, NULL, count, (void *)&shared->counts[2]) != 0)
            _exit(1);
        (void)count((void *)&shared->counts[0]);
    }
    shared->pids[0] = pid;
    while (!shared->counts[0] || !shared->counts[1] || !shared->counts[2])
        (void)poll(NULL, 0, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(freeze(), 0);
        need_rest();
        need_work(true);
    }
    end();
}

_Noreturn static void count_and_wake(int self)
{
    for (;;) {
        shared->counts[self]++;
        for (int i = 0; i < WORKERS; i++)
            if (i != self && shared->pids[i] > 0)
                (void)kill(shared->pids[i], SIGCONT);
    }
}

/* Each wakes all others, all the time. Either nobody runs, or the relay knows that somebody may. */
static void those_who_wake_each_other_are_not_taken_for_stopped(void **state)
{
    (void)state;
    for (int i = 0; i < WORKERS; i++) {
        pid_t pid = fork();

        if (pid == 0)
            count_and_wake(i);
        shared->pids[i] = pid;
    }
    need_work(true);
    for (int i = 0; i < 10; i++) {
        int r = freeze();

        assert_true(r == 0 || r == -ETIMEDOUT);
        if (r == 0)
            need_rest();
        need_work(r == 0);
    }
    end();
}

/* Each makes another one, which goes on when it ends: never one that is there for long. */
static void those_who_make_others_are_not_taken_for_stopped(void **state)
{
    pid_t pid = fork();

    (void)state;
    while (pid == 0) {
        shared->counts[0]++;
        if (shared->pids[1] != 0 || fork() > 0)
            _exit(0);
    }
    need_work(true);
    for (int i = 0; i < 10; i++) {
        int r = freeze();

        assert_true(r == 0 || r == -ETIMEDOUT);
        if (r == 0)
            need_rest();
        while (waitpid(-1, NULL, WNOHANG) > 0) /* as the relay does when it ends them */
            ;
        need_work(r == 0);
    }
    shared->pids[1] = -1; /* the next one makes no other */
    end();
}

static void nobody_is_stopped_already(void **state)
{
    (void)state;
    assert_int_equal(freeze(), 0);
    thaw();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_stopped_already),
        cmocka_unit_test(threads_and_children_stop_and_go_on),
        cmocka_unit_test(those_who_wake_each_other_are_not_taken_for_stopped),
        cmocka_unit_test(those_who_make_others_are_not_taken_for_stopped),
    };

    return cmocka_run_group_tests(tests, set_up, descriptors_compare);
}
