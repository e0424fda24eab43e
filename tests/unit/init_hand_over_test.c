/* hand over: the real root's init gets PID 1's process, clean, and the agent is its child; one that
 * cannot be started leaves everything as it is. The init is a shell. */
#include "descriptors.h"
#include "init/base/fd.h"
#include "init/switch_root.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char score[64]; /* what the process's oom_score_adj became, in order */
static bool no_child;

int __wrap_fd_write_file(const char *path, const char *text);
int __wrap_fd_write_file(const char *path, const char *text)
{
    assert_string_equal(path, "/proc/self/oom_score_adj");
    (void)snprintf(score + strlen(score), sizeof(score) - strlen(score), "%s ", text);
    return 0;
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    if (!no_child)
        return __real_fork();
    errno = EAGAIN;
    return -1;
}

static int begin(void **state)
{
    (void)state;
    score[0] = '\0';
    no_child = false;
    return 0;
}

/* As PID 1 is: its signals are blocked, some ignored, and its words are in the environment. */
_Noreturn static void be_pid_1(const char *init, char *const *words, size_t count)
{
    struct report report = {0};
    sigset_t all;
    int r;

    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setenv("HOME", "/", 1);
    (void)setenv("guestlink.host", "vsock:2:1", 1);
    (void)setenv("swiotlb", "force", 1);
    (void)setenv("TERM", "linux", 1);
    r = switch_root_hand_over(init, words, count, &report);
    /* The agent: whose child it is, and that it failed in nothing. */
    (void)dprintf(STDOUT_FILENO, "agent %d %d %d\n", r, report.error, (int)getppid());
    _exit(0);
}

/* Reads all that is written until its writers have exited. */
static void read_all(int fd, char *text, size_t size)
{
    size_t used = 0;
    ssize_t n;

    while ((n = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
}

static void init_gets_the_process(void **state)
{
    char *words[] = {(char *)"-c",
                     (char *)"exec >&2; read line; echo \"$line\"; echo \"init $$ $0 $#\"; env; "
                             "while read name value; do "
                             "case $name in Sig[BI]*) echo $name $value;; esac; "
                             "done </proc/self/status; exit 9",
                     (char *)"init", (char *)"a b"};
    char text[4096], expected[128];
    int in[2], status;
    pid_t child;

    (void)state;
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        int between[2];

        (void)dup2(in[1], STDERR_FILENO); /* what the shell says, and errors */
        if (pipe(between) < 0)
            _exit(1);
        (void)dup2(between[0], STDIN_FILENO);
        (void)dup2(between[1], STDOUT_FILENO); /* the agent's, which the shell reads */
        (void)close(between[0]);
        (void)close(between[1]);
        be_pid_1("/bin/sh", words, 4);
    }
    (void)close(in[1]);
    read_all(in[0], text, sizeof(text));
    (void)close(in[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 9);
    (void)snprintf(expected, sizeof(expected), "agent 0 0 %d\ninit %d init 1\n", (int)child,
                   (int)child);
    assert_int_equal(strncmp(text, expected, strlen(expected)), 0);
    assert_non_null(strstr(text, "\nHOME=/\n"));
    assert_non_null(strstr(text, "\nTERM=linux\n"));
    assert_null(strstr(text, "guestlink.host"));
    assert_null(strstr(text, "swiotlb"));
    assert_non_null(strstr(text, "SigBlk: 0000000000000000\n"));
    assert_non_null(strstr(text, "SigIgn: 0000000000000000\n"));
}

/* With the words that the kernel gave to PID 1. */
static void init_gets_its_words(void **state)
{
    char text[256];
    int fds[2], status;
    pid_t child;

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        char *words[] = {(char *)"/dev/stdin", (char *)"one", (char *)"two", (char *)"three"};
        int script[2];

        if (pipe(script) < 0 || dprintf(script[1], "echo $0 $@\n") < 0)
            _exit(1);
        (void)dup2(script[0], STDIN_FILENO);
        (void)close(script[0]);
        (void)close(script[1]);
        (void)dup2(fds[1], STDOUT_FILENO);
        be_pid_1("/bin/sh", words, 3);
    }
    (void)close(fds[1]);
    read_all(fds[0], text, sizeof(text));
    (void)close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_non_null(strstr(text, "/dev/stdin one two\n"));
}

static void expect_failure(const char *init, int error, const char *text)
{
    struct report report = {0};

    assert_int_equal(switch_root_hand_over(init, NULL, 0, &report), error);
    assert_int_equal(report.error, error);
    assert_string_equal(report.text, text);
}

/* @return true if the agent exits, and this process is as it was */
static bool stays_pid_1(void)
{
    struct report report = {0};
    sigset_t blocked;
    int status = -1;

    return switch_root_hand_over("/nothing/init", NULL, 0, &report) == ENOENT &&
           report.error == ENOENT &&
           strcmp(report.text, "hand over to /nothing/init: No such file or directory") == 0 &&
           sigprocmask(SIG_SETMASK, NULL, &blocked) == 0 && sigismember(&blocked, SIGCHLD) == 1 &&
           sigismember(&blocked, SIGTERM) == 1 && strcmp(score, "0 -1000 ") == 0 &&
           waitpid(-1, &status, 0) > 0 && status == 0 && waitpid(-1, &status, 0) == -1;
}

/* In a child: one that took itself for the agent would exit, with 0. */
static void init_that_cannot_be_started_leaves_pid_1(void **state)
{
    int status = -1;
    pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(stays_pid_1() ? 7 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void without_an_agent_nothing_is_started(void **state)
{
    struct rlimit limit, none;

    (void)state;
    no_child = true;
    expect_failure("/bin/sh", EAGAIN,
                   "hand over to /bin/sh: cannot fork the agent: Resource temporarily unavailable");
    no_child = false;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    expect_failure("/bin/sh", EMFILE, "hand over to /bin/sh: Too many open files");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_string_equal(score, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(init_gets_the_process, begin),
        cmocka_unit_test_setup(init_gets_its_words, begin),
        cmocka_unit_test_setup(init_that_cannot_be_started_leaves_pid_1, begin),
        cmocka_unit_test_setup(without_an_agent_nothing_is_started, begin),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
