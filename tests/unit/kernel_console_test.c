/* console: numbers 0 to 2 are taken by something harmless, whatever the kernel left open. */
#include "init/kernel/console.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *there[3]; /* what can be opened, as that; the console, /dev/null, / */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    static const char *const paths[] = {"/dev/console", "/dev/null", "/"};
    static const int wanted[] = {O_RDWR | O_NOCTTY, O_RDWR, O_RDONLY | O_DIRECTORY};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (strcmp(path, paths[i]) == 0 && flags == wanted[i] && there[i])
            return __real_open(there[i], i == 2 ? O_RDONLY : O_RDWR | O_NOCTTY);
    errno = ENOENT;
    return -1;
}

/* In a child whose numbers from @p first to @p last are closed. @return 0: 0 to 2 are then @p path,
 * and 3 is free; 1: not so */
static int ensure(int first, int last, const char *path)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        struct stat wanted, found;
        bool good = stat(path, &wanted) == 0;

        (void)close(3);
        for (int fd = first; fd <= last; fd++)
            (void)close(fd);
        console_ensure();
        for (int fd = 0; fd < 3; fd++)
            good = good && fstat(fd, &found) == 0 &&
                   (found.st_ino == wanted.st_ino && found.st_dev == wanted.st_dev) &&
                   fcntl(fd, F_GETFD) == 0;
        good = good && fcntl(3, F_GETFD) < 0;
        _exit(!good);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void what_can_be_opened_is_all_three(void **state)
{
    (void)state;
    there[0] = "/dev/zero"; /* in the place of a console */
    there[1] = "/dev/null";
    there[2] = "/";
    assert_int_equal(ensure(0, 2, "/dev/zero"), 0);
    there[0] = NULL;
    assert_int_equal(ensure(0, 2, "/dev/null"), 0);
    there[1] = NULL; /* there is no /dev */
    assert_int_equal(ensure(0, 2, "/"), 0);
}

static void what_the_kernel_opened_stays(void **state)
{
    int before[3], fd = __real_open("/dev/full", O_RDWR | O_CLOEXEC), r;

    (void)state;
    there[0] = "/dev/zero";
    for (int i = 0; i < 3; i++) {
        before[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        assert_int_equal(dup2(fd, i), i);
    }
    r = ensure(1, 0, "/dev/full");
    for (int i = 0; i < 3; i++) {
        (void)dup2(before[i], i);
        (void)close(before[i]);
    }
    (void)close(fd);
    assert_int_equal(r, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_opened_is_all_three),
        cmocka_unit_test(what_the_kernel_opened_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
