/* root: the real root filesystem. */
#include "root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/gpt.h"
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
        .bounces = cmdline_may_bounce(order->cmdline),
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

/* The first number in a file of the partition's in sysfs; 0: there is none. */
static uint32_t read_number(const char *name, const char *file)
{
    char path[PATH_MAX], text[32];

    (void)snprintf(path, sizeof(path), "/sys/class/block/%s/%s", name, file);
    return fd_read_file(path, text, sizeof(text)) > 0 ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

/* Opens the disk that partition @p name is of. */
static int open_disk(const char *name)
{
    char path[PATH_MAX], target[PATH_MAX];
    ssize_t size;
    char *disk;

    (void)snprintf(path, sizeof(path), "/sys/class/block/%.255s", name);
    size = readlink(path, target, sizeof(target) - 1);
    if (size < 0)
        return -errno;
    target[size] = '\0';
    *strrchr(target, '/') = '\0'; /* ../../devices/…/vda/vda1 */
    disk = strrchr(target, '/');
    (void)snprintf(path, sizeof(path), "/dev/%.255s", disk ? disk + 1 : "");
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* What the disk's table says of partition @p name. @return 0 or a negative errno */
static int read_partition(const char *name, struct gpt_partition *ret)
{
    uint32_t number = read_number(name, "partition");
    uint32_t block = read_number(name, "../queue/logical_block_size");
    uint8_t data[GPT_MBR_SIZE];
    struct gpt_place place;
    FD_CLOSE int fd = number > 0 ? open_disk(name) : -ENOENT;

    if (fd < 0)
        return -ENOENT;
    if (pread(fd, data, GPT_HEADER_SIZE, block) == GPT_HEADER_SIZE &&
        gpt_find(data, block, number, &place) == 0 &&
        pread(fd, data, GPT_ENTRY_SIZE, (off_t)place.offset) == GPT_ENTRY_SIZE)
        return gpt_parse(data, ret);
    if (pread(fd, data, sizeof(data), 0) == (ssize_t)sizeof(data))
        return gpt_parse_mbr(data, number, ret);
    return -ENOENT;
}

static bool is_wanted_partition(const char *root, const char *name)
{
    struct gpt_partition partition;

    if (read_partition(name, &partition) < 0)
        return false;
    return strncmp(root, "PARTUUID=", 9) == 0 ? strcasecmp(partition.uuid, root + 9) == 0
                                              : strcmp(partition.label, root + 10) == 0;
}

static bool is_wanted(const char *root, const char *path, const struct superblock *block)
{
    uint8_t uuid[16];

    if (strncmp(root, "LABEL=", 6) == 0)
        return strcmp(block->label, root + 6) == 0;
    if (strncmp(root, "UUID=", 5) == 0)
        return facts_parse_uuid(root + 5, uuid) == 0 &&
               memcmp(uuid, block->uuid, sizeof(uuid)) == 0;
    if (strncmp(root, "PART", 4) == 0)
        return is_wanted_partition(root, path + strlen("/dev/"));
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

/* What could be waited for without end, as nobody would ever call a device so. */
static bool is_known(const char *root)
{
    static const char *const kinds[] = {"LABEL=", "UUID=", "PARTUUID=", "PARTLABEL="};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(root, kinds[i], strlen(kinds[i])) == 0)
            return true;
    return strncmp(root, "/dev/", 5) == 0 && !strchr(root + 5, '/');
}

static void mount_block(const struct root_order *order, struct report *report)
{
    const char *root = order->cmdline->root;
    WAIT_END struct wait wait = wait_begin(order->late, INIT_ROOT_MS);
    struct superblock block = {0};
    char path[PATH_MAX], rest[128];
    unsigned long flags;

    if (!is_known(root)) {
        (void)report_fail(report, EINVAL,
                          "guestlink.root=%.80s: expected virtiofs:TAG, /dev/NAME, LABEL=, UUID=, "
                          "PARTUUID= or PARTLABEL=",
                          root);
        return;
    }
    while (!find_device(root, path, sizeof(path), &block)) {
        int r = wait_next(&wait, "block");

        if (r < 0) {
            (void)report_fail(report, -r,
                              "root %.80s: no such device with ext4, xfs or btrfs appeared "
                              "within %u ms%.95s",
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

/* PID 1 moves these along: where they cannot go, the real root's init would find nothing there. */
static void make_places(const char *root, struct report *report)
{
    static const char *const names[] = {"/proc", "/sys", "/dev", "/run"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && report->error == 0; i++) {
        char path[64];
        struct stat status;

        (void)snprintf(path, sizeof(path), ROOT_PATH "%s", names[i]);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            (void)report_fail(report, errno,
                              "root %.80s: no directory %s, and cannot create it: %s; create it "
                              "in the root, or leave `ro` out of guestlink.root_options=",
                              root, names[i], strerror(errno));
        else if (lstat(path, &status) < 0 || !S_ISDIR(status.st_mode))
            (void)report_fail(report, ENOTDIR, "root %.80s: %s is not a directory", root, names[i]);
    }
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
        (void)report_fail(report, errno, "root %.80s: cannot use %s: %s", order->cmdline->root,
                          order->cmdline->root_init, strerror(errno));
    else
        make_places(order->cmdline->root, report);
}
