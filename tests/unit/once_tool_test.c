/* tool: where programs are found, and how their end is told. */
#include "once/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], program[96];
static char *path_before;

/* Patience is short here. */
int __real_poll(struct pollfd *pollers, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *pollers, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *pollers, nfds_t count, int timeout)
{
    return __real_poll(pollers, count, timeout > 0 ? timeout / 20 : timeout);
}

static int set_up(void **state)
{
    const char *path;

    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/guestlink-tool-XXXXXX");
    path = getenv("PATH");
    path_before = path ? strdup(path) : NULL;
    if (!mkdtemp(folder) || !path_before)
        return -1;
    (void)snprintf(program, sizeof(program), "%s/guestlink-tool", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)setenv("PATH", path_before, 1);
    free(path_before);
    (void)unlink(program);
    return rmdir(folder);
}

static void write_program(const char *script, mode_t mode)
{
    int fd = open(program, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_true(dprintf(fd, "#!/bin/sh\n%s\n", script) > 0);
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
}

/* Runs it, with @p word behind its name, and with standard error in @p to. */
static int run(const char *path, const char *word, int to, int stop)
{
    WORDS words = WORDS_NULL;
    int own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10), r;

    words_add(&words, "%s", path);
    words_add(&words, "%s", word);
    if (to >= 0)
        (void)dup2(to, STDERR_FILENO);
    r = tool_run(&words, "making something", stop);
    (void)dup2(own, STDERR_FILENO);
    (void)close(own);
    return r;
}

/* @return what is there, in a static buffer */
static const char *read_some(int fd)
{
    static char text[512];
    struct pollfd there = {.fd = fd, .events = POLLIN};
    ssize_t size = __real_poll(&there, 1, 0) > 0 ? read(fd, text, sizeof(text) - 1) : 0;

    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void end_is_told_as_in_a_shell(void **state)
{
    sigset_t blocked, before;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    write_program("echo \"out $1\"; echo error >&2; exit 7", 0700);
    assert_int_equal(run(program, "a b", ends[1], -1), 7);
    assert_string_equal(read_some(ends[0]), "out a b\nerror\n"); /* nothing goes to our output */
    write_program("exit 0", 0700);
    assert_int_equal(run(program, "", ends[1], -1), 0);
    write_program("kill -9 $$", 0700);
    assert_int_equal(run(program, "", ends[1], -1), 128 + SIGKILL);
    assert_string_equal(read_some(ends[0]), "");
    assert_int_equal(run("/nonexistent/tool", "", ends[1], -1), 127);
    assert_string_equal(read_some(ends[0]),
                        "guestlink: cannot run \"/nonexistent/tool\": No such file or directory\n");
    write_program("exit 0", 0600);
    assert_int_equal(run(program, "", ends[1], -1), 126);
    assert_non_null(strstr(read_some(ends[0]), "Permission denied"));
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &blocked, &before);
    write_program("grep SigBlk /proc/self/status", 0700);
    assert_int_equal(run(program, "", ends[1], -1), 0);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    assert_string_equal(read_some(ends[0]), "SigBlk:\t0000000000000000\n");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void words_that_are_not_whole_run_nothing(void **state)
{
    WORDS words = WORDS_NULL;

    (void)state;
    words_add(&words, "/bin/true");
    words.failed = true;
    assert_int_equal(tool_run(&words, "", -1), -ENOMEM);
}

static void stop_ends_it_gently(void **state)
{
    int ends[2], stop[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
    (void)close(stop[1]); /* whoever wanted it is gone */
    write_program("trap 'echo tidied; exit 0' TERM; while :; do sleep 0.01; done", 0700);
    assert_int_equal(run(program, "", ends[1], stop[0]), -ECANCELED);
    (void)read_some(ends[0]); /* it may have ended before its trap was set */
    errno = 0;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    (void)close(stop[0]);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Once, to somebody who waits at a terminal. */
static void patience_is_asked_for_at_a_terminal(void **state)
{
    int ends[2], master, terminal;
    const char *said;

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(openpty(&master, &terminal, NULL, NULL, NULL), 0);
    write_program("sleep 0.3", 0700);
    assert_int_equal(run(program, "", terminal, -1), 0);
    said = read_some(master);
    assert_string_equal(said, "guestlink: making something…\r\n");
    assert_int_equal(run(program, "", ends[1], -1), 0);
    assert_string_equal(read_some(ends[0]), "");
    (void)close(master);
    (void)close(terminal);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void tool_is_found_in_the_path(void **state)
{
    char found[LIMITS_PATH] = "";

    (void)state;
    write_program("exit 0", 0700);
    assert_int_equal(setenv("PATH", folder, 1), 0);
    assert_int_equal(tool_find("guestlink-tool", "guestlink-package", found), 0);
    assert_string_equal(found, program);
    assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
    assert_int_equal(tool_find("guestlink-tool", "guestlink-package", found), -ENOENT);
}

/* What a package installs is there for those whose PATH has no such folders. */
static void path_is_extended(void **state)
{
    char own[LIMITS_PATH] = "", expected[2 * LIMITS_PATH];

    (void)state;
    assert_true(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0);
    *strrchr(own, '/') = '\0';
    assert_int_equal(setenv("PATH", "/a:/b", 1), 0);
    tool_extend_path();
    (void)snprintf(expected, sizeof(expected), "/a:/b:/usr/sbin:/sbin:%s/../libexec/guestlink",
                   own);
    assert_string_equal(getenv("PATH"), expected);
    assert_int_equal(unsetenv("PATH"), 0);
    tool_extend_path();
    (void)snprintf(expected, sizeof(expected),
                   "/usr/bin:/bin:/usr/sbin:/sbin:%s/../libexec/guestlink", own);
    assert_string_equal(getenv("PATH"), expected);
}

/* @return the exit status of a child of a child that takes @p parent for its parent */
static int prepare(bool is_orphan)
{
    pid_t self = getpid(), pid = fork();
    sigset_t blocked;
    int status;

    if (pid == 0) {
        (void)sigfillset(&blocked);
        (void)sigprocmask(SIG_BLOCK, &blocked, NULL);
        (void)signal(SIGPIPE, SIG_IGN);
        tool_prepare_child(is_orphan ? 1 : self);
        (void)sigprocmask(SIG_SETMASK, NULL, &blocked);
        _exit(sigismember(&blocked, SIGTERM) || signal(SIGPIPE, SIG_DFL) != SIG_DFL ? 1 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void child_has_no_signals_of_ours_and_no_other_parent(void **state)
{
    (void)state;
    assert_int_equal(prepare(false), 0);
    assert_int_equal(prepare(true),
                     128 + SIGKILL); /* its parent was killed before it could be bound */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(end_is_told_as_in_a_shell),
        TEST(words_that_are_not_whole_run_nothing),
        TEST(stop_ends_it_gently),
        TEST(patience_is_asked_for_at_a_terminal),
        TEST(tool_is_found_in_the_path),
        TEST(path_is_extended),
        TEST(child_has_no_signals_of_ours_and_no_other_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
