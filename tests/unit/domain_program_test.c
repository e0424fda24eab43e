/* domain program: guestlink-libvirt is started with its URI, with the socket at both of its
 * streams; what else it says is kept, and nothing is left of one that cannot be started. A shell is
 * it. */
#include "base/fd.h"
#include "base/program.h"
#include "descriptors.h"
#include "device_support.h"
#include "domain/program.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *script; /* NULL: it is not installed */

const char *__wrap_program_find_own(const char *name, char buffer[LIMITS_PATH]);

const char *__wrap_program_find_own(const char *name, char buffer[LIMITS_PATH])
{
    assert_string_equal(name, "guestlink-libvirt");
    if (!script)
        return NULL;
    (void)snprintf(buffer, LIMITS_PATH, "%s", script);
    return buffer;
}

static struct devices_told told;

static int start(struct devices *devices, struct child **ret_child, struct sink **ret_errors,
                 int *ret_socket)
{
    told = (struct devices_told){.ends = 0};
    return domain_program_start(devices->event, "test:///uri", devices_told_end, &told, ret_child,
                                ret_errors, ret_socket);
}

/* Reads a line from the program. */
static void expect_line(int fd, const char *expected)
{
    char line[256];
    size_t size = 0;

    do {
        struct pollfd wait = {.fd = fd, .events = POLLIN};

        assert_int_equal(poll(&wait, 1, (int)DEVICES_TIMEOUT_MS), 1);
        assert_true(size < sizeof(line) - 1);
        assert_int_equal(read(fd, line + size, 1), 1);
    } while (line[size++] != '\n');
    line[size - 1] = '\0';
    assert_string_equal(line, expected);
}

static void it_speaks_by_its_streams(void **state)
{
    struct devices *devices = *state;
    struct sink *errors = NULL;
    struct child *child = NULL;
    char words[SINK_LAST_WORDS + 1];
    int fd = -1;

    script = devices_script(devices, "program",
                            "#!/bin/sh\necho \"$# $1\"\nread line\necho \"got $line\"\n"
                            "echo words >&2\nread line || exit 5\n");
    assert_int_equal(start(devices, &child, &errors, &fd), 0);
    assert_non_null(child);
    assert_non_null(errors);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    expect_line(fd, "1 test:///uri");
    assert_int_equal(send(fd, "ping\n", 5, MSG_NOSIGNAL), 5);
    expect_line(fd, "got ping");
    assert_int_equal(told.ends, 0);
    (void)close(fd); /* the other end is the program's alone */
    devices_wait(devices, &told.ends, 1);
    assert_int_equal(told.end.status, 5);
    (void)sink_last_words(errors, words, sizeof(words));
    assert_string_equal(words, "words");
    (void)sink_free(errors);
    (void)child_free(child);
}

static unsigned count_open(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
}

static void one_that_is_not_installed_is_told(void **state)
{
    struct devices *devices = *state;
    struct sink *errors = NULL;
    struct child *child = NULL;
    int fd = -1;

    script = NULL;
    assert_int_equal(start(devices, &child, &errors, &fd), -ENOENT);
    assert_null(child);
    assert_null(errors);
    assert_int_equal(fd, -1);
}

/* Wherever the descriptors run out. */
static void one_that_cannot_start_leaves_nothing(void **state)
{
    struct devices *devices = *state;
    unsigned before = count_open(), failures = 0;
    struct sink *errors = NULL;
    struct child *child = NULL;
    struct rlimit usual, tight;
    int fd = -1, r = -1;

    script = devices_script(devices, "program", "#!/bin/sh\nexec sleep 1000\n");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    tight = usual;
    for (tight.rlim_cur = 0; r < 0; tight.rlim_cur++) {
        assert_true(tight.rlim_cur < 200);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
        r = start(devices, &child, &errors, &fd);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
        if (r == 0)
            break;
        failures++;
        assert_int_equal(r, -EMFILE);
        assert_null(child);
        assert_null(errors);
        assert_int_equal(fd, -1);
        assert_int_equal(count_open(), before);
    }
    assert_true(failures > 4); /* two sockets and two ends of a pipe at least */
    assert_non_null(child);
    assert_non_null(errors);
    (void)close(fd);
    (void)sink_free(errors);
    (void)child_kill(child);
    devices_run(devices, 100);
    assert_int_equal(told.ends, 0); /* it is nobody's any more */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_speaks_by_its_streams, devices_set_up,
                                        devices_tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_not_installed_is_told, devices_set_up,
                                        devices_tear_down),
        cmocka_unit_test_setup_teardown(one_that_cannot_start_leaves_nothing, devices_set_up,
                                        devices_tear_down),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
