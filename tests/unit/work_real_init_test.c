/* real_init: which program of the real root ends the machine, and what is said if it does not. No
 * program is started: what would be is noted by the child (CMakeLists.txt). */
#include "descriptors.h"
#include "init/work/real_init.h"
#include "place.h"
#include "protocol/request.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

static int done_fd = -1;
static const char *there; /* the program that there is; it exits with */
static int status;
static bool no_child;

static void note(const char *word)
{
    (void)dprintf(done_fd, "%s ", word);
}

/* In the child. */
int __wrap_execv(const char *path, char *const argv[]);
int __wrap_execv(const char *path, char *const argv[])
{
    struct stat streams[3];

    note(path);
    for (int fd = 0; fd < 3; fd++)
        if (fstat(fd, &streams[fd]) < 0 || streams[fd].st_ino != streams[0].st_ino)
            note("streams");
    if (streams[0].st_size != 4) /* the place's /dev/null is a file */
        note("null");
    if (strcmp(strrchr(path, '/') + 1, argv[0]) != 0 || argv[1])
        note("words");
    if (there && strcmp(path, there) == 0)
        _exit(status);
    errno = ENOENT;
    return -1;
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    errno = EAGAIN;
    return no_child ? -1 : __real_fork();
}

static int begin(void **state)
{
    int fd;

    (void)state;
    there = NULL;
    status = 0;
    no_child = false;
    fd = memfd_create("done", MFD_CLOEXEC);
    done_fd = fcntl(fd, F_DUPFD_CLOEXEC, 10); /* beyond the streams */
    (void)close(fd);
    place_folder("/dev");
    place_file("/dev/null", "null");
    return done_fd < 0;
}

static int finish(void **state)
{
    (void)state;
    (void)close(done_fd);
    place_clear();
    return 0;
}

static void expect(uint16_t how, const char *done, int error, const char *text)
{
    struct report report = {0};
    char found[512];
    ssize_t n;

    real_init_tell(&how, &report);
    n = pread(done_fd, found, sizeof(found) - 1, 0);
    assert_true(n >= 0);
    found[n] = '\0';
    assert_string_equal(found, done);
    assert_string_equal(report.text, text);
    assert_int_equal(report.error, error);
}

static void program_that_there_is_is_run(void **state)
{
    static const struct {
        uint16_t how;
        const char *there, *done;
    } rows[] = {
        {REQUEST_POWER_OFF, "/sbin/poweroff", "/sbin/poweroff "},
        {REQUEST_REBOOT, "/usr/sbin/reboot", "/sbin/reboot /usr/sbin/reboot "},
        {REQUEST_HALT, "/usr/bin/halt", "/sbin/halt /usr/sbin/halt /bin/halt /usr/bin/halt "},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        there = rows[i].there;
        expect(rows[i].how, rows[i].done, 0, "");
        finish(state);
        begin(state);
    }
}

#define ALL "/sbin/reboot /usr/sbin/reboot /bin/reboot /usr/bin/reboot "

static void what_fails_is_told(void **state)
{
    (void)state;
    expect(REQUEST_REBOOT, ALL, EIO, "reboot: the real root's own failed (wait status 0x7f00)");
    there = "/sbin/reboot";
    status = 1;
    expect(REQUEST_REBOOT, ALL "/sbin/reboot ", EIO,
           "reboot: the real root's own failed (wait status 0x100)");
    no_child = true;
    expect(REQUEST_REBOOT, ALL "/sbin/reboot ", EAGAIN,
           "reboot: cannot run it: Resource temporarily unavailable");
}

/* It has a signal of its own. */
static void systemd_is_not_told_so(void **state)
{
    (void)state;
    place_folder("/run");
    place_folder("/run/systemd");
    place_folder("/run/systemd/system");
    expect(REQUEST_POWER_OFF, "", 0, "");
}

static int all_tests(void)
{
#define PLACED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLACED(program_that_there_is_is_run),
        PLACED(what_fails_is_told),
        PLACED(systemd_is_not_told_so),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}

int main(void)
{
    place_run(all_tests);
}
