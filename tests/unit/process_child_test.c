/*
 * spawn: what a child of PID 1's has when it becomes its program, and what is told of one that does
 * not. The children are real; who owns a console, and the groups of other users, are the test's.
 */
#include "descriptors.h"
#include "init/base/fd.h"
#include "init/base/limits.h"
#include "init/process/cgroup.h"
#include "init/process/spawn.h"
#include "protocol/frame.h"
#include "protocol/process_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What children did; they share it. */
static struct seen {
    char owners[256];
    char console[64]; /* how it was opened */
    unsigned limits;
    struct {
        int resource;
        struct rlimit value;
    } limit[4];
    char group[64];
    char log[128]; /* the last line */
} * seen;

static int console_master = -1, console_slave = -1;
static bool limits_played;
static int limit_error, group_error; /* errno; 0: none */

static int failing = -1; /* which of setgroups(), setgid() and setuid() fails; -1: none */

int __real_setgroups(size_t count, const gid_t *groups);
int __wrap_setgroups(size_t count, const gid_t *groups);
int __wrap_setgroups(size_t count, const gid_t *groups)
{
    if (failing == 0) {
        errno = EPERM;
        return -1;
    }
    return geteuid() == 0 ? __real_setgroups(count, groups) : count == 0 ? 0 : -1;
}

int __real_setgid(gid_t gid);
int __wrap_setgid(gid_t gid);
int __wrap_setgid(gid_t gid)
{
    errno = EPERM;
    return failing == 1 ? -1 : __real_setgid(gid);
}

int __real_setuid(uid_t uid);
int __wrap_setuid(uid_t uid);
int __wrap_setuid(uid_t uid)
{
    errno = EPERM;
    return failing == 2 ? -1 : __real_setuid(uid);
}

int __wrap_fchown(int fd, uid_t uid, gid_t gid);
int __wrap_fchown(int fd, uid_t uid, gid_t gid)
{
    size_t used = strlen(seen->owners);

    (void)snprintf(seen->owners + used, sizeof(seen->owners) - used, "%d: %d %d;", fd, (int)uid,
                   (int)gid);
    return 0;
}

int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode)
{
    size_t used = strlen(seen->owners);

    (void)snprintf(seen->owners + used, sizeof(seen->owners) - used, "%d: 0%o;", fd, mode);
    return 0;
}

/* The console is a terminal of the test's. */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    size_t used = strlen(seen->console);

    if (strcmp(path, "/dev/console") != 0)
        return __real_open(path, flags);
    (void)snprintf(seen->console + used, sizeof(seen->console) - used, "%s%s;",
                   (flags & O_ACCMODE) == O_RDWR ? "rw" : "w", flags & O_NOCTTY ? "" : " ctty");
    return console_slave < 0 ? -1 : dup(console_slave);
}

/* What glibc makes of an open() whose flags are no constant, where it checks that. */
int __wrap___open_2(const char *path, int flags);
int __wrap___open_2(const char *path, int flags)
{
    return __wrap_open(path, flags);
}

int __real_setrlimit(__rlimit_resource_t resource, const struct rlimit *value);
int __wrap_setrlimit(__rlimit_resource_t resource, const struct rlimit *value);
int __wrap_setrlimit(__rlimit_resource_t resource, const struct rlimit *value)
{
    if (seen->limits < sizeof(seen->limit) / sizeof(seen->limit[0])) {
        seen->limit[seen->limits].resource = (int)resource;
        seen->limit[seen->limits].value = *value;
    }
    seen->limits++;
    if (limit_error != 0 && seen->limits > 1) { /* the first is the default of files */
        errno = limit_error;
        return -1;
    }
    return limits_played ? 0 : __real_setrlimit(resource, value);
}

int __wrap_cgroup_enter(int tree, const char *name, uint64_t memory_max, uint32_t pids_max,
                        const char **ret_where);
int __wrap_cgroup_enter(int tree, const char *name, uint64_t memory_max, uint32_t pids_max,
                        const char **ret_where)
{
    (void)snprintf(seen->group, sizeof(seen->group), "%d/%s %llu %u", tree, name,
                   (unsigned long long)memory_max, pids_max);
    if (group_error != 0)
        *ret_where = "played";
    return -group_error;
}

__attribute__((format(printf, 2, 3))) void __wrap_kmsg_log(int level, const char *format, ...);
__attribute__((format(printf, 2, 3))) void __wrap_kmsg_log(int level, const char *format, ...)
{
    int used = snprintf(seen->log, sizeof(seen->log), "%d ", level);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(seen->log + used, sizeof(seen->log) - (size_t)used, format, arguments);
    va_end(arguments);
}

static uint8_t bytes[2 * FRAME_PAYLOAD_MAX];
static struct wire_writer writer;
static struct request_start_process order;
static struct spawn_group group;

static struct wire_list list_of(const char *const *texts)
{
    struct wire_list list = {.data = writer.data + writer.size};
    size_t start = writer.size;

    for (; *texts; texts++, list.count++)
        wire_put_list_item(&writer, wire_text_of(*texts));
    list.size = writer.size - start;
    return list;
}
#define LIST(...) list_of((const char *const[]){__VA_ARGS__, NULL})

static int set_up(void **state)
{
    (void)state;
    memset(seen, 0, sizeof(*seen));
    limits_played = false;
    limit_error = group_error = 0;
    group = (struct spawn_group){.tree = -1, .name = "exec-7"};
    writer = (struct wire_writer){.data = bytes, .capacity = sizeof(bytes)};
    order = (struct request_start_process){.role = REQUEST_ROLE_COMMAND,
                                           .flags = REQUEST_PROCESS_OUTPUT,
                                           .uid = geteuid(),
                                           .gid = getegid()};
    return 0;
}

static struct outcome {
    char out[512];
    int status;
    bool failed; /* to become the program */
    struct spawn_failure failure;
} outcome;

/* Runs what was ordered, to its end. */
static void run(void)
{
    struct spawned spawned;
    size_t used = 0;
    int status;
    ssize_t n;

    memset(&outcome, 0, sizeof(outcome));
    assert_int_equal(spawn_check(&order), 0);
    assert_int_equal(spawn(&order, &group, &spawned), 0);
    assert_int_equal(waitpid(spawned.pid, &status, 0), spawned.pid);
    assert_true(WIFEXITED(status));
    outcome.status = WEXITSTATUS(status);
    n = read(spawned.exec_fd, &outcome.failure, sizeof(outcome.failure));
    outcome.failed = n == (ssize_t)sizeof(outcome.failure);
    assert_true(outcome.failed || n == 0);
    while (spawned.out_fd[0] >= 0 &&
           (n = read(spawned.out_fd[0], outcome.out + used, sizeof(outcome.out) - 1 - used)) > 0)
        used += (size_t)n;
    (void)fd_close(spawned.exec_fd);
    (void)fd_close(spawned.in_fd);
    (void)fd_close(spawned.out_fd[0]);
    (void)fd_close(spawned.out_fd[1]);
}

/* @return what the shell says to that */
static const char *shell(const char *command)
{
    order.argv = LIST("/bin/sh", "-c", command);
    run();
    assert_false(outcome.failed);
    return outcome.out;
}

static void a_child_leads_its_session_and_is_sent_signals(void **state)
{
    sigset_t blocked, before;

    (void)state;
    sigfillset(&blocked); /* as PID 1 has it */
    assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, &before), 0);
    (void)signal(SIGPIPE, SIG_IGN);
    order.argv = LIST("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status");
    run();
    (void)signal(SIGPIPE, SIG_DFL);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    assert_string_equal(outcome.out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    assert_string_equal(shell("read -r a b c d pgrp session rest </proc/$$/stat; "
                              "test $pgrp = $$ && test $session = $$ && echo leads"),
                        "leads\n");
}

static void a_directory_is_entered_or_told(void **state)
{
    (void)state;
    assert_string_equal(shell("pwd"), "/\n");
    order.directory = wire_text_of("/usr/lib");
    assert_string_equal(shell("pwd"), "/usr/lib\n");
    order.directory = wire_text_of("/no/such");
    run();
    assert_true(outcome.failed);
    assert_string_equal(outcome.failure.where, "working directory");
    assert_int_equal(outcome.failure.error, ENOENT);
    assert_int_equal(outcome.failure.status, SPAWN_NOT_STARTED);
    assert_int_equal(outcome.status, SPAWN_NOT_STARTED);
}

static void one_that_cannot_become_its_user_is_not_started(void **state)
{
    (void)state;
    order.argv = LIST("true");
    for (failing = 0; failing < 3; failing++) {
        run();
        assert_true(outcome.failed);
        assert_string_equal(outcome.failure.where, "user and group");
        assert_int_equal(outcome.failure.error, EPERM);
        assert_int_equal(outcome.status, SPAWN_NOT_STARTED);
    }
    failing = -1;
}

/* Its address is no program's name. */
static void a_connection_that_fails_is_told(void **state)
{
    (void)state;
    order.flags |= REQUEST_PROCESS_CONNECTION;
    order.argv = LIST("/no/such/socket");
    run();
    assert_true(outcome.failed);
    assert_string_equal(outcome.failure.where, "connection");
    assert_int_equal(outcome.failure.error, ENOENT);
    assert_int_equal(outcome.status, SPAWN_NOT_EXECUTABLE);
}

/* A queue of two that nobody takes from: the next one who connects waits.
 * @return the listening socket */
static int fill_queue(struct sockaddr_un *address, int ret_waiting[2])
{
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address->sun_path, sizeof(address->sun_path), "/tmp/guestlink-queue-%d",
                   (int)getpid());
    (void)unlink(address->sun_path); /* of one that was killed */
    assert_int_equal(bind(listening, (struct sockaddr *)address, sizeof(*address)), 0);
    assert_int_equal(listen(listening, 1), 0);
    for (int i = 0; i < 2; i++) {
        ret_waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(ret_waiting[i], (struct sockaddr *)address, sizeof(*address)), 0);
    }
    return listening;
}

/* As on a share whose server is gone: others' pipes end all the same. */
static void a_child_that_waits_holds_nothing_of_pid_1s(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int waiting[2], others[2], listening = fill_queue(&address, waiting);
    struct pollfd end = {.events = POLLIN};
    struct spawned spawned;

    (void)state;
    assert_int_equal(pipe2(others, O_CLOEXEC), 0);
    order.flags |= REQUEST_PROCESS_CONNECTION;
    order.argv = LIST(address.sun_path);
    assert_int_equal(spawn(&order, &group, &spawned), 0);
    (void)close(others[1]);
    end.fd = others[0];
    assert_int_equal(poll(&end, 1, INIT_CONNECTION_MS / 2), 1);
    end.fd = spawned.exec_fd; /* and it is still on its way */
    assert_int_equal(poll(&end, 1, 0), 0);
    assert_int_equal(kill(spawned.pid, SIGKILL), 0);
    assert_int_equal(waitpid(spawned.pid, NULL, 0), spawned.pid);
    assert_int_equal(poll(&end, 1, 0), 1);
    (void)fd_close(spawned.exec_fd);
    (void)fd_close(spawned.out_fd[0]);
    (void)fd_close(spawned.out_fd[1]);
    (void)close(others[0]);
    (void)close(waiting[0]);
    (void)close(waiting[1]);
    (void)close(listening);
    (void)unlink(address.sun_path);
}

static void what_is_no_program_is_told_as_shells_do(void **state)
{
    static const struct {
        const char *path;
        int error, status;
    } cases[] = {{"/no/such", ENOENT, SPAWN_NOT_FOUND},
                 {"no-such-program", ENOENT, SPAWN_NOT_FOUND},
                 {"/etc/passwd/x", ENOTDIR, SPAWN_NOT_FOUND},
                 {"/etc/passwd", EACCES, SPAWN_NOT_EXECUTABLE}};

    (void)state;
    order.environment = LIST("PATH=/usr/bin:/bin"); /* one that everybody may search */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        order.argv = LIST(cases[i].path);
        run();
        assert_true(outcome.failed);
        assert_string_equal(outcome.failure.where, "exec");
        assert_int_equal(outcome.failure.error, cases[i].error);
        assert_int_equal(outcome.failure.status, cases[i].status);
        assert_int_equal(outcome.status, cases[i].status);
    }
}

static void files_are_made_as_its_request_says(void **state)
{
    (void)state;
    assert_string_equal(shell("umask"), "0022\n");
    order.umask = 077; /* without the flag: not said */
    assert_string_equal(shell("umask"), "0022\n");
    order.flags |= REQUEST_PROCESS_UMASK;
    assert_string_equal(shell("umask"), "0077\n");
    order.umask = 0;
    assert_string_equal(shell("umask"), "0000\n");
    order.umask = 07777;
    assert_string_equal(shell("umask"), "0777\n");
}

static void a_variable_has_its_last_value_once(void **state)
{
    (void)state;
    assert_int_equal(setenv("PLAYED", "own", 1) + setenv("PLAYED_TOO", "own too", 1), 0);
    assert_string_equal(shell("env | grep ^PLAYED | sort"), "PLAYED=own\nPLAYED_TOO=own too\n");
    order.environment = LIST("PLAYED=first", "PLAYED=last", "PLAY=x", "HOME=/played");
    assert_string_equal(shell("env | grep -E '^(PLAY|HOME)' | sort"),
                        "HOME=/played\nPLAY=x\nPLAYED=last\nPLAYED_TOO=own too\n");
    assert_int_equal(unsetenv("PLAYED") + unsetenv("PLAYED_TOO"), 0);
}

/* Whatever is the most: the words and the variables end where they do. */
static void all_words_and_variables_arrive(void **state)
{
    static const char *texts[INIT_WORDS + 1];
    static char own[INIT_VARIABLES][16], theirs[INIT_VARIABLES][16];
    char wanted[64];

    (void)state;
    assert_int_equal(unsetenv("HOME"), 0); /* the child's takes a place: the last has none */
    for (size_t i = 0; i < INIT_WORDS; i++)
        texts[i] = "";
    texts[0] = "/bin/sh";
    texts[1] = "-c";
    texts[2] = "echo $#; env | grep -c ^OWN; env | grep -c ^THEIRS";
    texts[3] = "sh";
    order.argv = list_of(texts);
    assert_int_equal(order.argv.count, INIT_WORDS);
    for (unsigned i = 0; i < INIT_VARIABLES; i++) {
        (void)snprintf(own[i], sizeof(own[i]), "OWN%u", i);
        assert_int_equal(setenv(own[i], "", 1), 0);
        (void)snprintf(theirs[i], sizeof(theirs[i]), "THEIRS%u=", i);
        texts[i] = theirs[i];
    }
    texts[INIT_VARIABLES] = NULL;
    order.environment = list_of(texts);
    run();
    for (unsigned i = 0; i < INIT_VARIABLES; i++)
        assert_int_equal(unsetenv(own[i]), 0);
    assert_false(outcome.failed);
    (void)snprintf(wanted, sizeof(wanted), "%u\n", INIT_WORDS - 4);
    assert_memory_equal(outcome.out, wanted, strlen(wanted));
    (void)snprintf(wanted, sizeof(wanted), "\n%u\n", INIT_VARIABLES - 1);
    assert_non_null(strstr(outcome.out, wanted));
}

static void limits_are_set(void **state)
{
    (void)state;
    order.limits = LIST("nofile 64 128", "core 0 0");
    assert_string_equal(shell("ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc"), "64\n128\n0\n0\n");
    assert_int_equal(seen->limits, 3);
    assert_int_equal(seen->limit[0].resource, RLIMIT_NOFILE); /* where nobody says otherwise */
    assert_int_equal(seen->limit[0].value.rlim_cur, INIT_FILES_SOFT);
    assert_int_equal(seen->limit[0].value.rlim_max, INIT_FILES_HARD);
}

/* Of files the kernel takes no infinity. */
static void no_limit_is_the_most_that_the_kernel_takes(void **state)
{
    char most[32];

    (void)state;
    assert_true(fd_read_file("/proc/sys/fs/nr_open", most, sizeof(most)) >= 0);
    limits_played = true;
    order.limits = LIST("nofile 5 unlimited", "core 6 unlimited");
    (void)shell("true");
    assert_int_equal(seen->limit[1].value.rlim_cur, 5);
    assert_int_equal(seen->limit[1].value.rlim_max, strtoull(most, NULL, 10));
    assert_int_equal(seen->limit[2].resource, RLIMIT_CORE);
    assert_int_equal(seen->limit[2].value.rlim_cur, 6);
    assert_int_equal(seen->limit[2].value.rlim_max, RLIM_INFINITY);
}

static void a_limit_that_cannot_be_set_is_named(void **state)
{
    (void)state;
    limit_error = EPERM;
    order.argv = LIST("true");
    order.limits = LIST("nofile 64 1000000000");
    run();
    assert_true(outcome.failed);
    assert_string_equal(outcome.failure.where, "limit nofile 64 1000000000");
    assert_int_equal(outcome.failure.error, EPERM);
    assert_int_equal(outcome.failure.status, SPAWN_NOT_STARTED);
    order.limits = LIST("memlock 18446744073709551615 18446744073709551615");
    limit_error = EPERM;
    seen->limits = 0;
    run();
    assert_true(outcome.failed);
    assert_string_equal(outcome.failure.where, "limit memlock 18446744073709551");
}

static void a_bound_that_cannot_be_kept_is_told(void **state)
{
    (void)state;
    order.argv = LIST("true");
    run();
    assert_false(outcome.failed);
    assert_string_equal(seen->group, ""); /* there is no cgroup2 */
    for (unsigned i = 0; i < 2; i++) {
        order.memory_max = i == 0 ? 4096 : 0;
        order.pids_max = i == 0 ? 0 : 9;
        group.tree = -1;
        run();
        assert_true(outcome.failed);
        assert_string_equal(outcome.failure.where, "memory_max, pids_max (cgroup2)");
        assert_int_equal(outcome.failure.error, EOPNOTSUPP);
        assert_int_equal(outcome.failure.status, SPAWN_NOT_STARTED);
        group.tree = i == 0 ? 0 : 5;
        group_error = 0;
        run();
        assert_false(outcome.failed);
        assert_string_equal(seen->group, i == 0 ? "0/exec-7 4096 0" : "5/exec-7 0 9");
        group_error = EACCES;
        run();
        assert_true(outcome.failed);
        assert_string_equal(outcome.failure.where, "played");
        assert_int_equal(outcome.failure.error, EACCES);
    }
    assert_string_equal(seen->log, "");
    order.pids_max = 0; /* without a bound it goes on outside */
    for (group.tree = 5; group.tree >= 0; group.tree -= 5) {
        seen->log[0] = '\0';
        run();
        assert_false(outcome.failed);
        assert_string_equal(seen->group, group.tree == 5 ? "5/exec-7 0 0" : "0/exec-7 0 0");
        assert_string_equal(seen->log, "4 cannot enter control group exec-7: Permission denied; "
                                       "continuing without it");
    }
    seen->log[0] = '\0';
    group.tree = -1; /* there is none: that was told once */
    run();
    assert_false(outcome.failed);
    group.tree = 5;
    group_error = 0; /* and one that is entered is no news */
    run();
    assert_string_equal(seen->log, "");
}

/* @return "0: UID GID;1: …", as the child would have it */
static const char *owners(unsigned first, int uid, int gid, const char *mode)
{
    static char text[256];
    size_t used = 0;

    for (unsigned fd = first; fd < 3; fd++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%u: %d %d;", fd, uid, gid);
        if (mode)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%u: %s;", fd, mode);
    }
    return text;
}

static void its_user_owns_its_pipes_and_terminal(void **state)
{
    const int uid = (int)geteuid(), gid = (int)getegid();

    (void)state;
    assert_string_equal(shell("readlink /proc/self/fd/0"), "/dev/null\n");
    assert_string_equal(seen->owners, owners(1, uid, gid, NULL)); /* /dev/null is everybody's */
    assert_string_equal(seen->console, "");
    memset(seen, 0, sizeof(*seen));
    order.flags |= REQUEST_PROCESS_INPUT;
    (void)shell("true");
    assert_string_equal(seen->owners, owners(0, uid, gid, NULL));
    memset(seen, 0, sizeof(*seen));
    order.flags |= REQUEST_PROCESS_PTY; /* of the group tty, as it is */
    (void)shell("true");
    assert_string_equal(seen->owners, owners(0, uid, -1, NULL));
}

/* A terminal in the place of the console. */
static void open_console(void)
{
    console_master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    assert_true(console_master >= 0);
    assert_int_equal(unlockpt(console_master), 0);
    console_slave = __real_open(ptsname(console_master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(console_slave >= 0);
}

/* Fails unless that is shown there, which may come in parts. */
static void close_console(const char *wanted)
{
    struct pollfd shown = {.fd = console_master, .events = POLLIN};
    char text[256] = "";
    size_t used = 0;

    while (used < strlen(wanted) && poll(&shown, 1, 10000) == 1) {
        ssize_t n = read(console_master, text + used, sizeof(text) - 1 - used);

        assert_true(n > 0);
        used += (size_t)n;
    }
    assert_string_equal(text, wanted);
    console_master = fd_close(console_master);
    console_slave = fd_close(console_slave);
}

static void without_a_host_that_listens_the_console_is_written_to(void **state)
{
    (void)state;
    order.flags = 0;
    order.gid = getegid();
    open_console();
    (void)shell("echo out; echo err >&2; readlink /proc/self/fd/0; "
                "(: </dev/tty) 2>/dev/null || echo no tty");
    close_console("out\r\nerr\r\n/dev/null\r\nno tty\r\n");
    assert_string_equal(seen->console, "w;w;"); /* what is typed there is not for it */
    assert_string_equal(seen->owners, "");      /* a command's is still root's */

    memset(seen, 0, sizeof(*seen));
    order.role = REQUEST_ROLE_PAYLOAD;
    open_console();
    (void)shell("(: </dev/tty) 2>/dev/null || echo no tty");
    close_console("no tty\r\n");
    assert_string_equal(seen->owners, owners(1, 0, (int)getegid(), "0620"));

    memset(seen, 0, sizeof(*seen));
    order.flags = REQUEST_PROCESS_TERMINAL;
    open_console();
    (void)shell("echo words >/dev/tty");
    close_console("words\r\n");
    assert_string_equal(seen->console, "rw;rw;rw;");
    assert_string_equal(seen->owners, owners(0, (int)geteuid(), (int)getegid(), NULL));

    order.flags = 0;
    (void)shell("true"); /* without a console /dev/null has to do */
    assert_int_equal(outcome.status, 0);
}

#define LIVE(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(a_child_leads_its_session_and_is_sent_signals),
        LIVE(a_directory_is_entered_or_told),
        LIVE(one_that_cannot_become_its_user_is_not_started),
        LIVE(a_connection_that_fails_is_told),
        LIVE(a_child_that_waits_holds_nothing_of_pid_1s),
        LIVE(what_is_no_program_is_told_as_shells_do),
        LIVE(files_are_made_as_its_request_says),
        LIVE(a_variable_has_its_last_value_once),
        LIVE(all_words_and_variables_arrive),
        LIVE(limits_are_set),
        LIVE(no_limit_is_the_most_that_the_kernel_takes),
        LIVE(a_limit_that_cannot_be_set_is_named),
        LIVE(a_bound_that_cannot_be_kept_is_told),
        LIVE(its_user_owns_its_pipes_and_terminal),
        LIVE(without_a_host_that_listens_the_console_is_written_to),
    };

    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED)
        return 1;
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
