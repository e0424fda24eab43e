/* aperture status: what is written is read, and nothing else is. */
#include "descriptors.h"
#include "hostd/base/aperture_status.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/aperture-status-XXXXXX", path[64], new_path[64];

static void put(const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, text, size), size);
    (void)close(fd);
}

static void each_state_is_one_line_and_comes_back(void **state)
{
    static const struct {
        struct aperture_status status;
        const char *line;
    } rows[] = {
        {{APERTURE_NONE, 0, "the VM has no token"}, "none the VM has no token\n"},
        {{APERTURE_NARROWED, 67117056, "a reason: do this"},
         "narrowed 67117056 a reason: do this\n"},
        {{APERTURE_ENFORCED, UINT64_MAX, ""}, "enforced 18446744073709551615\n"},
        {{APERTURE_REFUSED, 0, "why"}, "refused why\n"},
        {{APERTURE_WAITING, 7, ""}, "waiting 7\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct aperture_status status;
        char line[64] = "";
        int fd;

        assert_int_equal(aperture_status_write(path, &rows[i].status), 0);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(read(fd, line, sizeof(line) - 1) > 0);
        (void)close(fd);
        assert_string_equal(line, rows[i].line);
        assert_int_equal(aperture_status_read(path, &status), 0);
        assert_int_equal(status.state, rows[i].status.state);
        assert_int_equal(status.bytes, rows[i].status.bytes);
        assert_string_equal(status.reason, rows[i].status.reason);
    }
}

static void longest_reason_fits(void **state)
{
    struct aperture_status status = {.state = APERTURE_NARROWED, .bytes = UINT64_MAX}, again;

    (void)state;
    memset(status.reason, 'r', sizeof(status.reason) - 1);
    assert_int_equal(aperture_status_write(path, &status), 0);
    assert_int_equal(aperture_status_read(path, &again), 0);
    assert_string_equal(again.reason, status.reason);
}

static void anything_else_is_no_status(void **state)
{
    static const char *const lines[] = {
        "",
        "\n",
        "enforced\n",
        "enforced 12",
        "enforced 12 \n",
        "enforced  12\n",
        "enforced +12\n",
        "enforced 012\n",
        "enforced 0x12\n",
        "enforced 18446744073709551616\n",
        "enforced 12 for a reason\n",
        "enforced 12\nenforced 13\n",
        "Enforced 12\n",
        "narrowed a reason\n",
        "narrowed 12 a\treason\n",
        "none \033[2J\n",
        "refused",
        "wide 12\n",
    };
    static const char with_nul[] = "none a\0b\n";
    struct aperture_status status = {.bytes = 77};
    char long_line[2048];

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        put(lines[i], strlen(lines[i]));
        if (aperture_status_read(path, &status) != -EBADMSG)
            fail_msg("line %zu was taken: %s", i, lines[i]);
    }
    put(with_nul, sizeof(with_nul) - 1);
    assert_int_equal(aperture_status_read(path, &status), -EBADMSG);
    (void)snprintf(long_line, sizeof(long_line), "none %0*d\n", (int)sizeof(long_line) - 7, 0);
    put(long_line, strlen(long_line));
    assert_int_equal(aperture_status_read(path, &status), -EBADMSG);
    assert_int_equal(status.bytes, 77);
    (void)unlink(path);
    assert_int_equal(aperture_status_read(path, &status), -ENOENT);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(aperture_status_read(path, &status), -EBADMSG);
    (void)unlink(path);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    assert_int_equal(aperture_status_read(path, &status), -ELOOP);
    (void)unlink(path);
}

/* Who watches the folder sees the whole line at once. */
static void file_is_replaced_not_rewritten(void **state)
{
    const struct aperture_status status = {.state = APERTURE_ENFORCED, .bytes = 1};
    union {
        struct inotify_event event;
        char data[4096];
    } news;
    int watch = inotify_init1(IN_CLOEXEC);

    (void)state;
    assert_true(inotify_add_watch(watch, folder, IN_MOVED_TO) > 0);
    assert_int_equal(aperture_status_write(path, &status), 0);
    assert_true(read(watch, &news, sizeof(news)) > 0);
    assert_string_equal(news.event.name, "status");
    (void)close(watch);
    /* No link that was put in its place leads elsewhere. */
    assert_int_equal(symlink("/dev/null", new_path), 0);
    assert_int_equal(aperture_status_write(path, &status), -ELOOP);
    (void)unlink(new_path);
}

static int make_folder(void **state)
{
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/status", folder);
    (void)snprintf(new_path, sizeof(new_path), "%s/status.new", folder);
    return descriptors_note(state);
}

static int remove_folder(void **state)
{
    (void)unlink(path);
    (void)rmdir(folder);
    return descriptors_compare(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_is_one_line_and_comes_back),
        cmocka_unit_test(longest_reason_fits),
        cmocka_unit_test(anything_else_is_no_status),
        cmocka_unit_test(file_is_replaced_not_rewritten),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
