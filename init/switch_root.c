/* switch_root: makes the mounted real root the root, and hands PID 1 over to its init. */
#include "switch_root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/fd.h"
#include "base/job.h"
#include "base/kmsg_log.h"
#include "process/spawn.h"
#include "work/root.h"

/* What is below them comes along. */
static void move_kernels(void)
{
    static const char *const paths[] = {"/run", "/dev", "/sys", "/proc"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char path[64];

        (void)snprintf(path, sizeof(path), ROOT_PATH "%s", paths[i]);
        if (mount(paths[i], path, NULL, MS_MOVE, NULL) < 0)
            kmsg_log(LOG_WARNING, "cannot move %s to the new root: %s", paths[i], strerror(errno));
    }
}

int switch_root(struct report *report, int *ret_old_root)
{
    FD_CLOSE int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    /* Nothing can be moved out of a shared mount. */
    if (old < 0 || chdir(ROOT_PATH) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return report_fail(report, errno, "switch root: %s", strerror(errno));
    move_kernels();
    if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
        return report_fail(report, errno, "switch root: %s", strerror(errno));
    *ret_old_root = fd_take(&old);
    return 0;
}

/* Becomes @p init: with a clean environment, and as the kernel would have started it. */
static int become(const char *init, char *const *words, size_t count)
{
    char *argv[INIT_WORDS + 2] = {(char *)init};
    sigset_t all;

    for (size_t i = 0; i < count && i < INIT_WORDS; i++)
        argv[i + 1] = words[i];

    for (char **variable = environ; *variable;) {
        if (spawn_is_private(*variable)) {
            char name[64];

            (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(*variable, "="), *variable);
            if (unsetenv(name) == 0)
                continue; /* the list has moved up */
        }
        variable++;
    }
    (void)fd_write_file("/proc/self/oom_score_adj", "0");
    job_reset_signals();
    (void)execv(init, argv);
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    return errno;
}

/* Waits for what becomes of PID 1. @return true if it became the init: the pipe closed unused */
static bool wait_for_init(int fd)
{
    char failed;
    ssize_t n;

    do
        n = read(fd, &failed, sizeof(failed));
    while (n < 0 && errno == EINTR);
    return n == 0;
}

int switch_root_hand_over(const char *init, char *const *words, size_t count, struct report *report)
{
    FD_CLOSE int reader = -1;
    FD_CLOSE int writer = -1;
    int pipe_fds[2];
    pid_t agent;
    int error;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return report_fail(report, errno, "hand over to %s: %s", init, strerror(errno));
    reader = pipe_fds[0];
    writer = pipe_fds[1];
    agent = fork();
    if (agent < 0)
        return report_fail(report, errno, "hand over to %s: cannot fork the agent: %s", init,
                           strerror(errno));
    if (agent == 0) {
        (void)fd_close(fd_take(&writer)); /* else it never ends */
        if (!wait_for_init(reader))
            _exit(0);
        return 0;
    }
    error = become(init, words, count);
    (void)!write(writer, "", 1);
    (void)fd_write_file("/proc/self/oom_score_adj", "-1000");
    return report_fail(report, error, "hand over to %s: %s", init, strerror(error));
}

/* @param depth  bounds the recursion: an initramfs is shallow */
static void delete_children(int directory, dev_t device, unsigned depth)
{
    DIR *list = fdopendir(dup(directory));
    const struct dirent *entry;

    while (list && (entry = readdir(list))) {
        FD_CLOSE int child = -1;
        struct stat status;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlinkat(directory, entry->d_name, 0) == 0 || errno != EISDIR || depth == 0)
            continue;
        child = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0 || fstat(child, &status) < 0 || status.st_dev != device)
            continue; /* another filesystem is mounted there */
        delete_children(child, device, depth - 1);
        (void)unlinkat(directory, entry->d_name, AT_REMOVEDIR);
    }
    if (list)
        (void)closedir(list);
}

void switch_root_delete(int root)
{
    FD_CLOSE int owned = root;
    struct statfs filesystem;
    struct stat status;

    if (fstatfs(owned, &filesystem) < 0 || fstat(owned, &status) < 0 ||
        (filesystem.f_type != RAMFS_MAGIC && filesystem.f_type != TMPFS_MAGIC))
        return;
    delete_children(owned, status.st_dev, 32);
}
