/* hostd listener: how many callers have their turn at once, how long it waits when none can be
 * accepted, and which sockets of somebody else's it can use. What accept4() says and the clock are
 * the test's. */
#include "base/limits.h"
#include "descriptors.h"
#include "folder.h"
#include "guest/listener.h"
#include "played_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/vm_sockets.h>

#define MOST LIMITS_ACCEPTS_PER_WAKEUP

static sd_event *event;
static struct listener *listener;
static char folder[FOLDER_BYTES], path[96];
static unsigned accepted, paused, asked;
static int accept_error, pause_error;
static bool is_vsock; /* what is asked of a socket is of a vsock's */

int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    asked++;
    errno = accept_error;
    return accept_error ? -1 : __real_accept4(fd, address, size, flags);
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    int r = __real_getsockopt(fd, level, name, value, size);

    if (r == 0 && is_vsock && name == SO_DOMAIN)
        memcpy(value, &(int){AF_VSOCK}, sizeof(int));
    return r;
}

static void on_accepted(void *userdata, int fd, const struct peer *peer)
{
    assert_ptr_equal(userdata, &accepted);
    assert_false(peer->vsock);
    accepted++;
    (void)close(fd);
}

static void on_paused(void *userdata, int error)
{
    assert_ptr_equal(userdata, &accepted);
    paused++;
    pause_error = error;
}

static const struct listener_events events = {.accepted = on_accepted, .paused = on_paused};

static int set_up(void **state)
{
    (void)state;
    accepted = paused = asked = 0;
    accept_error = pause_error = 0;
    is_vsock = false;
    folder_make(folder);
    (void)snprintf(path, sizeof(path), "%s/s", folder);
    if (sd_event_new(&event) < 0)
        return -1;
    return listener_new_unix(event, path, &events, &accepted, &listener);
}

static int tear_down(void **state)
{
    (void)state;
    listener = listener_free(listener);
    (void)sd_event_unref(event);
    folder_remove(folder);
    return 0;
}

static void call(unsigned count)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    while (count-- > 0) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        (void)close(fd);
    }
}

static void settle(void)
{
    while (sd_event_run(event, 0) > 0)
        ;
}

/* The others of the loop have their turns in between. */
static void so_many_have_a_turn_and_the_rest_the_next(void **state)
{
    (void)state;
    call(2 * MOST + 1);
    for (unsigned i = 1; i <= 2; i++) {
        assert_true(sd_event_run(event, 0) > 0);
        assert_int_equal(accepted, i * MOST);
    }
    settle();
    assert_int_equal(accepted, 2 * MOST + 1);
    call(MOST);
    settle();
    assert_int_equal(accepted, 3 * MOST + 1);
}

static void without_room_it_asks_again_only_in_time(void **state)
{
    static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};

    (void)state;
    for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        asked = 0;
        accept_error = errors[i];
        call(1);
        settle();
        assert_int_equal(asked, 1);
        assert_int_equal(paused, i + 1);
        assert_int_equal(pause_error, errors[i]);
        call(1);
        settle();
        played_clock_pass(event, LIMITS_ACCEPT_PAUSE_MS / 2);
        assert_int_equal(asked, 1);
        played_clock_pass(event, LIMITS_ACCEPT_PAUSE_MS);
        assert_int_equal(asked, 2);
        assert_int_equal(paused, i + 1); /* once, until it accepts again */
        accept_error = 0;
        played_clock_pass(event, LIMITS_ACCEPT_PAUSE_MS);
        assert_int_equal(accepted, 2 * (i + 1));
    }
}

static void an_error_of_one_caller_s_is_no_reason_to_wait(void **state)
{
    (void)state;
    accept_error = EPERM;
    call(1);
    (void)sd_event_run(event, 0);
    assert_int_equal(asked, 1);
    accept_error = 0;
    settle();
    assert_int_equal(accepted, 1);
    assert_int_equal(paused, 0);
}

/* Somebody listens there: what is full is not stale. */
static void full_queue_is_somebody_s(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), callers[2];
    struct listener *other = NULL;
    char full[96];

    (void)state;
    (void)snprintf(full, sizeof(full), "%s/full", folder);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", full);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (unsigned i = 0; i < 2; i++) {
        callers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(callers[i], (struct sockaddr *)&address, sizeof(address));
    }
    assert_int_equal(listener_new_unix(event, full, &events, &accepted, &other), -EADDRINUSE);
    assert_null(other);
    assert_int_equal(access(full, F_OK), 0);
    for (unsigned i = 0; i < 2; i++)
        (void)close(callers[i]);
    (void)close(fd);
}

static void what_the_socket_s_making_needs_is_undone(void **state)
{
    mode_t mask = umask(027);

    (void)state;
    listener = listener_free(listener);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(listener_new_unix(event, path, &events, &accepted, &listener), 0);
    assert_int_equal(umask(mask), 027);
}

/* Neither a file nor a socket that is somebody else's goes with it. */
static void what_came_in_its_place_stays(void **state)
{
    int fd;

    (void)state;
    assert_int_equal(unlink(path), 0);
    fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    listener = listener_free(listener);
    assert_int_equal(access(path, F_OK), 0);
}

static void descriptor_that_is_none_is_an_error(void **state)
{
    struct listener *other = NULL;

    (void)state;
    assert_int_equal(listener_consume_fd(event, 9999, &events, &accepted, &other), -EBADF);
    assert_null(other);
    assert_null(listener_free(NULL));
}

/* @return the problem with a socket of that kind, that listens if that is asked for */
static const char *problem_of(int family, int type, bool listens, bool local)
{
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    const char *problem;

    assert_true(fd >= 0);
    if (listens) {
        sa_family_t unnamed = AF_UNIX; /* the kernel names it */

        assert_int_equal(bind(fd, (struct sockaddr *)&unnamed, sizeof(unnamed)), 0);
        assert_int_equal(listen(fd, 1), 0);
    }
    problem = listener_find_problem(fd, local);
    (void)close(fd);
    return problem ? problem : "none";
}

static void socket_that_it_can_use_listens_for_streams_here(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        bool local = i == 1;
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        is_vsock = false;
        assert_string_equal(problem_of(AF_UNIX, SOCK_STREAM, true, local), "none");
        assert_string_equal(problem_of(AF_UNIX, SOCK_STREAM, false, local),
                            "not listening (a connection, from Accept=yes?)");
        assert_string_equal(problem_of(AF_UNIX, SOCK_DGRAM, false, local),
                            "a datagram socket (ListenDatagram=)");
        assert_string_equal(problem_of(AF_UNIX, SOCK_SEQPACKET, true, local),
                            "a sequential-packet socket (ListenSequentialPacket=)");
        assert_string_equal(problem_of(AF_INET, SOCK_STREAM, false, local),
                            "a network socket, which any program on the host can reach");
        assert_string_equal(listener_find_problem(9999, local), "not open");
        assert_string_equal(listener_find_problem(fd, local), "not a socket");
        is_vsock = true;
        assert_string_equal(problem_of(AF_UNIX, SOCK_STREAM, true, local),
                            local ? "an AF_VSOCK socket, which guests can reach" : "none");
        (void)close(fd);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(so_many_have_a_turn_and_the_rest_the_next),
        TEST(without_room_it_asks_again_only_in_time),
        TEST(an_error_of_one_caller_s_is_no_reason_to_wait),
        TEST(full_queue_is_somebody_s),
        TEST(what_the_socket_s_making_needs_is_undone),
        TEST(what_came_in_its_place_stays),
        TEST(descriptor_that_is_none_is_an_error),
        TEST(socket_that_it_can_use_listens_for_streams_here),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
