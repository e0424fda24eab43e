/* target: where a share may be mounted, and how it is reached. */
#include "descriptors.h"
#include "init/base/fd.h"
#include "init/base/target.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sensible_targets_are_allowed),
        cmocka_unit_test(others_are_refused_by_name),
        cmocka_unit_test(directories_are_made_and_links_not_followed),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
