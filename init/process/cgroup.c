/* cgroup: a separate control group for the payload and for each command. */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/fd.h"
#include "base/limits.h"

#define FOLDER "guestlink"

/* Somebody else may remove the group, still empty, between its making and our entering. */
#define ATTEMPTS 16

static int write_at(int directory, const char *path, const char *text)
{
    FD_CLOSE int fd = openat(directory, path, O_WRONLY | O_CLOEXEC);
    ssize_t size = (ssize_t)strlen(text);

    if (fd < 0 || write(fd, text, (size_t)size) != size)
        return -errno;
    return 0;
}

/* A mount changes the options of all mounts of cgroup2: they are those of mounts.c again. Kernels
 * know some of them only. */
static int mount_tree(void)
{
    FD_CLOSE int context = fsopen("cgroup2", FSOPEN_CLOEXEC);
    int fd;

    if (context < 0)
        return -errno;
    (void)fsconfig(context, FSCONFIG_SET_FLAG, "nsdelegate", NULL, 0);
    (void)fsconfig(context, FSCONFIG_SET_FLAG, "memory_recursiveprot", NULL, 0);
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    fd =
        fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    return fd < 0 ? -errno : fd;
}

int cgroup_open(void)
{
    static const char *const controllers[] = {"+memory", "+pids"};
    FD_CLOSE int root = mount_tree();
    int fd;

    if (root < 0)
        return root;
    if (mkdirat(root, FOLDER, 0755) < 0 && errno != EEXIST)
        return -errno;
    /* What is missing shows where a bound is asked for. */
    for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
        (void)write_at(root, "cgroup.subtree_control", controllers[i]);
        (void)write_at(root, FOLDER "/cgroup.subtree_control", controllers[i]);
    }
    fd = openat(root, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* @param number  0: no bound, which is the default of a new group, but not of an old one */
static int bound(int group, const char *file, uint64_t number)
{
    char text[24];
    int r;

    (void)snprintf(text, sizeof(text), "%" PRIu64, number);
    r = write_at(group, file, number == 0 ? "max" : text);
    if (r == -ENOENT)
        return number == 0 ? 0 : -EOPNOTSUPP;
    return r;
}

static int enter_once(int tree, const char *name, uint64_t memory_max, uint32_t pids_max,
                      const char **ret_where)
{
    FD_CLOSE int group = -1;
    int r;

    *ret_where = "cgroup";
    if (mkdirat(tree, name, 0755) < 0 && errno != EEXIST)
        return -errno;
    group = openat(tree, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (group < 0)
        return -errno;
    *ret_where = "memory_max (cgroup2)";
    r = bound(group, "memory.max", memory_max);
    if (r < 0)
        return r;
    *ret_where = "pids_max (cgroup2)";
    r = bound(group, "pids.max", pids_max);
    if (r < 0)
        return r;
    *ret_where = "cgroup";
    return write_at(group, "cgroup.procs", "0");
}

static void sweep(int tree)
{
    DIRECTORY_CLOSE struct directory directory;
    const char *name;

    if (directory_open_fd(tree, &directory) < 0)
        return;
    while ((name = directory_next(&directory)))
        if (strncmp(name, "exec-", 5) == 0)
            cgroup_remove(tree, name);
}

int cgroup_enter(int tree, const char *name, uint64_t memory_max, uint32_t pids_max,
                 const char **ret_where)
{
    int r = -ENOENT;

    sweep(tree);
    for (int i = 0; i < ATTEMPTS && (r == -ENOENT || r == -ENODEV); i++)
        r = enter_once(tree, name, memory_max, pids_max, ret_where);
    return r;
}

/* One line of cgroup.procs. A process that is no more gets nothing. */
static void signal_one(const char *line, pid_t reached, int signal)
{
    pid_t pid = (pid_t)strtol(line, NULL, 10);

    if (pid > 1 && pid != getpid() && getpgid(pid) != reached)
        (void)kill(pid, signal);
}

void cgroup_signal(int tree, const char *name, pid_t reached, int signal)
{
    char path[CGROUP_NAME_SIZE + sizeof("/cgroup.procs")], text[4096], line[16];
    FD_CLOSE int fd = -1;
    size_t size = 0, total = 0;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "%s/cgroup.procs", name);
    fd = openat(tree, path, O_RDONLY | O_CLOEXEC);
    /* Bounded: who forks without end shall not keep PID 1 here. SIGKILL goes another way. */
    while (fd >= 0 && total < INIT_SIGNALED_BYTES && (n = read(fd, text, sizeof(text))) > 0) {
        total += (size_t)n;
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] != '\n' && size < sizeof(line) - 1) {
                line[size++] = text[i];
                continue;
            }
            line[size] = '\0';
            size = 0;
            signal_one(line, reached, signal);
        }
    }
}

int cgroup_kill(int tree, const char *name)
{
    char path[CGROUP_NAME_SIZE + sizeof("/cgroup.kill")];
    int r;

    (void)snprintf(path, sizeof(path), "%s/cgroup.kill", name);
    r = write_at(tree, path, "1");
    for (int i = 0; i < ATTEMPTS && r == -ENOENT;
         i++) /* before Linux 5.14: who forks may get away */
        cgroup_signal(tree, name, -1, SIGKILL);
    return r == -ENOENT ? 0 : r;
}

void cgroup_remove(int tree, const char *name)
{
    (void)unlinkat(tree, name, AT_REMOVEDIR);
}
