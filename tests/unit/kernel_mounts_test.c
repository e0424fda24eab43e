/* mounts: which filesystems are mounted, in which order and how, and what is said of those that
 * cannot be. Nothing is mounted on this machine (CMakeLists.txt). */
#include "init/kernel/mounts.h"
#include "kmsg_played.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include <cmocka.h>

static char done[2048]; /* all of it, in order */
static const char *odd; /* a mount of this target fails */
static int error;       /* with this, */
static bool for_ever;   /* again and again, or until its directory is made, */
static int no_folder;   /* which fails with this */
static const char *no_step;
static long root_type;

static void note(const char *what, const char *on)
{
    (void)snprintf(done + strlen(done), sizeof(done) - strlen(done), "%s%s%s ", what,
                   on[0] ? ":" : "", on);
}

int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data);
int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data)
{
    const unsigned long usual = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    char words[64];

    if (!type) {
        assert_string_equal(target, "/");
        assert_int_equal(flags, MS_REC | MS_SHARED);
        note("share", "");
        errno = error;
        return no_step && strcmp(no_step, "share") == 0 ? -1 : 0;
    }
    assert_string_equal(source, type);
    assert_true((flags & ~usual) == 0);
    (void)snprintf(words, sizeof(words), "%s%s%s%s%s%s", target, flags & MS_NOSUID ? "" : "+suid",
                   flags & MS_NODEV ? "" : "+dev", flags & MS_NOEXEC ? "" : "+exec",
                   data ? "," : "", data ? (const char *)data : "");
    note(type, words);
    if (!odd || strcmp(target, odd) != 0)
        return 0;
    if (!for_ever)
        odd = NULL;
    errno = error;
    return -1;
}

int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
    assert_int_equal(mode, 0755);
    note("mkdir", path);
    errno = no_folder;
    return no_folder ? -1 : 0;
}

int __wrap_statfs(const char *path, struct statfs *ret);
int __wrap_statfs(const char *path, struct statfs *ret)
{
    assert_string_equal(path, "/");
    *ret = (struct statfs){.f_type = root_type};
    return root_type ? 0 : -1;
}

static int step(const char *name)
{
    note(name, "");
    errno = EINVAL;
    return no_step && strcmp(no_step, name) == 0 ? -1 : 0;
}

int __wrap_open_tree(int fd, const char *path, unsigned flags);
int __wrap_open_tree(int fd, const char *path, unsigned flags)
{
    (void)fd;
    (void)flags;
    assert_string_equal(path, "/");
    return step("open_tree") < 0 ? -1 : dup(STDIN_FILENO);
}

int __wrap_move_mount(int from, const char *source, int to, const char *target, unsigned flags);
int __wrap_move_mount(int from, const char *source, int to, const char *target, unsigned flags)
{
    (void)from;
    (void)to;
    assert_string_equal(source, "");
    assert_string_equal(target, "/");
    assert_int_equal(flags, MOVE_MOUNT_F_EMPTY_PATH);
    return step("move_mount");
}

int __wrap_fchdir(int fd);
int __wrap_fchdir(int fd)
{
    (void)fd;
    return step("fchdir");
}

int __wrap_chroot(const char *path);
int __wrap_chroot(const char *path)
{
    assert_string_equal(path, ".");
    return step("chroot");
}

static int set_up(void **state)
{
    (void)state;
    done[0] = kmsg_played[0] = '\0';
    odd = no_step = NULL;
    error = no_folder = 0;
    for_ever = false;
    root_type = RAMFS_MAGIC;
    return 0;
}

#define EARLY "proc:/proc sysfs:/sys devtmpfs:/dev+dev+exec,mode=0755 "
#define LEFT  "open_tree move_mount fchdir chroot "
#define REST                                                                                       \
    "devpts:/dev/pts+dev,gid=5,mode=0620,ptmxmode=0666 tmpfs:/dev/shm+exec,mode=1777 "             \
    "mqueue:/dev/mqueue tmpfs:/run+exec,mode=0755 tmpfs:/tmp+exec,mode=1777 "                      \
    "cgroup2:/sys/fs/cgroup,nsdelegate,memory_recursiveprot "

static void all_are_mounted_in_order(void **state)
{
    (void)state;
    mounts_early();
    assert_string_equal(done, EARLY);
    done[0] = '\0';
    mounts_rest();
    assert_string_equal(done, LEFT REST "share ");
    kmsg_expect("");
}

static void root_that_can_be_left_is_not_copied(void **state)
{
    const long types[] = {0xef53, 0};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        set_up(NULL);
        root_type = types[i];
        mounts_rest();
        assert_string_equal(done, REST "share ");
    }
    set_up(NULL);
    root_type = TMPFS_MAGIC;
    mounts_rest();
    assert_string_equal(done, LEFT REST "share ");
}

static void missing_directory_is_made_once(void **state)
{
    (void)state;
    odd = "/sys";
    error = ENOENT;
    mounts_early();
    assert_string_equal(done, "proc:/proc sysfs:/sys mkdir:/sys sysfs:/sys "
                              "devtmpfs:/dev+dev+exec,mode=0755 ");
    kmsg_expect("");
    set_up(NULL);
    odd = "/sys";
    error = ENOENT;
    for_ever = true;
    mounts_early();
    assert_string_equal(done, "proc:/proc sysfs:/sys mkdir:/sys sysfs:/sys "
                              "devtmpfs:/dev+dev+exec,mode=0755 ");
    kmsg_expect("3 cannot mount sysfs on /sys: No such file or directory; continuing without it\n");
}

static void what_cannot_be_mounted_is_told(void **state)
{
    static const struct {
        int error, no_folder;
        const char *line;
    } rows[] = {
        {EBUSY, 0, ""},
        {EPERM, 0,
         "3 cannot mount tmpfs on /run: Operation not permitted; continuing without it\n"},
        {ENODEV, 0,
         "5 cannot mount tmpfs on /run: this kernel has no such filesystem; continuing without "
         "it\n"},
        {ENOENT, EROFS,
         "3 cannot mount tmpfs on /run: Read-only file system; continuing without it\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_up(NULL);
        odd = "/run";
        for_ever = true;
        error = rows[i].error;
        no_folder = rows[i].no_folder;
        mounts_rest();
        kmsg_expect(rows[i].line);
        assert_non_null(strstr(done, "cgroup2:/sys/fs/cgroup"));
    }
}

static void steps_that_fail_are_told_and_nothing_waits_for_them(void **state)
{
    static const struct {
        const char *step, *done;
    } rows[] = {{"open_tree", "open_tree "},
                {"move_mount", "open_tree move_mount "},
                {"fchdir", "open_tree move_mount fchdir "},
                {"chroot", LEFT}};
    char expected[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_up(NULL);
        no_step = rows[i].step;
        mounts_rest();
        (void)snprintf(expected, sizeof(expected), "%s" REST "share ", rows[i].done);
        assert_string_equal(done, expected);
        kmsg_expect("4 cannot leave the kernel's rootfs: Invalid argument; containers cannot "
                    "pivot_root\n");
    }
    set_up(NULL);
    no_step = "share";
    error = EACCES;
    mounts_rest();
    kmsg_expect("4 cannot share the mounts with containers: Permission denied\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_are_mounted_in_order, set_up),
        cmocka_unit_test_setup(root_that_can_be_left_is_not_copied, set_up),
        cmocka_unit_test_setup(missing_directory_is_made_once, set_up),
        cmocka_unit_test_setup(what_cannot_be_mounted_is_told, set_up),
        cmocka_unit_test_setup(steps_that_fail_are_told_and_nothing_waits_for_them, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
