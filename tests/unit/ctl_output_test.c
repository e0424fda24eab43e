/* output: what is written to a descriptor that may be full, non-blocking, broken or without a
 * reader; and who is heeded meanwhile. */
#include "descriptors.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#define LARGE 300001u /* more than a pipe takes, and no multiple of a piece */

static char data[LARGE];
static int ends[2], wake[2];

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7 + i / 251);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(pipe2(wake, O_CLOEXEC), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0)
            (void)close(ends[i]);
        (void)close(wake[i]);
    }
    return 0;
}

/* A reader that ends with 0 if it read all of the data and nothing else. */
static pid_t start_reader(int fd)
{
    static char heard[LARGE];
    size_t size = 0;
    pid_t pid = fork();
    ssize_t n;

    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)close(ends[1]);
    while (size < sizeof(heard) && (n = read(fd, heard + size, sizeof(heard) - size)) > 0)
        size += (size_t)n;
    _exit(size == sizeof(heard) && memcmp(heard, data, size) == 0 &&
                  read(fd, heard, sizeof(heard)) == 0
              ? 0
              : 1);
}

static void need_end(pid_t pid)
{
    int status = -1;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void make_non_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    assert_true(flags >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
}

static void all_of_it_arrives_however_it_is_taken(void **state)
{
    for (int non_blocking = 0; non_blocking < 2; non_blocking++) {
        pid_t reader = start_reader(ends[0]);

        if (non_blocking)
            make_non_blocking(ends[1]);
        assert_int_equal(output_write(ends[1], data, sizeof(data), wake[0]), sizeof(data));
        (void)close(ends[1]);
        ends[1] = -1;
        need_end(reader);
        (void)tear_down(state);
        (void)set_up(state);
    }
}

static void nothing_is_written_of_nothing(void **state)
{
    char heard[8];

    (void)state;
    assert_int_equal(output_write(ends[1], data, 0, wake[0]), 0);
    assert_int_equal(output_write(-1, data, 0, wake[0]), 0);
    make_non_blocking(ends[0]);
    assert_int_equal(read(ends[0], heard, sizeof(heard)), -1);
}

/* Who does not read holds up nobody: the caller does what it was woken for, and comes back. */
static void whoever_wakes_it_gets_its_turn(void **state)
{
    static char heard[LARGE];
    ssize_t written;

    (void)state;
    assert_int_equal(write(wake[1], "x", 1), 1);
    assert_int_equal(output_write(ends[1], data, sizeof(data), wake[0]), 0);
    assert_int_equal(read(wake[0], heard, 1), 1);
    assert_int_equal(output_write(ends[1], data, PIPE_BUF + 1, wake[0]), PIPE_BUF + 1);
    (void)close(wake[1]); /* a hang-up is one, too */
    wake[1] = dup(wake[0]);
    assert_int_equal(output_write(ends[1], data, sizeof(data), wake[0]), 0);
    make_non_blocking(ends[0]);
    written = read(ends[0], heard, sizeof(heard));
    assert_int_equal(written, PIPE_BUF + 1);
    assert_memory_equal(heard, data, PIPE_BUF + 1);
}

static void wake_up(int number)
{
    (void)number;
    (void)!write(wake[1], "x", 1);
}

/* Signals us once the pipe is full. */
static pid_t start_watcher(void)
{
    int capacity = fcntl(ends[1], F_GETPIPE_SZ), size = 0;
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (size < capacity && ioctl(ends[0], FIONREAD, &size) == 0)
        (void)usleep(1000);
    _exit(kill(getppid(), SIGUSR1) == 0 ? 0 : 1);
}

/* What was written until then is said. */
static void a_full_pipe_is_waited_for_until_it_is_woken(void **state)
{
    const struct sigaction action = {.sa_handler = wake_up};
    struct sigaction before;
    static char heard[LARGE];
    int capacity = fcntl(ends[1], F_GETPIPE_SZ);
    pid_t watcher;

    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    watcher = start_watcher();
    assert_int_equal(output_write(ends[1], data, sizeof(data), wake[0]), capacity);
    need_end(watcher);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
    assert_int_equal(read(ends[0], heard, sizeof(heard)), capacity);
    assert_memory_equal(heard, data, (size_t)capacity);
}

static void only_note(int number)
{
    (void)number;
}

/* One that wakes nobody. */
static void a_signal_alone_changes_nothing(void **state)
{
    const struct sigaction action = {.sa_handler = only_note};
    struct sigaction before;
    int capacity = fcntl(ends[1], F_GETPIPE_SZ), size = 0;
    pid_t parent = getpid(), signaller, reader;

    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    signaller = fork();
    if (signaller == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (size < capacity && ioctl(ends[0], FIONREAD, &size) == 0)
            (void)usleep(1000);
        (void)kill(parent, SIGUSR1);
        (void)usleep(1000);
        reader = start_reader(ends[0]);
        (void)close(ends[1]);
        _exit(waitpid(reader, &size, 0) == reader && size == 0 ? 0 : 1);
    }
    assert_int_equal(output_write(ends[1], data, sizeof(data), wake[0]), sizeof(data));
    (void)close(ends[1]);
    ends[1] = -1;
    while (waitpid(signaller, &size, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_int_equal(size, 0);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
}

static void an_error_is_told(void **state)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct sigaction before;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    (void)state;
    assert_true(full >= 0);
    assert_int_equal(output_write(full, data, sizeof(data), wake[0]), -ENOSPC);
    (void)close(full);
    assert_int_equal(output_write(full, data, sizeof(data), wake[0]), -EBADF);
    assert_int_equal(sigaction(SIGPIPE, &ignore, &before), 0);
    (void)close(ends[0]);
    ends[0] = -1;
    assert_int_equal(output_write(ends[1], data, sizeof(data), wake[0]), -EPIPE);
    assert_int_equal(sigaction(SIGPIPE, &before, NULL), 0);
}

/* Runs @p act in a child whose standard @p fd is @p as. @return its status */
static int in_child(int fd, int as, int (*act)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(as, fd);
        (void)close(ends[1]);
        output_wait();
        _exit(act());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int print_all(void)
{
    return fwrite(data, 1, sizeof(data), stdout) == sizeof(data) && fflush(stdout) == 0 ? 0 : 1;
}

static int print_two_lines(void)
{
    (void)fputs("one\n", stdout);
    (void)fputs("two", stdout); /* _exit(2) follows */
    return 0;
}

static int complain(void)
{
    (void)fputs("one\n", stderr);
    (void)fputs("two", stderr);
    return 0;
}

static void a_non_blocking_stream_is_waited_for(void **state)
{
    pid_t reader = start_reader(ends[0]);

    (void)state;
    make_non_blocking(ends[1]);
    assert_int_equal(in_child(STDOUT_FILENO, ends[1], print_all), 0);
    (void)close(ends[1]);
    ends[1] = -1;
    need_end(reader);
}

static void a_stream_that_fails_says_so(void **state)
{
    int full = open("/dev/full", O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    (void)state;
    assert_true(full >= 0);
    assert_int_equal(in_child(STDOUT_FILENO, full, print_all), 1);
    (void)close(full);
}

static const char *heard_from(int fd)
{
    static char heard[64];
    ssize_t n;

    make_non_blocking(fd);
    n = read(fd, heard, sizeof(heard) - 1);
    heard[n > 0 ? n : 0] = '\0';
    return heard;
}

/* A file's or pipe's reader wants much at once; who sits at a terminal sees each line. */
static void lines_are_for_terminals_and_errors(void **state)
{
    struct termios raw;
    int master, slave;

    (void)state;
    make_non_blocking(ends[1]);
    assert_int_equal(in_child(STDOUT_FILENO, ends[1], print_two_lines), 0);
    assert_string_equal(heard_from(ends[0]), "");
    assert_int_equal(in_child(STDERR_FILENO, ends[1], complain), 0);
    assert_string_equal(heard_from(ends[0]), "one\n");
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    assert_int_equal(tcgetattr(slave, &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
    make_non_blocking(slave);
    assert_int_equal(in_child(STDOUT_FILENO, slave, print_two_lines), 0);
    assert_string_equal(heard_from(master), "one\n");
    (void)close(master);
    (void)close(slave);
}

/* Where nothing has to be waited for, stdio is as it was: unbuffered for errors. */
static void a_blocking_stream_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(in_child(STDERR_FILENO, ends[1], complain), 0);
    assert_string_equal(heard_from(ends[0]), "one\ntwo");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_of_it_arrives_however_it_is_taken),
        TEST(nothing_is_written_of_nothing),
        TEST(whoever_wakes_it_gets_its_turn),
        TEST(a_full_pipe_is_waited_for_until_it_is_woken),
        TEST(a_signal_alone_changes_nothing),
        TEST(an_error_is_told),
        TEST(a_non_blocking_stream_is_waited_for),
        TEST(a_stream_that_fails_says_so),
        TEST(lines_are_for_terminals_and_errors),
        TEST(a_blocking_stream_is_left_alone),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
