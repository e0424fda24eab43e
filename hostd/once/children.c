/* children: started with the descriptors that they need, killed by whom they belong to. */
#include "children.h"

#include "base/fd.h"
#include "ctl/say.h"
#include "tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of each of a log's two files: a guest that writes forever fills neither memory nor disk. */
#define LOG_BYTES (UINT64_C(1) << 20)

/* sd_listen_fds(3): passed sockets begin here. */
#define PASSED_FD 3

#define DESCRIPTORS 8

struct program {
    const char *const *argv;
    int output;           /* gets its standard output and error */
    int fds[DESCRIPTORS]; /* -1 behind the last; the program has them as 3, 4, … */
    bool sockets;         /* these are passed as systemd does */
    bool root;            /* in a user namespace where this user is root, if that can be had */
};

static bool write_file(const char *path, const char *text)
{
    FD fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* A share that is read-only is a mount, and QEMU's own virtiofsd makes a sandbox of mounts: both
 * take CAP_SYS_ADMIN, which an ordinary user has only in a new user namespace. Where a host
 * allows none, what needs it fails, and the daemon reports that. */
static void become_root(void)
{
    char uid[32], gid[32];

    (void)snprintf(uid, sizeof(uid), "0 %u 1", (unsigned)geteuid());
    (void)snprintf(gid, sizeof(gid), "0 %u 1", (unsigned)getegid());
    if (geteuid() == 0 || unshare(CLONE_NEWUSER) < 0)
        return;
    if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", uid) ||
        !write_file("/proc/self/gid_map", gid))
        (void)fprintf(stderr,
                      "guestlink: cannot map user %s into a namespace: %s; the daemon runs "
                      "without CAP_SYS_ADMIN\n",
                      uid, strerror(errno));
}

_Noreturn static void become(const struct program *program, pid_t parent)
{
    char number[16];
    int last = PASSED_FD;

    tool_prepare_child(parent);
    if (program->root)
        become_root();
    /* Out of the way first: what is at 3 may be one that is to come to 4. */
    for (size_t i = 0; program->fds[i] >= 0; i++, last++)
        (void)dup2(fcntl(program->fds[i], F_DUPFD, 64), last);
    (void)dup2(program->output, STDOUT_FILENO);
    (void)dup2(program->output, STDERR_FILENO);
    (void)close_range((unsigned)last, ~0U, 0);
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("GUESTLINK_LAUNCH");
    if (program->sockets) {
        (void)snprintf(number, sizeof(number), "%d", (int)getpid());
        (void)setenv("LISTEN_PID", number, 1);
        (void)snprintf(number, sizeof(number), "%d", last - PASSED_FD);
        (void)setenv("LISTEN_FDS", number, 1);
        (void)unsetenv("LISTEN_FDNAMES");
    }
    (void)execvp(program->argv[0], (char *const *)program->argv);
    (void)fprintf(stderr, "guestlink: cannot run \"%s\": %s\n", program->argv[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

/* @return a pidfd, or -errno */
static int start(const struct program *program)
{
    pid_t self = getpid(), pid = fork();
    int pidfd;

    if (pid < 0)
        return -errno;
    if (pid == 0)
        become(program, self);
    pidfd = pidfd_open(pid, 0);
    return pidfd < 0 ? -errno : pidfd;
}

/* @return a listening socket, or -errno */
static int listen_at(const char *folder, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, SOMAXCONN) < 0)
        return -errno;
    return fd_take(&fd);
}

static int write_config(const struct plan *plan, struct json_object *config,
                        char path[FOLDER_SIZE + 16])
{
    (void)snprintf(path, FOLDER_SIZE + 16, "%s/" FOLDER_CONFIG, plan->folder);
    return json_object_to_file_ext(path, config,
                                   JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE) < 0
               ? -EIO
               : 0;
}

/* @return the end of the pipe to read from, which does not block; or -errno */
static int make_pipe(int *ret_writer)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *ret_writer = ends[1];
    return ends[0];
}

static int open_logs(const struct plan *plan, struct children *children)
{
    int r;

    children->verbose = plan->request->verbose;
    (void)snprintf(children->console_path, sizeof(children->console_path), "%s/" FOLDER_CONSOLE,
                   plan->folder);
    (void)snprintf(children->log_path, sizeof(children->log_path), "%s/" FOLDER_LOG, plan->folder);
    r = console_log_open(&children->console_file, children->console_path, LOG_BYTES);
    return r < 0 ? r : console_log_open(&children->log_file, children->log_path, LOG_BYTES);
}

static int start_daemon(const struct plan *plan, const char *config, int log,
                        struct children *children)
{
    char path[LIMITS_PATH];
    const char *argv[] = {path, "--config", config, NULL};
    FD control = -1, guest = -1;
    int r = tool_find("guestlink-hostd", "guestlink-hostd", path);

    if (r < 0)
        return r;
    control = listen_at(plan->folder, FOLDER_CONTROL);
    guest = listen_at(plan->folder, FOLDER_GUEST);
    if (control < 0 || guest < 0)
        return control < 0 ? control : guest;
    children->daemon = start(&(struct program){
        .argv = argv, .output = log, .fds = {control, guest, -1}, .sockets = true, .root = true});
    return children->daemon < 0 ? children->daemon : 0;
}

static int start_both(const struct plan *plan, struct json_object *config,
                      struct children *children)
{
    char config_path[FOLDER_SIZE + 16];
    FD console = -1, log = -1;
    WORDS qemu = WORDS_NULL;
    int r = plan_make_qemu(plan, config, &qemu);

    if (r == 0)
        r = write_config(plan, config, config_path);
    if (r == 0)
        r = open_logs(plan, children);
    if (r == 0)
        r = children->console = make_pipe(&console);
    if (r >= 0)
        r = children->log = make_pipe(&log);
    if (r >= 0)
        r = start_daemon(plan, config_path, log, children);
    if (r < 0)
        return r;
    children->qemu = start(&(struct program){
        .argv = (const char *const *)qemu.items, .output = log, .fds = {console, -1}});
    return children->qemu < 0 ? children->qemu : 0;
}

int children_start(const struct plan *plan, struct children *children)
{
    struct json_object *config = plan_make_config(plan);
    int r = start_both(plan, config, children);

    json_object_put(config);
    if (r < 0 && r != -EINVAL && r != -ENOENT)
        say_error("cannot start the VM in \"%s\": %s", plan->folder, strerror(-r));
    return r;
}

/* A guest must not steer the terminal that it is shown on. */
static void show(char *data, size_t size)
{
    bool terminal = isatty(STDERR_FILENO);

    for (size_t i = 0; terminal && i < size; i++)
        if (data[i] != '\n' && data[i] != '\t' && (data[i] < ' ' || data[i] > '~'))
            data[i] = data[i] == '\r' ? ' ' : '?';
    (void)!write(STDERR_FILENO, data, size);
}

static bool take(int from, struct console_log *to, bool verbose)
{
    char data[16384];
    ssize_t n;

    while ((n = read(from, data, sizeof(data))) > 0) {
        console_log_write(to, data, (size_t)n);
        if (verbose)
            show(data, (size_t)n);
    }
    return n < 0 && errno == EAGAIN;
}

bool children_take_console(struct children *children)
{
    return take(children->console, &children->console_file, children->verbose);
}

bool children_take_log(struct children *children)
{
    return take(children->log, &children->log_file, children->verbose);
}

/* @return the parent of a process; 0: it is gone */
static pid_t parent_of(const char *pid)
{
    char path[64], text[512] = "";
    const char *behind;
    FD fd = -1;

    (void)snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        return 0;
    behind = strrchr(text, ')'); /* a process may be called ") S 1" */
    /* ") S 1234 …" */
    return behind != NULL && strlen(behind) > 4 ? (pid_t)strtol(behind + 4, NULL, 10) : 0;
}

static void kill_children(void)
{
    DIR *processes = opendir("/proc");
    const struct dirent *entry;

    while (processes != NULL && (entry = readdir(processes)) != NULL)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            parent_of(entry->d_name) == getpid())
            (void)kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
    if (processes != NULL)
        (void)closedir(processes);
}

void children_end(struct children *children)
{
    /* What a child leaves behind becomes a child before that one can be waited for. */
    do
        kill_children();
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
    if (children->console >= 0)
        (void)children_take_console(children);
    if (children->log >= 0)
        (void)children_take_log(children);
    console_log_close(&children->console_file);
    console_log_close(&children->log_file);
}
