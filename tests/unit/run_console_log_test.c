/* console log: two files of bounded size, whatever is written; lost bytes are counted. */
#include "descriptors.h"
#include "run/console_log.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT 4096u

struct fixture {
    char folder[64], path[96], old[96];
    struct console_log log;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    (void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/glnk-console-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/console.log", fixture->folder);
    (void)snprintf(fixture->old, sizeof(fixture->old), "%s/console.log.1", fixture->folder);
    assert_int_equal(console_log_open(&fixture->log, fixture->path, LIMIT), 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    console_log_close(&fixture->log);
    (void)unlink(fixture->path);
    (void)unlink(fixture->old);
    (void)rmdir(fixture->old);
    assert_int_equal(rmdir(fixture->folder), 0);
    free(fixture);
    return 0;
}

static off_t size_of(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 ? status.st_size : -1;
}

static const char *text_of(const char *path)
{
    static char text[2 * LIMIT];
    FILE *stream = fopen(path, "re");

    assert_non_null(stream);
    text[fread(text, 1, sizeof(text) - 1, stream)] = '\0';
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void test_what_is_written_is_kept(void **state)
{
    struct fixture *fixture = *state;

    console_log_write(&fixture->log, "hello ", 6);
    console_log_write(&fixture->log, "world\n", 6);
    assert_string_equal(text_of(fixture->path), "hello world\n");
    assert_int_equal(size_of(fixture->old), -1);
}

static void test_a_flood_is_two_bounded_files(void **state)
{
    struct fixture *fixture = *state;
    char line[32];

    for (unsigned i = 0; i < 10000; i++) {
        (void)snprintf(line, sizeof(line), "line %08u\n", i);
        console_log_write(&fixture->log, line, strlen(line));
        assert_true(size_of(fixture->path) <= (off_t)LIMIT);
        assert_true(size_of(fixture->old) <= (off_t)LIMIT);
    }
    assert_int_equal(size_of(fixture->old), LIMIT);
    assert_non_null(strstr(text_of(fixture->path), "line 00009999\n"));
    assert_int_equal(fixture->log.lost, 0);
}

static void test_one_write_may_be_larger_than_both(void **state)
{
    struct fixture *fixture = *state;
    static char data[5 * LIMIT + 7];

    memset(data, 'x', sizeof(data) - 1);
    data[sizeof(data) - 1] = 'y';
    console_log_write(&fixture->log, data, sizeof(data));
    assert_int_equal(size_of(fixture->old), LIMIT);
    assert_string_equal(text_of(fixture->path), "xxxxxxy");
}

static void test_a_log_is_gone_on_with(void **state)
{
    struct fixture *fixture = *state;

    console_log_write(&fixture->log, "before\n", 7);
    console_log_close(&fixture->log);
    assert_int_equal(console_log_open(&fixture->log, fixture->path, LIMIT), 0);
    console_log_write(&fixture->log, "after\n", 6);
    assert_string_equal(text_of(fixture->path), "before\nafter\n");
}

/* No file can be renamed to the name of a folder: the bound holds all the same. */
static void test_without_rotation_the_file_starts_over(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(mkdir(fixture->old, 0700), 0);
    for (unsigned i = 0; i < 3 * LIMIT / 8; i++)
        console_log_write(&fixture->log, "abcdefg\n", 8);
    assert_true(size_of(fixture->path) <= (off_t)LIMIT);
    assert_int_equal(fixture->log.lost, 0);
}

/* A file's size limit stands for a full disk: a write fails, in the middle of what was to be said.
 */
static void test_without_room_bytes_are_counted_and_noted(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit before, small;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (unsigned i = 0; i < 30; i++)
        console_log_write(&fixture->log, "12345678\n", 9);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(size_of(fixture->path), 100);
    assert_int_equal(fixture->log.lost, 270 - 100);
    console_log_write(&fixture->log, "room\n", 5);
    assert_non_null(
        strstr(text_of(fixture->path), "\n[guestlink: 170 bytes are missing here]\nroom\n"));
    assert_int_equal(fixture->log.lost, 0);
}

/* Somebody put a link there: what it names is not written to, and the guest does not wait. */
static void test_a_link_is_not_followed(void **state)
{
    struct fixture *fixture = *state;

    console_log_close(&fixture->log);
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(symlink(fixture->old, fixture->path), 0);
    console_log_write(&fixture->log, "x", 1);
    assert_int_equal(fixture->log.lost, 1);
    assert_int_equal(size_of(fixture->old), -1);
}

static void test_bounds_that_are_none_are_refused(void **state)
{
    struct console_log log = CONSOLE_LOG_NULL;
    static char path[5000];

    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    assert_int_equal(console_log_open(&log, "/tmp/x", CONSOLE_LOG_NOTE - 1), -EINVAL);
    assert_int_equal(console_log_open(&log, path, LIMIT), -ENAMETOOLONG);
    console_log_close(&log);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_written_is_kept),
        TEST(test_a_flood_is_two_bounded_files),
        TEST(test_one_write_may_be_larger_than_both),
        TEST(test_a_log_is_gone_on_with),
        TEST(test_without_rotation_the_file_starts_over),
        TEST(test_without_room_bytes_are_counted_and_noted),
        TEST(test_a_link_is_not_followed),
        cmocka_unit_test(test_bounds_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
