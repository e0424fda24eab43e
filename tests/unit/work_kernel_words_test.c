/* kernel words: which line of the kernel's log is put behind a failure. The log is a pipe that
 * gives a record a read, as /dev/kmsg does, in a place of the test's own (place.h). */
#include "descriptors.h"
#include "init/work/kernel_words.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int kernel = -1; /* what it logs goes here */
static int lost;        /* so many reads find that records were overwritten */
static off_t sought = -1;

ssize_t __real_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
    if (lost-- <= 0)
        return __real_read(fd, bytes, size);
    errno = EPIPE;
    return -1;
}

off_t __wrap_lseek(int fd, off_t offset, int whence);
off_t __wrap_lseek(int fd, off_t offset, int whence)
{
    assert_true(fd >= 0);
    assert_int_equal(whence, SEEK_END);
    return sought = offset;
}

static int begin(void **state)
{
    (void)state;
    lost = 0;
    sought = -1;
    place_folder("/dev");
    assert_int_equal(mkfifo("/dev/kmsg", 0600), 0);
    kernel = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    return fcntl(kernel, F_SETFL, O_NONBLOCK | O_DIRECT) < 0; /* a write is a read */
}

static int finish(void **state)
{
    (void)state;
    (void)close(kernel);
    place_clear();
    return 0;
}

static void log_line(const char *record)
{
    assert_int_equal(write(kernel, record, strlen(record)), strlen(record));
}

/* @return a listener that is at its beginning */
static int listen_to_it(void)
{
    int fd = kernel_words_begin();

    assert_true(fd >= 0);
    assert_int_equal(sought, 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    return fd;
}

/* Fails the report and adds the words. */
static void expect(int fd, const char *text)
{
    struct report report = {.error = EINVAL, .text = "no"};

    kernel_words_add(fd, &report);
    (void)close(fd);
    assert_string_equal(report.text, text);
}

static void last_line_about_shares_is_added(void **state)
{
    static const char *const subjects[] = {"virtio-fs: tag", "virtiofs virtio2: probe", "virtio_fs",
                                           "fuse: mount", "9pnet: could"};

    (void)state;
    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
        char record[64], expected[64];
        int fd = listen_to_it();

        (void)snprintf(record, sizeof(record), "3,2,3,-;%s\n SUBSYSTEM=virtio\n", subjects[i]);
        (void)snprintf(expected, sizeof(expected), "no; its kernel: %s", subjects[i]);

        log_line("3,1,2,-;virtio-fs: first\n");
        log_line(record);
        log_line("3,3,4,-;usb 1-1: other\n");
        log_line("11,3,4,-;9p: a program wrote this\n");
        log_line("no record\n");
        expect(fd, expected);
    }
}

static void nothing_is_added_where_nothing_is_said(void **state)
{
    struct report success = {.text = "a remark"};
    int fd = listen_to_it();

    (void)state;
    expect(fd, "no");
    fd = listen_to_it();
    log_line("3,1,2,-;my virtio-fs: first\n");
    expect(fd, "no");
    fd = listen_to_it();
    log_line("3,1,2,-;virtio-fs: first\n");
    kernel_words_add(fd, &success);
    assert_string_equal(success.text, "a remark");
    expect(fd, "no; its kernel: virtio-fs: first");
}

static void overwritten_records_are_passed_over(void **state)
{
    int fd = listen_to_it();

    (void)state;
    log_line("3,1,2,-;virtio-fs: first\n");
    lost = 3;
    expect(fd, "no; its kernel: virtio-fs: first");
}

static void noise_without_end_is_left(void **state)
{
    int fd = listen_to_it();

    (void)state;
    log_line("3,1,2,-;virtio-fs: first\n");
    lost = 1 << 30;
    expect(fd, "no");
}

static void without_a_log_there_are_no_words(void **state)
{
    struct report report = {.error = EINVAL, .text = "no"};

    (void)state;
    assert_int_equal(unlink("/dev/kmsg"), 0);
    assert_int_equal(kernel_words_begin(), -ENOENT);
    kernel_words_add(-ENOENT, &report);
    assert_string_equal(report.text, "no");
}

static int all_tests(void)
{
#define PLACED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLACED(last_line_about_shares_is_added),     PLACED(nothing_is_added_where_nothing_is_said),
        PLACED(overwritten_records_are_passed_over), PLACED(noise_without_end_is_left),
        PLACED(without_a_log_there_are_no_words),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}

int main(void)
{
    place_run(all_tests);
}
