/* child exec: what happens in a child between fork and execve, and the record that it leaves. */
#include "child_exec.h"

#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define BOOT_ID_SIZE 37u

_Noreturn static void die(int status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

_Noreturn static void die(int status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vdprintf(STDERR_FILENO, format, arguments);
    va_end(arguments);
    _exit(status);
}

/* Reads a small file into a string. @return its length, or -errno */
static ssize_t read_text(const char *path, char *buffer, size_t capacity)
{
    FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size = fd < 0 ? -1 : read(fd, buffer, capacity - 1);

    if (size < 0)
        return -errno;
    buffer[size] = '\0';
    return size;
}

static int read_boot_id(char boot_id[BOOT_ID_SIZE])
{
    char text[BOOT_ID_SIZE + 2];
    ssize_t size = read_text("/proc/sys/kernel/random/boot_id", text, sizeof(text));

    if (size < (ssize_t)BOOT_ID_SIZE - 1)
        return -EIO;
    memcpy(boot_id, text, BOOT_ID_SIZE - 1);
    boot_id[BOOT_ID_SIZE - 1] = '\0';
    return 0;
}

/* Field 22 of /proc/PID/stat, counted from behind the command's name, which may hold anything. The
 * field behind the name is the state: a process that only waits to be waited for is gone. */
static int read_start(pid_t pid, uint64_t *ret_start)
{
    char path[64], text[1024];
    const char *field;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_text(path, text, sizeof(text)) <= 0)
        return -ESRCH;
    field = strrchr(text, ')');
    if (!field || strlen(field) < 3 || field[2] == 'Z' || field[2] == 'X')
        return -ESRCH;
    for (int number = 2; field && number < 22; number++) {
        field = strchr(field, ' ');
        field = field ? field + 1 : NULL;
    }
    if (!field)
        return -ESRCH;
    *ret_start = strtoull(field, NULL, 10);
    return 0;
}

static int record_write(const char *path)
{
    char boot_id[BOOT_ID_SIZE];
    uint64_t start;
    FD fd = -1;
    int r;

    r = read_boot_id(boot_id);
    if (r == 0)
        r = read_start(getpid(), &start);
    if (r < 0)
        return r;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    return dprintf(fd, "%d %" PRIu64 " %s\n", (int)getpid(), start, boot_id) < 0 ? -errno : 0;
}

int child_record_read(const char *path, pid_t *ret_pid)
{
    char text[128], boot_id[BOOT_ID_SIZE], *end;
    uint64_t start, start_now;
    long pid;

    if (read_text(path, text, sizeof(text)) <= 0 || !strchr(text, '\n'))
        return -ESRCH;
    pid = strtol(text, &end, 10);
    if (pid <= 1 || pid > INT32_MAX || *end != ' ')
        return -ESRCH;
    start = strtoull(end + 1, &end, 10);
    if (*end != ' ' || strlen(end + 1) != BOOT_ID_SIZE || read_boot_id(boot_id) < 0)
        return -ESRCH;
    if (memcmp(end + 1, boot_id, BOOT_ID_SIZE - 1) != 0)
        return -ESRCH;
    if (read_start((pid_t)pid, &start_now) < 0 || start_now != start)
        return -ESRCH;
    *ret_pid = (pid_t)pid;
    return 0;
}

static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void wait_for_gate(const int gate[2])
{
    char byte;

    (void)close(gate[1]); /* or there is no end of file when the daemon ends */
    while (read(gate[0], &byte, sizeof(byte)) < 0 && errno == EINTR)
        ;
}

/* Stderr comes first so that what goes wrong afterwards can be said. */
static void place_fds(const struct child_spec *spec)
{
    static const size_t order[CHILD_FDS_MAX] = {2, 0, 1, 3};
    int moved[CHILD_FDS_MAX];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        die(CHILD_NOT_STARTED, "cannot open /dev/null: %s\n", strerrordesc_np(errno));
    for (size_t i = 0; i < CHILD_FDS_MAX; i++) {
        int fd = spec->fds[i] >= 0 ? spec->fds[i] : null;

        moved[i] = fcntl(fd, F_DUPFD_CLOEXEC, (int)CHILD_FDS_MAX);
        if (moved[i] < 0)
            die(CHILD_NOT_STARTED, "cannot keep file descriptor %d: %s\n", fd,
                strerrordesc_np(errno));
    }
    for (size_t i = 0; i < CHILD_FDS_MAX; i++)
        if (dup2(moved[order[i]], (int)order[i]) < 0)
            die(CHILD_NOT_STARTED, "cannot move file descriptor %zu: %s\n", order[i],
                strerrordesc_np(errno));
    (void)close_range(spec->fds[3] >= 0 ? CHILD_FDS_MAX : 3, ~0U, CLOSE_RANGE_UNSHARE);
}

/*
 * The bind mount is private so that nothing mounted below the directory later comes in without its
 * limits.
 */
static void limit_folder(const char *path, bool read_only)
{
    struct mount_attr attributes = {
        .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0),
        .propagation = MS_PRIVATE,
    };

    if (unshare(CLONE_NEWNS) < 0) {
        if (errno == EPERM && !read_only)
            return;
    } else if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0 &&
               mount(path, path, NULL, MS_BIND | MS_REC, NULL) == 0 &&
               mount_setattr(AT_FDCWD, path, AT_RECURSIVE, &attributes, sizeof(attributes)) == 0) {
        return;
    }
    die(CHILD_NOT_STARTED,
        "cannot mount %s %snodev,nosuid (needs CAP_SYS_ADMIN): %s; not started\n", path,
        read_only ? "read-only," : "", strerrordesc_np(errno));
}

static void enter_jail(const struct child_spec *spec)
{
    const char *step = "";
    int r = jail_enter(spec->jail, spec->argv[0], &step);

    if (r < 0)
        die(CHILD_NOT_STARTED, "cannot set up the jail for %s: %s: %s; not starting it\n",
            spec->argv[0], step, strerrordesc_np(-r));
}

static void enter_directory(const struct child_spec *spec)
{
    const char *directory = spec->directory ? spec->directory : "/";

    if (spec->folder)
        limit_folder(spec->folder, spec->read_only);
    if (chdir(directory) < 0)
        die(CHILD_NOT_STARTED, "cannot change to %s: %s\n", directory, strerrordesc_np(errno));
}

_Noreturn void child_exec(const struct child_spec *spec)
{
    static const char *const private_variables[] = {
        "NOTIFY_SOCKET",  "LISTEN_PID",   "LISTEN_FDS",
        "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC",
    };
    int r;

    reset_signals();
    if (spec->gate)
        wait_for_gate(spec->gate);
    place_fds(spec);
    for (size_t i = 0; i < sizeof(private_variables) / sizeof(private_variables[0]); i++)
        (void)unsetenv(private_variables[i]);
    if (spec->detached)
        (void)setsid();
    if (!spec->jail)
        enter_directory(spec);
    r = spec->record ? record_write(spec->record) : 0;
    if (r < 0)
        die(CHILD_NOT_STARTED, "cannot write %s: %s\n", spec->record, strerrordesc_np(-r));
    if (spec->jail) /* behind the record: this process gets another inside */
        enter_jail(spec);
    (void)execv(spec->argv[0], (char *const *)spec->argv);
    die(errno == ENOENT ? CHILD_NOT_FOUND : CHILD_NOT_STARTED, "cannot execute %s: %s\n",
        spec->argv[0], strerrordesc_np(errno));
}
