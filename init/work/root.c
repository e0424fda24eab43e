/* root: the real root filesystem. */
#include "root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/superblock.h"
#include "kernel/facts.h"
#include "share.h"
#include "wait.h"

/* Takes `ro` and `rw` out of @p options; the rest is the filesystem's. */
static unsigned long split_options(const char *options, char *rest, size_t capacity)
{
    unsigned long flags = 0;
    size_t used = 0;

    rest[0] = '\0';
    while (*options != '\0') {
        size_t size = strcspn(options, ",");

        if (size == 2 && memcmp(options, "ro", 2) == 0) {
            flags |= MS_RDONLY;
        } else if (!(size == 2 && memcmp(options, "rw", 2) == 0) && used + size + 2 < capacity) {
            if (used > 0)
                rest[used++] = ',';
            memcpy(rest + used, options, size);
            used += size;
            rest[used] = '\0';
        }
        options += size;
        options += *options == ',';
    }
    return flags;
}

static void mount_virtiofs(const struct root_order *order, struct report *report)
{
    struct share_order share = {
        .as_root = true,
        .timeout_ms = INIT_ROOT_MS,
        .late = order->late,
        .target = ROOT_PATH,
    };
    char rest[128];

    share.read_only = split_options(order->cmdline->root_options, rest, sizeof(rest)) & MS_RDONLY;
    (void)snprintf(share.tag, sizeof(share.tag), "%s", order->cmdline->root + strlen("virtiofs:"));
    share_mount(&share, report);
    /* The host may have mounted it as a share, whose flags are too narrow for a root. */
    if (report->error == 0)
        (void)mount(NULL, ROOT_PATH, NULL,
                    MS_REMOUNT | MS_BIND | (share.read_only ? MS_RDONLY : 0ul), NULL);
}

static int read_superblock(const char *path, struct superblock *ret)
{
    static uint8_t data[SUPERBLOCK_READ_SIZE];
    FD_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    ssize_t n = 0;

    if (fd < 0)
        return -errno;
    while (size < sizeof(data) && (n = read(fd, data + size, sizeof(data) - size)) > 0)
        size += (size_t)n;
    return n < 0 ? -errno : superblock_parse(data, size, ret);
}

static bool is_wanted(const char *root, const char *path, const struct superblock *block)
{
    uint8_t uuid[16];

    if (strncmp(root, "LABEL=", 6) == 0)
        return strcmp(block->label, root + 6) == 0;
    if (strncmp(root, "UUID=", 5) == 0)
        return facts_parse_uuid(root + 5, uuid) == 0 &&
               memcmp(uuid, block->uuid, sizeof(uuid)) == 0;
    return strcmp(path, root) == 0;
}

/* Looks at every block device that is there. @return true and where it is */
static bool find_device(const char *root, char *path, size_t capacity, struct superblock *block)
{
    DIR *directory = opendir("/sys/class/block");
    const struct dirent *entry;
    bool found = false;

    while (directory && !found && (entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, capacity, "/dev/%s", entry->d_name);
        found = (root[0] != '/' || strcmp(path, root) == 0) && read_superblock(path, block) == 0 &&
                is_wanted(root, path, block);
    }
    if (directory)
        (void)closedir(directory);
    return found;
}

static void mount_block(const struct root_order *order, struct report *report)
{
    const char *root = order->cmdline->root;
    WAIT_END struct wait wait = wait_begin(order->late, INIT_ROOT_MS);
    struct superblock block = {0};
    char path[PATH_MAX], rest[128];
    unsigned long flags;

    while (!find_device(root, path, sizeof(path), &block)) {
        int r = wait_next(&wait, "block");

        if (r < 0) {
            (void)report_fail(report, -r,
                              "root %.80s: no such device with ext4, xfs or btrfs in "
                              "%u ms%.95s",
                              root, INIT_ROOT_MS, order->late->failed);
            return;
        }
    }
    flags = split_options(order->cmdline->root_options, rest, sizeof(rest));
    (void)mkdir(ROOT_PATH, 0755);
    if (mount(path, ROOT_PATH, block.type, flags, rest) < 0 && errno != EBUSY)
        (void)report_fail(report, errno, "root %.80s: cannot mount %.60s as %s: %s", root, path,
                          block.type, strerror(errno));
}

void root_mount(const void *argument, struct report *report)
{
    const struct root_order *order = argument;
    char path[PATH_MAX];
    struct stat status;

    if (strncmp(order->cmdline->root, "virtiofs:", 9) == 0)
        mount_virtiofs(order, report);
    else
        mount_block(order, report);
    if (report->error != 0)
        return;
    /* Not followed: an absolute link is to be read inside the new root. */
    (void)snprintf(path, sizeof(path), ROOT_PATH "%s", order->cmdline->root_init);
    if (lstat(path, &status) < 0)
        (void)report_fail(report, errno, "root %.80s: its %s: %s", order->cmdline->root,
                          order->cmdline->root_init, strerror(errno));
}
