/* mounts: the filesystems of the kernel that every program expects. */
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/fd.h"
#include "base/kmsg_log.h"

struct mounts_entry {
    const char *target;
    const char *type;
    unsigned long flags;
    const char *data;
};

static const struct mounts_entry early[] = {
    {"/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"/dev", "devtmpfs", MS_NOSUID, "mode=0755"},
};

static const struct mounts_entry rest[] = {
    {"/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666"},
    {"/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
    {"/dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
    {"/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"},
    {"/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
    {"/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC,
     "nsdelegate,memory_recursiveprot"},
};

/* The directory is made only if the mount misses it: one system call each in the usual case. */
static int mount_one(const struct mounts_entry *entry)
{
    for (int attempt = 0;; attempt++) {
        if (mount(entry->type, entry->target, entry->type, entry->flags, entry->data) == 0)
            return 0;
        if (errno == EBUSY) /* the kernel or an earlier stage did it */
            return 0;
        if (errno != ENOENT || attempt > 0 || mkdir(entry->target, 0755) < 0)
            return -errno;
    }
}

static void mount_all(const struct mounts_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int r = mount_one(&entries[i]);

        if (r < 0)
            kmsg_log(r == -ENODEV ? LOG_NOTICE : LOG_ERR,
                     "cannot mount %s on %s: %s; continuing without it", entries[i].type,
                     entries[i].target,
                     r == -ENODEV ? "this kernel has no such filesystem" : strerror(-r));
    }
}

/*
 * rootfs has no mount below it, so that pivot_root(2) refuses to leave it. A bind mount of it does:
 * the same files, in no more memory. The mounts so far come along as copies; the first ones stay
 * below, where nobody sees them.
 */
static int leave_rootfs(void)
{
    FD_CLOSE int fd = -1;
    struct statfs filesystem;

    if (statfs("/", &filesystem) < 0 ||
        (filesystem.f_type != RAMFS_MAGIC && filesystem.f_type != TMPFS_MAGIC))
        return 0;
    fd = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (fd < 0 || move_mount(fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
        fchdir(fd) < 0 || chroot(".") < 0)
        return -errno;
    return 0;
}

void mounts_early(void)
{
    mount_all(early, sizeof(early) / sizeof(early[0]));
}

void mounts_rest(void)
{
    int r = leave_rootfs();

    if (r < 0)
        kmsg_log(LOG_WARNING, "cannot leave the kernel's rootfs: %s; containers cannot pivot_root",
                 strerror(-r));
    mount_all(rest, sizeof(rest) / sizeof(rest[0]));
    /* As systemd has it: what is mounted later is seen by containers that ask for it. */
    if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
        kmsg_log(LOG_WARNING, "cannot share the mounts with containers: %s", strerror(errno));
}
