/*
 * supervisor: what `guestlink run` hears of its supervisor, and what that does and leaves. The
 * image, the daemon and QEMU are the test's (CMakeLists.txt); what the supervisor's process does is
 * in memory that it shares with the test.
 */
#include "once/supervisor.h"

#include "once/children.h"
#include "once/image.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 60000

enum { QEMU, DAEMON, CONSOLE, LOG, PIPES };

static struct {
    volatile unsigned images, starts, ends, removals, consoles, logs;
    volatile pid_t orphan, runs;
} * noted;

/* The host. */
static int image_error, start_error;
static bool goes_on; /* one of two children does, until it is killed */
static int pipes[PIPES][2];
static struct request request;
static struct plan plan;
static struct supervisor supervisor;

int __wrap_image_get(const struct request *asked, const struct kernel *kernel, const char *folder,
                     int stop, char ret_path[LIMITS_PATH]);
int __wrap_image_get(const struct request *asked, const struct kernel *kernel, const char *folder,
                     int stop, char ret_path[LIMITS_PATH])
{
    (void)kernel;
    noted->images += asked == &request && strcmp(folder, "/nonexistent/f") == 0 && stop >= 0;
    memcpy(ret_path, "/i", sizeof("/i"));
    return image_error;
}

int __wrap_children_start(const struct plan *started, struct children *children);
int __wrap_children_start(const struct plan *started, struct children *children)
{
    pid_t pid;

    noted->starts += started == &plan && strcmp(started->image, "/i") == 0;
    children->qemu = pipes[QEMU][0];
    children->daemon = pipes[DAEMON][0];
    children->console = pipes[CONSOLE][0];
    children->log = pipes[LOG][0];
    for (size_t i = 0; i < PIPES; i++)
        (void)close(pipes[i][1]);
    if (!start_error) {
        pid = fork();
        if (pid == 0)
            _exit(0);
        noted->orphan = pid;
        pid = goes_on ? fork() : -1;
        if (pid == 0)
            for (;;)
                (void)pause();
        noted->runs = pid;
    }
    return start_error;
}

void __wrap_children_end(struct children *children);
void __wrap_children_end(struct children *children)
{
    (void)children;
    if (noted->runs > 0)
        (void)kill(noted->runs, SIGKILL);
    noted->ends += noted->removals == 0;
}

void __wrap_folder_remove(const char *path);
void __wrap_folder_remove(const char *path)
{
    noted->removals += strcmp(path, "/nonexistent/f") == 0;
}

static bool take(int fd)
{
    char bytes[16];
    ssize_t n = read(fd, bytes, sizeof(bytes));

    return n > 0 || (n < 0 && errno == EAGAIN);
}

bool __wrap_children_take_console(struct children *children);
bool __wrap_children_take_console(struct children *children)
{
    noted->consoles++;
    return take(children->console);
}

bool __wrap_children_take_log(struct children *children);
bool __wrap_children_take_log(struct children *children)
{
    noted->logs++;
    return take(children->log);
}

static int set_up(void **state)
{
    (void)state;
    noted = mmap(NULL, sizeof(*noted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(noted, MAP_FAILED);
    request = REQUEST_NULL;
    plan = (struct plan){.request = &request, .folder = "/nonexistent/f"};
    image_error = start_error = 0;
    goes_on = false;
    for (size_t i = 0; i < PIPES; i++)
        assert_int_equal(pipe2(pipes[i], O_CLOEXEC | O_NONBLOCK), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < PIPES; i++) {
        (void)close(pipes[i][0]);
        (void)close(pipes[i][1]);
    }
    (void)munmap((void *)noted, sizeof(*noted));
    return 0;
}

static void start(void)
{
    int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_int_equal(supervisor_start(&plan, folder, &supervisor), 0);
    assert_true(supervisor.pid > 0);
    assert_false(supervisor.over);
    assert_int_equal(fcntl(folder, F_GETFD), -1); /* it is the supervisor's */
}

static void end(void)
{
    pid_t pid = supervisor.pid;

    supervisor_end(&supervisor);
    errno = 0;
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    assert_int_equal(noted->ends, 1);
}

/* Until something of the supervisor's is so. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        for (unsigned left = WAIT_MS; left > 0 && !(condition); left--)                            \
            (void)poll(NULL, 0, 1);                                                                \
        assert_true(condition);                                                                    \
    } while (0)

static void start_and_end_are_told_and_nothing_is_left(void **state)
{
    (void)state;
    start();
    assert_int_equal(supervisor_wait(&supervisor, WAIT_MS), SUPERVISOR_STARTED);
    assert_false(supervisor.over);
    assert_int_equal(noted->images, 1);
    assert_int_equal(noted->starts, 1);
    assert_int_equal(supervisor_wait(&supervisor, 0), 0); /* and nothing else */
    end();
    assert_int_equal(noted->removals, 1);
}

static void folder_is_kept_on_request(void **state)
{
    (void)state;
    request.keep = true;
    start();
    assert_int_equal(supervisor_wait(&supervisor, WAIT_MS), SUPERVISOR_STARTED);
    end();
    assert_int_equal(noted->removals, 0);
}

static void what_does_not_start_is_told(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        noted->images = noted->starts = noted->ends = noted->removals = 0;
        image_error = i == 0 ? -ENOENT : 0;
        start_error = i == 0 ? 0 : -EIO;
        start();
        assert_int_equal(supervisor_wait(&supervisor, WAIT_MS), SUPERVISOR_FAILED);
        assert_true(supervisor.over);
        assert_int_equal(noted->starts, i);
        AWAIT(noted->removals == 1); /* it ends by itself */
        end();
    }
}

static void end_of_qemu_or_the_daemon_is_told_behind_its_last_words(void **state)
{
    static const int events[] = {SUPERVISOR_NO_QEMU, SUPERVISOR_NO_DAEMON};

    (void)state;
    start();
    assert_int_equal(supervisor_wait(&supervisor, WAIT_MS), SUPERVISOR_STARTED);
    for (unsigned i = 0; i < 2; i++) {
        unsigned consoles = noted->consoles, logs = noted->logs;

        supervisor.over = false;
        assert_int_equal(supervisor_wait(&supervisor, 0), 0);
        (void)close(pipes[QEMU + i][1]);
        pipes[QEMU + i][1] = -1;
        assert_int_equal(supervisor_wait(&supervisor, WAIT_MS), events[i]);
        assert_true(supervisor.over);
        assert_true(noted->consoles > consoles && noted->logs > logs);
        assert_int_equal(supervisor_wait(&supervisor, 0), 0); /* once */
    }
    assert_int_equal(noted->ends, 0); /* both are looked at until `guestlink run` is done */
    end();
}

static void what_is_said_is_taken_until_its_end(void **state)
{
    unsigned consoles, logs;

    (void)state;
    start();
    assert_int_equal(supervisor_wait(&supervisor, WAIT_MS), SUPERVISOR_STARTED);
    assert_int_equal(noted->consoles, 0); /* nobody said anything */
    assert_int_equal(noted->logs, 0);
    assert_int_equal(write(pipes[CONSOLE][1], "words", 5), 5);
    AWAIT(noted->consoles == 1);
    assert_int_equal(noted->logs, 0);
    assert_int_equal(write(pipes[LOG][1], "words", 5), 5);
    AWAIT(noted->logs == 1);
    assert_int_equal(write(pipes[CONSOLE][1], "more", 4), 4);
    AWAIT(noted->consoles == 2);
    (void)close(pipes[CONSOLE][1]);
    (void)close(pipes[LOG][1]);
    pipes[CONSOLE][1] = pipes[LOG][1] = -1;
    AWAIT(noted->consoles == 3 && noted->logs == 2);
    consoles = noted->consoles;
    logs = noted->logs;
    (void)poll(NULL, 0, 50); /* nobody is asked again who can say no more */
    assert_int_equal(noted->consoles, consoles);
    assert_int_equal(noted->logs, logs);
    end();
}

static void time_that_is_over_is_told_and_ends_nothing(void **state)
{
    struct timespec before, after;
    int64_t ms;

    (void)state;
    request.timeout_ms = 1100;
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    start();
    assert_int_equal(supervisor_wait(&supervisor, WAIT_MS), SUPERVISOR_STARTED);
    assert_int_equal(supervisor_wait(&supervisor, WAIT_MS), SUPERVISOR_TIMED_OUT);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    assert_in_range(ms, 1099, WAIT_MS);
    assert_false(supervisor.over);
    assert_int_equal(supervisor_wait(&supervisor, 50), 0); /* once */
    assert_int_equal(noted->ends, 0);
    end();
}

/* With its process, what the daemon left behind. */
static void children_that_ended_are_waited_for(void **state)
{
    char path[64];

    (void)state;
    goes_on = true;
    start();
    assert_int_equal(supervisor_wait(&supervisor, WAIT_MS), SUPERVISOR_STARTED);
    (void)snprintf(path, sizeof(path), "/proc/%d", (int)noted->orphan);
    assert_int_equal(write(pipes[LOG][1], "x", 1), 1); /* it wakes up */
    AWAIT(noted->logs > 0);
    assert_int_equal(write(pipes[LOG][1], "x", 1), 1);
    for (unsigned left = WAIT_MS; left > 0 && access(path, F_OK) == 0; left--) {
        (void)!write(pipes[LOG][1], "x", 1);
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(access(path, F_OK), -1);
    end();
}

static void supervisor_that_is_killed_has_failed(void **state)
{
    (void)state;
    start();
    assert_int_equal(supervisor_wait(&supervisor, WAIT_MS), SUPERVISOR_STARTED);
    assert_int_equal(kill(supervisor.pid, SIGKILL), 0);
    assert_int_equal(supervisor_wait(&supervisor, WAIT_MS), SUPERVISOR_FAILED);
    assert_true(supervisor.over);
    supervisor_end(&supervisor);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(start_and_end_are_told_and_nothing_is_left),
        TEST(folder_is_kept_on_request),
        TEST(what_does_not_start_is_told),
        TEST(end_of_qemu_or_the_daemon_is_told_behind_its_last_words),
        TEST(what_is_said_is_taken_until_its_end),
        TEST(time_that_is_over_is_told_and_ends_nothing),
        TEST(children_that_ended_are_waited_for),
        TEST(supervisor_that_is_killed_has_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
