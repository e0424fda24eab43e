/* root: which device it is, how it is mounted, and what must be in it. The mounts are real
 * (place.h); the devices are files, and what mounts them is played (shares_played.h). */
#include "descriptors.h"
#include "init/work/root.h"
#include "init/work/wait.h"
#include "place.h"
#include "shares_played.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define UUID      "7d2b0f1e-3c4d-4e5f-8a9b-0c1d2e3f4a5b"
#define SYS_BLOCK "/sys/class/block/"

static struct {
    int waits, wait_error; /* of the second wait */
    bool comes;            /* /dev/vdz does, at the second wait */
} played;

static const char *lacks; /* what is not in the root */

/* A device at /dev, with a superblock of some type. */
struct device {
    const char *name, *type, *label;
    uint8_t uuid[16];
};

static void write_bytes(const char *path, long at, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, at), size);
    (void)close(fd);
}

static void make_device(const struct device *device)
{
    bool is_xfs = strcmp(device->type, "xfs") == 0;
    bool is_btrfs = strcmp(device->type, "btrfs") == 0;
    char path[64];

    (void)snprintf(path, sizeof(path), SYS_BLOCK "%s", device->name);
    place_folder(path);
    (void)snprintf(path, sizeof(path), "/dev/%s", device->name);
    write_bytes(path, 70000, "", 1);
    if (is_btrfs)
        write_bytes(path, 0x10040, "_BHRfS_M", 8);
    else
        write_bytes(path, is_xfs ? 0 : 0x438, is_xfs ? "XFSB" : "\x53\xef", is_xfs ? 4 : 2);
    write_bytes(path, is_btrfs ? 0x10020 : is_xfs ? 32 : 0x468, device->uuid, 16);
    if (device->label)
        write_bytes(path,
                    is_btrfs ? 0x1012b
                    : is_xfs ? 108
                             : 0x478,
                    device->label, strlen(device->label));
}

/* As sysfs has it: the partition's folder is in the disk's, and linked to. */
static void make_partition(const char *name, const char *disk, const char *number)
{
    char path[128], link[128];

    (void)snprintf(path, sizeof(path), "/sys/devices/%s", disk);
    place_folder(path);
    (void)snprintf(path, sizeof(path), "/sys/devices/%s/queue", disk);
    place_folder(path);
    (void)snprintf(path, sizeof(path), "/sys/devices/%s/queue/logical_block_size", disk);
    place_file(path, "512\n");
    (void)snprintf(path, sizeof(path), "/sys/devices/%s/%s", disk, name);
    place_folder(path);
    (void)snprintf(path, sizeof(path), "/sys/devices/%s/%s/partition", disk, name);
    place_file(path, number);
    (void)snprintf(link, sizeof(link), SYS_BLOCK "%s", name);
    (void)rmdir(link);
    (void)snprintf(path, sizeof(path), "../../devices/%s/%s", disk, name);
    assert_int_equal(symlink(path, link), 0);
}

/* A table on a disk whose second partition is UUID, called "data". */
static void make_gpt(const char *disk)
{
    static const uint8_t uuid[] = {0x1e, 0x0f, 0x2b, 0x7d, 0x4d, 0x3c, 0x5f, 0x4e,
                                   0x8a, 0x9b, 0x0c, 0x1d, 0x2e, 0x3f, 0x4a, 0x5b};
    static const uint8_t label[] = {'d', 0, 'a', 0, 't', 0, 'a', 0};
    const long entry = 1024 + 128;
    char path[64];

    (void)snprintf(path, sizeof(path), "/dev/%s", disk);
    write_bytes(path, 4096, "", 1);
    write_bytes(path, 512, "EFI PART", 8);
    write_bytes(path, 512 + 72, "\2", 1);
    write_bytes(path, 512 + 80, "\x80", 1);
    write_bytes(path, 512 + 84, "\x80", 1);
    write_bytes(path, entry, "\1", 1);
    write_bytes(path, entry + 16, uuid, sizeof(uuid));
    write_bytes(path, entry + 56, label, sizeof(label));
}

static void make_mbr(const char *disk)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/dev/%s", disk);
    write_bytes(path, 0x1b8, "\x78\x56\x34\x12", 4);
    write_bytes(path, 0x1be + 4, "\x83", 1);
    write_bytes(path, 0x1fe, "\x55\xaa", 2);
}

static void fill(const char *target)
{
    static const char *const folders[] = {"proc", "sys", "dev", "run", "sbin"};
    char path[128];

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        if (lacks && strcmp(lacks, folders[i]) == 0)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", target, folders[i]);
        place_folder(path);
    }
    (void)snprintf(path, sizeof(path), "%s/sbin/init", target);
    if (!lacks || strcmp(lacks, "sbin") != 0) /* a link that leads nowhere outside of the root */
        assert_int_equal(symlink("/lib/init", path), 0);
}

int __wrap_wait_next(struct wait *wait, const char *subsystem);
int __wrap_wait_next(struct wait *wait, const char *subsystem)
{
    (void)wait;
    assert_true(strcmp(subsystem, "block") == 0 || strcmp(subsystem, "virtio") == 0);
    if (++played.waits == 2 && played.comes)
        make_device(&(struct device){"vdz", "ext4", NULL, {0}});
    return played.waits == 2 ? played.wait_error : 0;
}

static int begin(void **state)
{
    static const char *const folders[] = {"/dev", "/sys", "/sys/class", "/sys/class/block",
                                          "/sys/devices"};

    (void)state;
    memset(&played, 0, sizeof(played));
    shares_played_clear();
    shares_played.fill = fill;
    lacks = NULL;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        place_folder(folders[i]);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    place_clear();
    return 0;
}

static struct report mount_as(const char *root, const char *options)
{
    static const struct modules_late loaded = {.failed = "; modules that cannot be loaded: nvme"};
    struct cmdline cmdline = {.root_init = "/sbin/init"};
    const struct root_order order = {.cmdline = &cmdline, .late = &loaded};
    struct report report = {0};

    (void)snprintf(cmdline.root, sizeof(cmdline.root), "%s", root);
    (void)snprintf(cmdline.root_options, sizeof(cmdline.root_options), "%s", options);
    root_mount(&order, &report);
    return report;
}

static void mounted(const char *root, const char *options)
{
    struct report report = mount_as(root, options);

    assert_string_equal(report.text, "");
    assert_int_equal(report.error, 0);
    assert_string_equal(shares_played.target, ROOT_PATH);
    assert_int_equal(umount2(ROOT_PATH, 0), 0);
}

static void refused(const char *root, int error, const char *text)
{
    struct report report = mount_as(root, "");

    assert_string_equal(report.text, text);
    assert_int_equal(report.error, error);
}

static void device_is_found_by_its_name(void **state)
{
    static const char *const types[] = {"ext4", "xfs", "btrfs"};

    (void)state;
    make_device(&(struct device){"vda", "ext4", "other", {1}});
    for (size_t i = 0; i < 3; i++) {
        make_device(&(struct device){"vdb", types[i], "root", {2}});
        mounted("/dev/vdb", "");
        assert_string_equal(shares_played.source, "/dev/vdb");
        assert_string_equal(shares_played.type, types[i]);
        assert_string_equal(shares_played.data, "");
        assert_int_equal(shares_played.flags, 0);
        assert_int_equal(unlink("/dev/vdb"), 0);
    }
    assert_int_equal(played.waits, 0);
}

static void device_may_be_smaller_than_what_is_looked_at(void **state)
{
    (void)state;
    place_folder(SYS_BLOCK "vda");
    write_bytes("/dev/vda", 0x438, "\x53\xef", 2);
    write_bytes("/dev/vda", 0x478, "tiny\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    mounted("LABEL=tiny", "");
    assert_string_equal(shares_played.type, "ext4");
}

static void device_is_found_by_label_and_uuid(void **state)
{
    (void)state;
    make_device(&(struct device){"vda", "ext4", "other", {1}});
    make_device(&(struct device){"vdb",
                                 "xfs",
                                 "root",
                                 {0x7d, 0x2b, 0x0f, 0x1e, 0x3c, 0x4d, 0x4e, 0x5f, 0x8a, 0x9b, 0x0c,
                                  0x1d, 0x2e, 0x3f, 0x4a, 0x5b}});
    make_device(&(struct device){"vdc", "btrfs", "roots", {3}});
    place_folder(SYS_BLOCK "vdd"); /* without a device */
    place_folder(SYS_BLOCK "vde");
    place_file("/dev/vde", "no superblock\n");
    mounted("LABEL=root", "");
    assert_string_equal(shares_played.source, "/dev/vdb");
    mounted("LABEL=roots", "");
    assert_string_equal(shares_played.source, "/dev/vdc");
    mounted("UUID=" UUID, "");
    assert_string_equal(shares_played.source, "/dev/vdb");
    played.waits = 1;
    played.wait_error = -ETIMEDOUT;
    assert_int_equal(mount_as("UUID=nothing", "").error, ETIMEDOUT);
    played.waits = 1;
    assert_int_equal(mount_as("UUID=8d2b0f1e-3c4d-4e5f-8a9b-0c1d2e3f4a5b", "").error, ETIMEDOUT);
}

static void partition_is_found_by_the_disks_table(void **state)
{
    (void)state;
    make_device(&(struct device){"vda1", "ext4", NULL, {1}});
    make_device(&(struct device){"vda2", "xfs", NULL, {2}});
    make_device(&(struct device){"vdb", "ext4", NULL, {3}}); /* no partition */
    make_partition("vda1", "vda", "1\n");
    make_partition("vda2", "vda", "2\n");
    make_gpt("vda");
    mounted("PARTUUID=" UUID, "");
    assert_string_equal(shares_played.source, "/dev/vda2");
    mounted("PARTUUID=7D2B0F1E-3C4D-4E5F-8A9B-0C1D2E3F4A5B", "");
    mounted("PARTLABEL=data", "");
    assert_string_equal(shares_played.source, "/dev/vda2");
    played.waits = 1;
    played.wait_error = -ETIMEDOUT;
    assert_int_equal(mount_as("PARTLABEL=other", "").error, ETIMEDOUT);
    assert_int_equal(unlink("/dev/vda"), 0);
    make_mbr("vda");
    mounted("PARTUUID=12345678-02", "");
    assert_string_equal(shares_played.source, "/dev/vda2");
    mounted("PARTUUID=12345678-01", "");
    assert_string_equal(shares_played.source, "/dev/vda1");
    place_file("/sys/devices/vda/vda1/partition", "0\n");
    played.waits = 1;
    assert_int_equal(mount_as("PARTUUID=12345678-00", "").error, ETIMEDOUT);
    assert_int_equal(unlink("/dev/vda"), 0); /* the disk is not there */
    played.waits = 1;
    assert_int_equal(mount_as("PARTUUID=12345678-02", "").error, ETIMEDOUT);
    place_file("/dev/vda", "short");
    played.waits = 1;
    assert_int_equal(mount_as("PARTUUID=12345678-02", "").error, ETIMEDOUT);
}

static void options_are_the_filesystems_but_ro_and_rw(void **state)
{
    static const struct {
        const char *options, *rest;
        unsigned long flags;
    } rows[] = {
        {"ro", "", MS_RDONLY},
        {"rw", "", 0},
        {"noatime", "noatime", 0},
        {"noatime,ro", "noatime", MS_RDONLY},
        {"ro,noatime,rw,errors=remount-ro", "noatime,errors=remount-ro", MS_RDONLY},
        {"rox,r,or", "rox,r,or", 0},
        {"a,,b", "a,,b", 0},
        {"1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
         "9012345678901234567890123456789012345",
         "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
         "9012345678901234567890123456789012345",
         0},
    };

    (void)state;
    make_device(&(struct device){"vda", "ext4", NULL, {1}});
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        mounted("/dev/vda", rows[i].options);
        assert_string_equal(shares_played.data, rows[i].rest);
        assert_int_equal(shares_played.flags, rows[i].flags);
        shares_played_clear();
        shares_played.fill = fill;
    }
}

#define EXPECTED ": expected virtiofs:TAG, /dev/NAME, LABEL=, UUID=, PARTUUID= or PARTLABEL="

static void what_nobody_would_call_a_device_is_refused(void **state)
{
    (void)state;
    refused("vda", EINVAL, "guestlink.root=vda" EXPECTED);
    refused("/dev/mapper/root", EINVAL, "guestlink.root=/dev/mapper/root" EXPECTED);
    refused("/devices", EINVAL, "guestlink.root=/devices" EXPECTED);
    refused("label=root", EINVAL, "guestlink.root=label=root" EXPECTED);
    assert_int_equal(played.waits, 0);
}

static void device_is_waited_for(void **state)
{
    (void)state;
    played.comes = true;
    mounted("/dev/vdz", "");
    assert_int_equal(played.waits, 2);
}

static void device_that_does_not_come_is_told(void **state)
{
    (void)state;
    played.wait_error = -ETIMEDOUT;
    refused("LABEL=root", ETIMEDOUT,
            "root LABEL=root: no such device with ext4, xfs or btrfs appeared within 90000 ms; "
            "modules that cannot be loaded: nvme");
    assert_int_equal(shares_played.count, 0);
}

static void mount_that_fails_is_told(void **state)
{
    (void)state;
    make_device(&(struct device){"vda", "xfs", "root", {1}});
    shares_played.errors[0] = ENODEV;
    refused("LABEL=root", ENODEV, "root LABEL=root: cannot mount /dev/vda as xfs: No such device");
    shares_played.errors[1] = EBUSY; /* an earlier job did */
    shares_played.fill(ROOT_PATH);
    assert_int_equal(mount_as("LABEL=root", "").error, 0);
}

static void root_has_an_init(void **state)
{
    (void)state;
    make_device(&(struct device){"vda", "ext4", NULL, {1}});
    lacks = "sbin";
    refused("/dev/vda", ENOENT, "root /dev/vda: cannot use /sbin/init: No such file or directory");
}

static void root_has_places_for_the_kernels_filesystems(void **state)
{
    static const char *const names[] = {"proc", "sys", "dev", "run"};

    (void)state;
    make_device(&(struct device){"vda", "ext4", NULL, {1}});
    for (size_t i = 0; i < 4; i++) {
        struct report report;
        struct stat status;
        char path[64], text[256];

        lacks = names[i];
        assert_int_equal(mount_as("/dev/vda", "").error, 0);
        (void)snprintf(path, sizeof(path), ROOT_PATH "/%s", names[i]);
        assert_int_equal(lstat(path, &status), 0);
        assert_true(S_ISDIR(status.st_mode));
        assert_int_equal(umount2(ROOT_PATH, 0), 0);
        (void)snprintf(text, sizeof(text),
                       "root /dev/vda: no directory /%s, and cannot create it: Read-only file "
                       "system; create it in the root, or leave `ro` out of "
                       "guestlink.root_options=",
                       names[i]);
        report = mount_as("/dev/vda", "ro");
        assert_string_equal(report.text, text);
        assert_int_equal(report.error, EROFS);
        assert_int_equal(umount2(ROOT_PATH, 0), 0);
        shares_played.count = 0;
    }
}

static void link_is_no_place(void **state)
{
    (void)state;
    make_device(&(struct device){"vda", "ext4", NULL, {1}});
    shares_played.errors[0] = EBUSY;
    place_folder(ROOT_PATH);
    lacks = "sys";
    fill(ROOT_PATH);
    assert_int_equal(symlink("/dev", ROOT_PATH "/sys"), 0);
    refused("/dev/vda", ENOTDIR, "root /dev/vda: /sys is not a directory");
}

static void share_may_be_the_root(void **state)
{
    (void)state;
    mounted("virtiofs:os", "");
    assert_string_equal(shares_played.type, "virtiofs");
    assert_string_equal(shares_played.source, "os");
    assert_int_equal(shares_played.flags, 0);
    assert_string_equal(shares_played.remounted, ROOT_PATH);
    assert_int_equal(shares_played.remount_flags, MS_REMOUNT | MS_BIND);
    mounted("virtiofs:os", "noatime,ro");
    assert_int_equal(shares_played.flags, MS_RDONLY);
    assert_int_equal(shares_played.remount_flags, MS_REMOUNT | MS_BIND | MS_RDONLY);
}

static void share_that_cannot_be_mounted_is_told(void **state)
{
    (void)state;
    shares_played.errors[0] = EPERM;
    refused("virtiofs:os", EPERM, "virtiofs 'os' on '/sysroot': Operation not permitted");
    assert_string_equal(shares_played.remounted, "");
    shares_played.errors[1] = shares_played.errors[2] = EINVAL;
    played.wait_error = -ETIMEDOUT;
    refused("virtiofs:os", ETIMEDOUT,
            "virtiofs 'os': no device with this tag appeared within 90000 ms");
}

static int all_tests(void)
{
#define PLACED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLACED(device_is_found_by_its_name),
        PLACED(device_may_be_smaller_than_what_is_looked_at),
        PLACED(device_is_found_by_label_and_uuid),
        PLACED(partition_is_found_by_the_disks_table),
        PLACED(options_are_the_filesystems_but_ro_and_rw),
        PLACED(what_nobody_would_call_a_device_is_refused),
        PLACED(device_is_waited_for),
        PLACED(device_that_does_not_come_is_told),
        PLACED(mount_that_fails_is_told),
        PLACED(root_has_an_init),
        PLACED(root_has_places_for_the_kernels_filesystems),
        PLACED(link_is_no_place),
        PLACED(share_may_be_the_root),
        PLACED(share_that_cannot_be_mounted_is_told),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}

int main(void)
{
    place_run(all_tests);
}
