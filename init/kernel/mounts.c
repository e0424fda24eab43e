/* mounts: the filesystems of the kernel that every program expects. */
#include "mounts.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

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
            kmsg_log(LOG_ERR, "cannot mount %s on %s: %s; going on without it", entries[i].type,
                     entries[i].target, strerror(-r));
    }
}

void mounts_early(void)
{
    mount_all(early, sizeof(early) / sizeof(early[0]));
}

void mounts_rest(void)
{
    mount_all(rest, sizeof(rest) / sizeof(rest[0]));
}
