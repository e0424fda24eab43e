/*
 * children: what the daemon and QEMU of a run are started with, what becomes of what they say, and
 * that nothing is left of them. Both are scripts of the test's.
 */
#include "once/children.h"

#include "once/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_S 60

/* Says what it has, and what there is of it behind its own descriptors. */
#define SCRIPT                                                                                     \
    "#!/bin/sh\n"                                                                                  \
    "{ echo \"words $*\"; echo \"user $(id -u)\"; echo \"map \" $(cat /proc/self/uid_map)\n"       \
    "  echo \"pid $LISTEN_PID is $$\"; echo \"passed $LISTEN_FDS <$LISTEN_FDNAMES>\"\n"            \
    "  echo \"others <$NOTIFY_SOCKET$GUESTLINK_LAUNCH>\"\n"                                        \
    "} >%1$s/%2$s.new\n"                                                                           \
    "(ls -l /proc/$$/fd; grep -E 'Sig(Blk|Ign)' /proc/self/status) >>%1$s/%2$s.new\n"              \
    "echo \"%2$s says\"; echo \"%2$s complains\" >&2\n"                                            \
    "[ %2$s = daemon ] || echo booting >&3\n"                                                      \
    "(trap '' TERM INT HUP; exec sleep 1000) &\n"                                                  \
    "mv %1$s/%2$s.new %1$s/%2$s.said\n"                                                            \
    "exec sleep 1000\n"

static struct request request;
static const struct kernel kernel = {.image = "/k", .release = "1", .modules = "/m"};
static struct plan plan;
static char qemu[FOLDER_SIZE + 16], daemon_path[FOLDER_SIZE + 16];

/* The daemon is the test's. */
int __wrap_tool_find(const char *name, const char *package, char ret_path[LIMITS_PATH]);
int __wrap_tool_find(const char *name, const char *package, char ret_path[LIMITS_PATH])
{
    assert_string_equal(name, "guestlink-hostd");
    assert_string_equal(package, "guestlink-hostd");
    (void)snprintf(ret_path, LIMITS_PATH, "%s", daemon_path);
    return daemon_path[0] ? 0 : -ENOENT;
}

static void write_script(const char *path, const char *name)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);

    assert_true(fd >= 0);
    assert_true(dprintf(fd, SCRIPT, plan.folder, name) > 0);
    (void)close(fd);
}

static int set_up(void **state)
{
    (void)state;
    request = REQUEST_NULL;
    plan = (struct plan){.request = &request, .kernel = &kernel, .image = "/i"};
    /* of the greatest length */
    memset(plan.folder, 'f', sizeof(plan.folder) - 1);
    memcpy(plan.folder, "/tmp/children-", 14);
    memcpy(plan.folder + sizeof(plan.folder) - 7, "XXXXXX", 7);
    assert_non_null(mkdtemp(plan.folder));
    (void)snprintf(qemu, sizeof(qemu), "%s/qemu", plan.folder);
    (void)snprintf(daemon_path, sizeof(daemon_path), "%s/daemon", plan.folder);
    write_script(qemu, "qemu");
    write_script(daemon_path, "daemon");
    request.qemu = qemu;
    return prctl(PR_SET_CHILD_SUBREAPER, 1); /* as the supervisor is */
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(plan.folder);
    return 0;
}

static const char *read_file(const char *name)
{
    static char text[4096];
    char path[FOLDER_SIZE + 32];
    ssize_t size;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", plan.folder, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    size = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        (void)close(fd);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

/* Until a script has said all that it has to say. */
static const char *wait_for(const char *name)
{
    const struct timespec moment = {.tv_nsec = 10000000};

    for (unsigned i = 0; i < WAIT_S * 100 && !read_file(name)[0]; i++)
        (void)nanosleep(&moment, NULL);
    return read_file(name);
}

static void need(const char *text, const char *line)
{
    if (!strstr(text, line))
        fail_msg("no \"%s\" in: %s", line, text);
}

static bool is_running(int pidfd)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};

    return poll(&end, 1, 0) == 0;
}

static void close_all(struct children *children)
{
    (void)close(children->qemu);
    (void)close(children->daemon);
    (void)close(children->console);
    (void)close(children->log);
}

/* @return that one can connect to it */
static bool is_listening(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", plan.folder, name);
    r = connect(fd, (const struct sockaddr *)&address, sizeof(address));
    (void)close(fd);
    return r == 0;
}

/* @param kinds  of its descriptors from 1 on; it has no other, but its script's above 9 */
static void need_descriptors(const char *said, const char *const *kinds)
{
    char line[64];
    unsigned fd = 1;

    for (; kinds[fd - 1]; fd++) {
        (void)snprintf(line, sizeof(line), " %u -> %s:[", fd, kinds[fd - 1]);
        need(said, line);
    }
    for (; fd < 10; fd++) {
        (void)snprintf(line, sizeof(line), " %u -> ", fd);
        assert_null(strstr(said, line));
    }
}

/* @param users  the daemon's map of users */
static void need_both(const char *users)
{
    const char *said = wait_for("daemon.said"), *ignored;
    char words[FOLDER_SIZE + 64];

    (void)snprintf(words, sizeof(words), "words --config %s/" FOLDER_CONFIG "\n", plan.folder);
    need(said, words);
    need(said, users);
    need(said, "user 0\n");
    need(said, "passed 2 <>\nothers <>\n");
    need_descriptors(said, (const char *const[]){"pipe", "pipe", "socket", "socket", NULL});
    {
        const char *pids = strstr(said, "\npid ");
        char *end = NULL;
        unsigned long passed = pids ? strtoul(pids + 5, &end, 10) : 0;

        if (!end || strncmp(end, " is ", 4) != 0)
            fail_msg("no two numbers of a process: %s", said);
        else
            assert_int_equal(strtoul(end + 4, NULL, 10), passed);
    }
    said = wait_for("qemu.said");
    need(said, "passed  <z>\nothers <>\n"); /* the daemon's sockets are not QEMU's */
    need_descriptors(said, (const char *const[]){"pipe", "pipe", "pipe", NULL});
    need(said, "words -nodefaults ");
    need(said, "SigBlk:\t0000000000000000\n"); /* ours are not its */
    ignored = strstr(said, "SigIgn:\t");
    assert_non_null(ignored);
    assert_false(strtoull(ignored + 8, NULL, 16) & 1ULL << (SIGPIPE - 1));
}

static void both_have_what_they_need_and_nothing_else(void **state)
{
    struct children children = CHILDREN_NULL;
    sigset_t blocked, before;
    char map[64];

    (void)state;
    (void)setenv("NOTIFY_SOCKET", "/run/x", 1);
    (void)setenv("GUESTLINK_LAUNCH", "/run/y", 1);
    (void)setenv("LISTEN_FDNAMES", "z", 1);
    (void)unsetenv("LISTEN_FDS");
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &blocked, &before);
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(children_start(&plan, &children), 0);
    assert_true(is_running(children.daemon) && is_running(children.qemu));
    assert_true(is_listening(FOLDER_CONTROL));
    assert_true(is_listening(FOLDER_GUEST));
    need(read_file(FOLDER_CONFIG), "\"vms\"");
    if (geteuid() == 0)
        (void)snprintf(map, sizeof(map), "map  0 ");
    else
        (void)snprintf(map, sizeof(map), "map  0 %u 1\n", (unsigned)geteuid());
    need_both(map);
    children_end(&children);
    assert_false(is_running(children.daemon) || is_running(children.qemu));
    close_all(&children);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("GUESTLINK_LAUNCH");
    (void)unsetenv("LISTEN_FDNAMES");
}

static bool write_map(const char *path, unsigned id)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_written = fd >= 0 && dprintf(fd, "1000 %u 1", id) > 0;

    (void)close(fd);
    return is_written;
}

/* An ordinary user's daemon is root in a namespace of its own. */
static void daemon_of_a_user_is_root_to_itself(void **state)
{
    unsigned uid = geteuid(), gid = getegid();
    struct children children = CHILDREN_NULL;
    int status, setgroups;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        if (unshare(CLONE_NEWUSER) < 0)
            _exit(77);
        setgroups = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
        if (setgroups < 0 || write(setgroups, "deny", 4) != 4 ||
            !write_map("/proc/self/uid_map", uid) || !write_map("/proc/self/gid_map", gid))
            _exit(77);
        if (geteuid() != 1000 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ||
            children_start(&plan, &children) < 0)
            _exit(1);
        (void)wait_for("daemon.said");
        (void)wait_for("qemu.said");
        children_end(&children);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); /* this user makes no namespaces */
    assert_int_equal(status, 0);
    need(read_file("daemon.said"), "user 0\nmap  0 1000 1\n");
    need(read_file("qemu.said"), "user 1000\n"); /* it needs no such thing */
}

static void what_they_say_is_logged_and_nothing_is_left(void **state)
{
    struct children children = CHILDREN_NULL;
    const char *log;

    (void)state;
    assert_int_equal(children_start(&plan, &children), 0);
    (void)wait_for("daemon.said");
    (void)wait_for("qemu.said");
    children_end(&children); /* takes what was not taken yet */
    errno = 0;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* theirs are gone, too */
    assert_int_equal(errno, ECHILD);
    assert_string_equal(read_file(FOLDER_CONSOLE), "booting\n");
    log = read_file(FOLDER_LOG);
    need(log, "daemon says\n");
    need(log, "daemon complains\n");
    need(log, "qemu says\n");
    need(log, "qemu complains\n");
    assert_true(children.console_file.fd < 0 && children.log_file.fd < 0);
    close_all(&children);
}

static void end_without_a_beginning_is_none(void **state)
{
    struct children children = CHILDREN_NULL;

    (void)state;
    children_end(&children);
    assert_int_equal(children.console, -1);
}

/* @return children_start()'s; what it said is in @p said */
static int start_and_hear(struct children *children, char said[512])
{
    int own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 20), ends[2], r;
    ssize_t size;

    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    (void)dup2(ends[1], STDERR_FILENO);
    r = children_start(&plan, children);
    (void)dup2(own, STDERR_FILENO);
    size = read(ends[0], said, 511);
    said[size > 0 ? size : 0] = '\0';
    (void)close(own);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return r;
}

static void what_cannot_be_started_is_told(void **state)
{
    struct children children = CHILDREN_NULL;
    char said[512];

    (void)state;
    daemon_path[0] = '\0';
    assert_int_equal(start_and_hear(&children, said), -ENOENT);
    assert_string_equal(said, ""); /* who did not find it said so */
    assert_true(children.daemon == -ENOENT || children.daemon == -1);
    assert_int_equal(children.qemu, -1);
    children_end(&children);
    (void)close(children.console);
    (void)close(children.log);
}

/* As in a shell. */
static void program_that_cannot_be_executed_says_so(void **state)
{
    struct children children = CHILDREN_NULL;
    struct pollfd end = {.events = POLLIN};
    siginfo_t info;

    (void)state;
    request.qemu = "/nonexistent/qemu";
    assert_int_equal(children_start(&plan, &children), 0);
    end.fd = children.qemu;
    assert_int_equal(poll(&end, 1, WAIT_S * 1000), 1);
    assert_int_equal(waitid(P_PIDFD, (id_t)children.qemu, &info, WEXITED), 0);
    assert_int_equal(info.si_status, 127);
    children_end(&children);
    need(read_file(FOLDER_LOG), "guestlink: cannot run \"/nonexistent/qemu\": No such file");
    close_all(&children);

    assert_int_equal(chmod(qemu, 0600), 0);
    request.qemu = qemu;
    children = CHILDREN_NULL;
    {
        char path[FOLDER_SIZE + 32];

        (void)snprintf(path, sizeof(path), "%s/" FOLDER_CONTROL, plan.folder);
        (void)unlink(path);
        (void)snprintf(path, sizeof(path), "%s/" FOLDER_GUEST, plan.folder);
        (void)unlink(path);
    }
    assert_int_equal(children_start(&plan, &children), 0);
    assert_int_equal(waitid(P_PIDFD, (id_t)children.qemu, &info, WEXITED), 0);
    assert_int_equal(info.si_status, 126);
    children_end(&children);
    close_all(&children);
}

static void sockets_that_exist_already_start_nothing(void **state)
{
    struct children children = CHILDREN_NULL;
    char path[FOLDER_SIZE + 32], said[512];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/" FOLDER_GUEST, plan.folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(start_and_hear(&children, said), -EADDRINUSE);
    need(said, "cannot start the VM in \"/tmp/children-");
    need(said, "\": Address already in use\n");
    assert_int_equal(children.daemon, -1);
    assert_int_equal(children.qemu, -1);
    children_end(&children);
    (void)close(children.console);
    (void)close(children.log);
}

/* ---- what is shown */

/* Takes @p given while standard error is @p to. @return whether more may come */
static bool take(struct children *children, int to, const char *given, bool end)
{
    int ends[2], own = dup(STDERR_FILENO);
    bool more;

    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(write(ends[1], given, strlen(given)), strlen(given));
    if (end)
        (void)close(ends[1]);
    children->console = ends[0];
    (void)dup2(to, STDERR_FILENO);
    more = children_take_console(children);
    (void)dup2(own, STDERR_FILENO);
    (void)close(own);
    (void)close(ends[0]);
    if (!end)
        (void)close(ends[1]);
    return more;
}

static const char *read_some(int fd)
{
    static char text[256];
    ssize_t size = read(fd, text, sizeof(text) - 1);

    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void guest_does_not_steer_the_terminal(void **state)
{
    static const char given[] = "a\tb\r\n\x1b[31m~ }\x7f\x80\x01";
    struct children children = CHILDREN_NULL;
    struct pollfd silence = {.events = POLLIN};
    char path[FOLDER_SIZE + 16];
    int pipe_ends[2], master, terminal;
    struct termios raw;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/" FOLDER_CONSOLE, plan.folder);
    assert_int_equal(console_log_open(&children.console_file, path, 1 << 20), 0);
    assert_int_equal(openpty(&master, &terminal, NULL, NULL, NULL), 0);
    assert_int_equal(tcgetattr(terminal, &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(terminal, TCSANOW, &raw), 0);
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);

    children.verbose = true;
    assert_true(take(&children, terminal, given, false));
    assert_string_equal(read_some(master), "a\tb \n?[31m~ }???");
    assert_false(take(&children, terminal, "end", true)); /* its writers are gone */
    assert_string_equal(read_some(master), "end");
    assert_true(take(&children, pipe_ends[1], given, false)); /* a file keeps it as it is */
    assert_string_equal(read_some(pipe_ends[0]), given);
    children.verbose = false;
    assert_true(take(&children, pipe_ends[1], "quiet", false));
    silence.fd = pipe_ends[0];
    assert_int_equal(poll(&silence, 1, 0), 0);
    console_log_close(&children.console_file);
    assert_string_equal(read_file(FOLDER_CONSOLE), "a\tb\r\n\x1b[31m~ }\x7f\x80\x01"
                                                   "enda\tb\r\n\x1b[31m~ }\x7f\x80\x01"
                                                   "quiet");
    (void)close(master);
    (void)close(terminal);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_have_what_they_need_and_nothing_else),
        TEST(daemon_of_a_user_is_root_to_itself),
        TEST(what_they_say_is_logged_and_nothing_is_left),
        TEST(end_without_a_beginning_is_none),
        TEST(what_cannot_be_started_is_told),
        TEST(program_that_cannot_be_executed_says_so),
        TEST(sockets_that_exist_already_start_nothing),
        TEST(guest_does_not_steer_the_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
