/* switch_root: the real root becomes the root with the kernel's filesystems in it, and the old one
 * is deleted. All of it is real, each in a process with mounts of its own (place.h). */
#include "descriptors.h"
#include "init/switch_root.h"
#include "kmsg_played.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
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
#include <sys/wait.h>
#include <unistd.h>

#include <linux/magic.h>

#include <cmocka.h>

static long type; /* what a filesystem says it is; 0: what it is */

int __real_fstatfs(int fd, struct statfs *ret);
int __wrap_fstatfs(int fd, struct statfs *ret);
int __wrap_fstatfs(int fd, struct statfs *ret)
{
    int r = __real_fstatfs(fd, ret);

    if (type)
        ret->f_type = type;
    return r;
}

/* In a child, where cmocka's would not do. */
static void check(bool holds, const char *what)
{
    if (holds)
        return;
    (void)dprintf(STDERR_FILENO, "not so: %s (%s)\n", what, strerror(errno));
    _exit(1);
}

#define CHECK(what) check(what, #what)

static bool has(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool is_mounted(const char *path)
{
    struct stat one, above;
    char parent[64];

    (void)snprintf(parent, sizeof(parent), "%s/..", path);
    return stat(path, &one) == 0 && stat(parent, &above) == 0 && one.st_dev != above.st_dev;
}

/* Runs @p work in a child with mounts of its own, shared as PID 1's are. */
static void in_a_child(void (*work)(void))
{
    pid_t child;
    int status;

    kmsg_played[0] = '\0';
    child = fork();
    if (child == 0) {
        CHECK(unshare(CLONE_NEWNS) == 0);
        CHECK(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) == 0);
        work();
        _exit(7);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static int begin(void **state)
{
    static const char *const kernels[] = {"/run", "/dev", "/sys"};
    char path[64];

    (void)state;
    type = 0;
    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        place_tmpfs(kernels[i]);
        (void)snprintf(path, sizeof(path), "%s/there", kernels[i]);
        place_file(path, "");
    }
    place_file("/old", "");
    place_tmpfs("/sysroot");
    place_file("/sysroot/new", "");
    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        (void)snprintf(path, sizeof(path), "/sysroot%s", kernels[i]);
        place_folder(path);
    }
    place_folder("/sysroot/proc");
    return 0;
}

static int finish(void **state)
{
    (void)state;
    place_clear();
    return 0;
}

static void switch_it(void)
{
    struct report report = {0};
    int old = -1;
    char path[64];

    CHECK(switch_root(&report, &old) == 0);
    CHECK(report.error == 0);
    CHECK(has("/new") && !has("/old"));
    CHECK(has("/run/there") && has("/dev/there") && has("/sys/there") && has("/proc/self"));
    CHECK(strcmp(getcwd(path, sizeof(path)), "/") == 0);
    CHECK(kmsg_played[0] == '\0');
    CHECK(old >= 0 && fcntl(old, F_GETFD) == FD_CLOEXEC);
    CHECK(faccessat(old, "old", F_OK, 0) == 0);
    CHECK(faccessat(old, "run/there", F_OK, 0) < 0); /* moved, not copied */
}

static void real_root_becomes_the_root(void **state)
{
    (void)state;
    in_a_child(switch_it);
}

static void switch_without_a_place(void)
{
    struct report report = {0};
    int old = -1;

    CHECK(rmdir("/sysroot/sys") == 0);
    CHECK(switch_root(&report, &old) == 0);
    CHECK(has("/new") && has("/run/there") && has("/dev/there") && has("/proc/self"));
    CHECK(strcmp(kmsg_played, "4 cannot move /sys to the new root: No such file or directory\n") ==
          0);
}

static void what_cannot_be_moved_is_told(void **state)
{
    (void)state;
    in_a_child(switch_without_a_place);
}

static void switch_without_a_root(void)
{
    struct report report = {0};
    int old = -1, next = dup(STDERR_FILENO);

    (void)close(next);
    CHECK(umount2("/sysroot", 0) == 0 && rmdir("/sysroot") == 0);
    CHECK(switch_root(&report, &old) == ENOENT);
    CHECK(report.error == ENOENT);
    CHECK(strcmp(report.text, "switch root: No such file or directory") == 0);
    CHECK(old == -1 && has("/old") && has("/run/there"));
    CHECK(dup(STDERR_FILENO) == next);
}

static void switch_to_what_is_no_mount(void)
{
    struct report report = {0};
    int old = -1;

    CHECK(umount2("/sysroot", 0) == 0);
    CHECK(switch_root(&report, &old) == EINVAL);
    CHECK(strcmp(report.text, "switch root: Invalid argument") == 0);
    CHECK(old == -1);
}

static void without_a_root_it_says_why(void **state)
{
    (void)state;
    in_a_child(switch_to_what_is_no_mount);
    in_a_child(switch_without_a_root);
}

/* A root with all that can be in one. */
static void make_old_root(void)
{
    place_tmpfs("/root");
    place_folder("/root/a");
    place_folder("/root/a/b");
    place_file("/root/a/b/file", "");
    place_file("/root/a/.hidden", "");
    place_file("/root/z", "");
    place_folder("/kept");
    place_file("/kept/file", "");
    if (symlink("/kept", "/root/a/link") < 0)
        fail_msg("no link: %s", strerror(errno));
    place_tmpfs("/root/mounted");
    place_file("/root/mounted/file", "");
}

static int open_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void initramfs_is_deleted(void **state)
{
    static const long types[] = {0, TMPFS_MAGIC, RAMFS_MAGIC};

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        int fd;

        make_old_root();
        fd = open_folder("/root");
        type = types[i];
        switch_root_delete(fd);
        assert_int_equal(fcntl(fd, F_GETFD), -1);
        assert_false(has("/root/a") || has("/root/z"));
        assert_true(has("/kept/file"));
        assert_true(is_mounted("/root/mounted"));
        assert_true(has("/root/mounted/file"));
        place_clear();
    }
}

static void disk_is_not_deleted(void **state)
{
    int fd;

    (void)state;
    make_old_root();
    fd = open_folder("/root");
    type = EXT4_SUPER_MAGIC;
    switch_root_delete(fd);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_true(has("/root/a/b/file") && has("/root/z"));
    switch_root_delete(-1);
}

/* @return how many of @p depth folders in each other are left */
static size_t delete_nested(size_t depth)
{
    char path[256] = "/root";
    const size_t above = strlen(path);
    size_t left = 0;

    assert_true(above + 2 * (depth + 1) < sizeof(path));
    place_tmpfs(path);
    for (size_t i = 0; i < depth; i++) {
        memcpy(path + above + 2 * i, "/d", 3);
        place_folder(path);
    }
    switch_root_delete(open_folder("/root"));
    memcpy(path + above, "/d", 3);
    for (; has(path); memcpy(path + above + 2 * left, "/d", 3))
        left++;
    assert_int_equal(umount2("/root", 0), 0);
    return left;
}

static void depth_is_bounded(void **state)
{
    (void)state;
    assert_int_equal(delete_nested(32), 0);
    assert_int_equal(delete_nested(33), 33);
}

static int all_tests(void)
{
#define PLACED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLACED(real_root_becomes_the_root), PLACED(what_cannot_be_moved_is_told),
        PLACED(without_a_root_it_says_why), PLACED(initramfs_is_deleted),
        PLACED(disk_is_not_deleted),        PLACED(depth_is_bounded),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}

int main(void)
{
    place_run(all_tests);
}
