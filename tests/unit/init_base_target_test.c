/* target: where a share may be mounted, and how it is reached. */
#include "descriptors.h"
#include "init/base/fd.h"
#include "init/base/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int mkdir_error; /* of each mkdirat(); 0: it is the kernel's */

int __real_mkdirat(int fd, const char *name, mode_t mode);
int __wrap_mkdirat(int fd, const char *name, mode_t mode);
int __wrap_mkdirat(int fd, const char *name, mode_t mode)
{
    errno = mkdir_error;
    return mkdir_error ? -1 : __real_mkdirat(fd, name, mode);
}

static void sensible_targets_are_allowed(void **state)
{
    static const char *const good[] = {"/mnt",    "/mnt/c",    "/srv/a b", "/processes", "/device",
                                       "/system", "/mnt/proc", "/.hidden", "/a/..b",     "/a/..."};
    struct report report = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (target_check(good[i], &report) != 0)
            fail_msg("%s: %s", good[i], report.text);
}

static void others_are_refused_by_name(void **state)
{
    static const char *const bad[] = {
        "",        "/",      "mnt",      "./mnt",   "../mnt",       "/mnt/", "/mnt//c",
        "//mnt",   "/mnt/.", "/mnt/./c", "/mnt/..", "/mnt/../proc", "/..",   "/proc",
        "/proc/1", "/sys",   "/sys/x",   "/dev",    "/dev/shm"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct report report = {0};

        if (target_check(bad[i], &report) != EINVAL || report.error != EINVAL)
            fail_msg("%s was allowed", bad[i]);
        assert_non_null(strstr(report.text, bad[i]));
    }
}

static void directories_are_made_and_links_not_followed(void **state)
{
    char base[] = "/tmp/guestlink-target-XXXXXX", path[128], link[128];
    struct report report = {0};
    int fd = -1;

    (void)state;
    assert_non_null(mkdtemp(base));
    (void)snprintf(path, sizeof(path), "%s/a/b", base);
    assert_int_equal(target_open(path, &report, &fd), 0);
    (void)fd_close(fd);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(target_open(path, &report, &fd), 0); /* and again */
    (void)fd_close(fd);

    (void)snprintf(link, sizeof(link), "%s/link", base);
    assert_int_equal(symlink("/etc", link), 0);
    (void)snprintf(path, sizeof(path), "%s/link/x", base);
    fd = -1;
    assert_int_equal(target_open(path, &report, &fd), ENOTDIR);
    assert_int_equal(fd, -1);
    assert_non_null(strstr(report.text, "link"));

    (void)unlink(link);
    (void)snprintf(path, sizeof(path), "%s/a/b", base);
    (void)rmdir(path);
    (void)snprintf(path, sizeof(path), "%s/a", base);
    (void)rmdir(path);
    (void)rmdir(base);
}

static void a_path_and_each_part_have_a_longest_size(void **state)
{
    static char path[PATH_MAX + 1];
    struct report report = {0};
    char last[NAME_MAX + 1] = "before";
    int fd = -1, before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    for (size_t i = 0; i < PATH_MAX; i++)
        path[i] = i % 2 == 0 ? '/' : 'x';
    assert_int_equal(target_check(path, &report), EINVAL);
    path[PATH_MAX - 1] = '\0';
    path[PATH_MAX - 2] = 'x';
    assert_int_equal(target_check(path, &report), 0);

    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[NAME_MAX + 2] = '\0';
    assert_int_equal(target_open(path, &report, &fd), ENAMETOOLONG);
    assert_int_equal(fd, -1);
    assert_int_equal(target_enter(path, &report, last), ENAMETOOLONG);
    assert_string_equal(last, "before");
    path[NAME_MAX + 1] = '\0';
    assert_int_equal(target_enter(path, &report, last), 0);
    assert_string_equal(last, path + 1);
    assert_int_equal(fchdir(before), 0);
    (void)fd_close(before);
}

/* What is already there is used, also where nothing can be created. */
static void what_cannot_be_created_is_told_with_its_reason(void **state)
{
    static const struct {
        const char *path;
        int error, result;
        const char *reason;
    } cases[] = {
        {"/proc", EROFS, 0, ""},
        {"/proc", EEXIST, 0, ""},
        {"/proc", EACCES, EACCES, "cannot create 'proc': Permission denied"},
        {"/none-of-ours", EROFS, EROFS, "cannot create 'none-of-ours': Read-only file system"},
        {"/none-of-ours", EEXIST, ENOENT, "'none-of-ours' is not a plain directory: No such file"},
        {"/proc/self", EROFS, ENOTDIR, "'self' is not a plain directory: Not a directory"},
        {"/proc/self/x", EEXIST, ENOTDIR, "'self' is not a plain directory: Not a directory"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct report report = {0};
        int fd = -1;

        mkdir_error = cases[i].error;
        assert_int_equal(target_open(cases[i].path, &report, &fd), cases[i].result);
        assert_int_equal(report.error, cases[i].result);
        assert_non_null(strstr(report.text, cases[i].reason));
        assert_int_equal(fd >= 0, cases[i].result == 0);
        (void)fd_close(fd);
    }
    mkdir_error = 0;
}

static void a_target_is_entered_but_for_its_last_part(void **state)
{
    struct report report = {0};
    char last[NAME_MAX + 1] = "", here[PATH_MAX];
    int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_int_equal(target_enter("/proc/sys/none-of-ours", &report, last), 0);
    assert_string_equal(last, "none-of-ours");
    assert_string_equal(getcwd(here, sizeof(here)), "/proc/sys");
    assert_int_equal(target_enter("/top", &report, last), 0);
    assert_string_equal(last, "top");
    assert_string_equal(getcwd(here, sizeof(here)), "/");
    assert_int_equal(target_enter("/none-of-ours/x", &report, last), ENOENT); /* none is made */
    assert_int_equal(access("/none-of-ours", F_OK), -1);
    assert_int_equal(fchdir(before), 0);
    (void)fd_close(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sensible_targets_are_allowed),
        cmocka_unit_test(others_are_refused_by_name),
        cmocka_unit_test(directories_are_made_and_links_not_followed),
        cmocka_unit_test(a_path_and_each_part_have_a_longest_size),
        cmocka_unit_test(what_cannot_be_created_is_told_with_its_reason),
        cmocka_unit_test(a_target_is_entered_but_for_its_last_part),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
