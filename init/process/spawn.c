/* spawn: starts one program. */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/job.h"
#include "base/kmsg_log.h"
#include "base/limits.h"
#include "cgroup.h"
#include "kernel/devices.h"
#include "kernel/search_path.h"
#include "protocol/frame.h"
#include "protocol/limits.h"
#include "protocol/process_limit.h"
#include "terminal.h"
#include "work/connection.h"

#define VARIABLES ((size_t)2 * INIT_VARIABLES) /* PID 1's own, and as many of the request */

/* Where a child says why it does not become its program. */
#define EXEC_FD 3

/* Filled by the child alone, in its own copy of PID 1's memory: PID 1 never touches these pages. */
static struct {
    char *argv[INIT_WORDS + 1];
    char *environment[VARIABLES + 1];
    size_t variables;
    char directory[LIMITS_PATH];
    char strings[FRAME_PAYLOAD_MAX + 2];
    size_t used;
} child;

bool spawn_is_private(const char *variable)
{
    size_t size = strcspn(variable, "=");

    return memchr(variable, '.', size) != NULL ||
           (size == 14 && memcmp(variable, "hv_pci_swiotlb", size) == 0) ||
           (size == 7 && memcmp(variable, "swiotlb", size) == 0);
}

int spawn_check(const struct request_start_process *order)
{
    struct wire_list environment = order->environment;
    struct wire_list limits = order->limits;
    struct process_limit limit;
    struct wire_text text;

    if (order->argv.count == 0)
        return EINVAL;
    if ((order->flags & REQUEST_PROCESS_PTY) &&
        (order->role != REQUEST_ROLE_COMMAND || !(order->flags & REQUEST_PROCESS_OUTPUT) ||
         (order->flags & REQUEST_PROCESS_TERMINAL)))
        return EINVAL;
    if ((order->flags & REQUEST_PROCESS_CONNECTION) &&
        (order->role != REQUEST_ROLE_COMMAND ||
         (order->flags & (REQUEST_PROCESS_TERMINAL | REQUEST_PROCESS_PTY))))
        return EINVAL;
    if (order->argv.count > INIT_WORDS || order->environment.count > INIT_VARIABLES)
        return E2BIG;
    while (wire_list_next(&environment, &text))
        if (text.size < 2 || !memchr(text.data + 1, '=', text.size - 1))
            return EINVAL;
    while (wire_list_next(&limits, &text))
        if (process_limit_parse(text, &limit) < 0)
            return EINVAL;
    return 0;
}

/* An item of a list takes two bytes more than its text, so that its NUL always has room. */
static char *keep(struct wire_text text)
{
    char *string = child.strings + child.used;

    memcpy(string, text.data, text.size);
    string[text.size] = '\0';
    child.used += text.size + 1;
    return string;
}

static void set_variable(char *variable)
{
    size_t size = strcspn(variable, "=") + 1;

    for (size_t i = 0; i < child.variables; i++)
        if (strncmp(child.environment[i], variable, size) == 0) {
            child.environment[i] = variable;
            return;
        }
    if (child.variables < VARIABLES)
        child.environment[child.variables++] = variable;
}

static void make_environment(const struct request_start_process *order)
{
    static char path[] = "PATH=" SEARCH_PATH, home[] = "HOME=/root", root[] = "HOME=/";
    struct wire_list list = order->environment;
    struct wire_text text;

    set_variable(path);
    for (char **variable = environ; *variable && child.variables < INIT_VARIABLES; variable++)
        if (!spawn_is_private(*variable))
            set_variable(*variable);
    set_variable(order->uid == 0 && access("/root", X_OK) == 0 ? home : root);
    while (wire_list_next(&list, &text))
        set_variable(keep(text));
    environ = child.environment;
}

static void make_argv(const struct request_start_process *order)
{
    struct wire_list list = order->argv;
    struct wire_text text;

    for (size_t i = 0; wire_list_next(&list, &text); i++)
        child.argv[i] = keep(text);
}

__attribute__((noreturn)) static void give_up(int exec_fd, const char *where, int status)
{
    struct spawn_failure failure = {.error = errno, .status = status};

    (void)snprintf(failure.where, sizeof(failure.where), "%s", where);
    (void)!write(exec_fd, &failure, sizeof(failure));
    _exit(status);
}

/* @param fd  the child's end, or -1 for @p path */
static int give_standard(int number, int fd, const char *path, int flags)
{
    FD_CLOSE int opened = -1;

    if (fd < 0) {
        fd = opened = open(path, flags | O_NOCTTY);
        if (fd < 0)
            fd = opened = open("/dev/null", O_RDWR);
    }
    if (fd == number) { /* cannot be: PID 1 has its own there */
        (void)fd_take(&opened);
        return fcntl(fd, F_SETFD, 0);
    }
    return fd < 0 ? -1 : dup2(fd, number);
}

/*
 * Programs open their standard streams again by name (/dev/stdout), which takes the rights to. A
 * pipe is given to the program's user; the console too, but only as a terminal: else its group may
 * write.
 */
static int own(int fd, const struct request_start_process *order)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -1;
    if (S_ISFIFO(status.st_mode))
        return fchown(fd, order->uid, order->gid);
    if (!S_ISCHR(status.st_mode) || status.st_rdev == makedev(1, 3)) /* /dev/null is everybody's */
        return 0;
    if (order->flags & REQUEST_PROCESS_PTY) /* its group, tty, may write, as of any terminal */
        return fchown(fd, order->uid, (gid_t)-1);
    if (order->flags & REQUEST_PROCESS_TERMINAL)
        return fchown(fd, order->uid, order->gid);
    if (order->role == REQUEST_ROLE_PAYLOAD)
        return fchown(fd, 0, order->gid) < 0 ? -1 : fchmod(fd, 0620);
    return 0;
}

static int set_standards(const struct request_start_process *order, const int ends[3])
{
    bool terminal = (order->flags & REQUEST_PROCESS_TERMINAL) != 0;

    /* What is typed there is for who has it as its terminal, and for nobody else's program. */
    int flags = terminal ? O_RDWR : O_WRONLY;

    if (give_standard(0, ends[0], terminal ? "/dev/console" : "/dev/null", O_RDWR) < 0 ||
        give_standard(1, ends[1], "/dev/console", flags) < 0 ||
        give_standard(2, ends[2], "/dev/console", flags) < 0)
        return -1;
    if ((order->flags & REQUEST_PROCESS_PTY) && ioctl(0, TIOCSCTTY, 0) < 0)
        return -1;
    if (terminal) /* best effort: no console, no job control */
        (void)ioctl(0, TIOCSCTTY, 1);
    /* Where root may not give a file away (a user namespace without that user), nothing is lost. */
    for (int fd = 0; fd < 3; fd++)
        (void)own(fd, order);
    return 0;
}

static void enter_group(const struct request_start_process *order, int exec_fd,
                        const struct spawn_group *group)
{
    bool bounded = order->memory_max != 0 || order->pids_max != 0;
    const char *where = "memory_max, pids_max (cgroup2)";
    int r = -EOPNOTSUPP;

    if (group->tree >= 0)
        r = cgroup_enter(group->tree, group->name, order->memory_max, order->pids_max, &where);
    if (r < 0 && bounded) {
        errno = -r;
        give_up(exec_fd, where, SPAWN_NOT_STARTED);
    }
    if (r < 0 && group->tree >= 0)
        kmsg_log(LOG_WARNING, "cannot enter control group %s: %s; continuing without it",
                 group->name, strerror(-r));
}

/* The most files of one process that the kernel allows, which is less than RLIM_INFINITY. */
static rlim_t most_files(void)
{
    char text[32];

    return fd_read_file("/proc/sys/fs/nr_open", text, sizeof(text)) < 0
               ? INIT_FILES_HARD
               : (rlim_t)strtoull(text, NULL, 10);
}

static rlim_t limit_value(const struct process_limit *limit, uint64_t number)
{
    if (number != PROCESS_LIMIT_UNLIMITED)
        return (rlim_t)number;
    return limit->resource == RLIMIT_NOFILE ? most_files() : RLIM_INFINITY;
}

static void set_limits(const struct request_start_process *order)
{
    const struct rlimit files = {.rlim_cur = INIT_FILES_SOFT, .rlim_max = INIT_FILES_HARD};
    struct wire_list list = order->limits;
    struct process_limit limit;
    struct wire_text text;

    (void)setrlimit(RLIMIT_NOFILE, &files);
    while (wire_list_next(&list, &text)) {
        struct rlimit value;
        char where[32];

        (void)process_limit_parse(text, &limit); /* spawn_check() did */
        value.rlim_cur = limit_value(&limit, limit.soft);
        value.rlim_max = limit_value(&limit, limit.hard);
        if (setrlimit((__rlimit_resource_t)limit.resource, &value) == 0)
            continue;
        (void)snprintf(where, sizeof(where), "limit %.*s", (int)(text.size > 25 ? 25 : text.size),
                       text.data);
        give_up(EXEC_FD, where, SPAWN_NOT_STARTED);
    }
    (void)umask(order->flags & REQUEST_PROCESS_UMASK ? order->umask & 0777u : 022u);
}

/* This child of PID 1's is the connection: PID 1 itself waits for nobody, and no program of the
 * root is needed. */
__attribute__((noreturn)) static void connect_to(const char *address)
{
    int fd = connection_open(address);

    if (fd < 0) {
        errno = -fd;
        give_up(EXEC_FD, "connection", SPAWN_NOT_EXECUTABLE);
    }
    connection_copy(fd);
}

/* Of PID 1's descriptors only that one and the standard streams stay. On a share whose server is
 * gone this child may never come to its execve(2), and others wait for the end of what it holds. */
static void close_all_but(int exec_fd)
{
    if (exec_fd != EXEC_FD)
        (void)dup3(exec_fd, EXEC_FD, O_CLOEXEC);
    (void)close_range(EXEC_FD + 1, ~0U, 0);
}

__attribute__((noreturn)) static void run_child(const struct request_start_process *order,
                                                const struct spawn_group *group, int exec_fd,
                                                const int ends[3])
{
    job_reset_signals();
    kmsg_log_set_sink(NULL, NULL);
    (void)setsid();
    (void)fd_write_file("/proc/self/oom_score_adj", "0");
    enter_group(order, exec_fd, group);
    devices_open();
    if (set_standards(order, ends) < 0)
        give_up(exec_fd, "standard input and output", SPAWN_NOT_STARTED);
    close_all_but(exec_fd);
    if (wire_text_copy(order->directory, child.directory, sizeof(child.directory)) < 0)
        child.directory[0] = '\0';
    make_argv(order);
    make_environment(order);
    set_limits(order);
    if (setgroups(0, NULL) < 0 || setgid(order->gid) < 0 || setuid(order->uid) < 0)
        give_up(EXEC_FD, "user and group", SPAWN_NOT_STARTED);
    /* As that user, whose symlinks then lead only where the user could go anyway. */
    if (chdir(child.directory[0] ? child.directory : "/") < 0)
        give_up(EXEC_FD, "working directory", SPAWN_NOT_STARTED);
    if (order->flags & REQUEST_PROCESS_CONNECTION)
        connect_to(child.argv[0]);
    (void)execvp(child.argv[0], child.argv);
    give_up(EXEC_FD, "exec",
            errno == ENOENT || errno == ENOTDIR ? SPAWN_NOT_FOUND : SPAWN_NOT_EXECUTABLE);
}

struct pipes {
    int fds[4][2]; /* stdin, stdout, stderr, exec; [0] is read, [1] written */
    int slave;     /* of a terminal, in the place of the child's ends of the first three */
};

static void close_pipes(struct pipes *pipes)
{
    for (size_t i = 0; i < 4; i++)
        for (size_t end = 0; end < 2; end++)
            pipes->fds[i][end] = fd_close(pipes->fds[i][end]);
    pipes->slave = fd_close(pipes->slave);
}

/* Its master is where the program's output is read, and once more where its input is written. */
static int open_terminal(const struct request_start_process *order, struct pipes *pipes)
{
    int r = terminal_open(order->rows, order->columns, &pipes->fds[1][0], &pipes->slave);

    if (r < 0 || !(order->flags & REQUEST_PROCESS_INPUT))
        return r;
    pipes->fds[0][1] = fcntl(pipes->fds[1][0], F_DUPFD_CLOEXEC, 0);
    return pipes->fds[0][1] < 0 ? -errno : 0;
}

static int open_pipes(const struct request_start_process *order, struct pipes *pipes)
{
    bool terminal = (order->flags & REQUEST_PROCESS_PTY) != 0;
    bool output = !terminal && (order->flags & REQUEST_PROCESS_OUTPUT);
    const bool wanted[4] = {!terminal && (order->flags & REQUEST_PROCESS_INPUT), output, output,
                            true};

    for (size_t i = 0; i < 4; i++) {
        int ours = i == 0 ? 1 : 0;

        if (!wanted[i])
            continue;
        if (pipe2(pipes->fds[i], O_CLOEXEC) < 0 ||
            fcntl(pipes->fds[i][ours], F_SETFL, O_NONBLOCK) < 0)
            return -errno;
    }
    return terminal ? open_terminal(order, pipes) : 0;
}

int spawn(const struct request_start_process *order, const struct spawn_group *group,
          struct spawned *ret)
{
    __attribute__((cleanup(close_pipes))) struct pipes pipes;
    int r;
    pid_t pid;

    memset(&pipes, 0xff, sizeof(pipes));
    r = open_pipes(order, &pipes);
    if (r < 0)
        return r;
    pid = fork();
    if (pid == 0) {
        const int ends[3] = {pipes.slave < 0 ? pipes.fds[0][0] : pipes.slave,
                             pipes.slave < 0 ? pipes.fds[1][1] : pipes.slave,
                             pipes.slave < 0 ? pipes.fds[2][1] : pipes.slave};

        run_child(order, group, pipes.fds[3][1], ends);
    }
    if (pid < 0)
        return -errno;
    *ret = (struct spawned){
        .pid = pid,
        .exec_fd = fd_take(&pipes.fds[3][0]),
        .out_fd = {fd_take(&pipes.fds[1][0]), fd_take(&pipes.fds[2][0])},
        .in_fd = fd_take(&pipes.fds[0][1]),
    };
    return 0;
}
