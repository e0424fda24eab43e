/* wait: what ends a wait for a device. */
#include "descriptors.h"
#include "init/base/clock.h"
#include "init/base/uevent.h"
#include "init/link/dial.h"
#include "init/work/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A rescan of the bus is this machine's own: it is taken by the linker. */
static unsigned rescans;

int __wrap_fd_write_file(const char *path, const char *text);
int __wrap_fd_write_file(const char *path, const char *text)
{
    assert_string_equal(path, "/sys/bus/pci/rescan");
    assert_string_equal(text, "1");
    rescans++;
    return 0;
}

/* What the kernel says, if the test has something to say; else it is the kernel's own. */
static const struct said {
    int result;
    const char *action, *subsystem;
} * said;

int __real_uevent_receive(int fd, struct uevent *ret);
int __wrap_uevent_receive(int fd, struct uevent *ret);
int __wrap_uevent_receive(int fd, struct uevent *ret)
{
    if (!said)
        return __real_uevent_receive(fd, ret);
    *ret = (struct uevent){0};
    if (said->action) {
        (void)snprintf(ret->action, sizeof(ret->action), "%s", said->action);
        (void)snprintf(ret->subsystem, sizeof(ret->subsystem), "%s", said->subsystem);
    }
    return said++->result;
}

/* The connection: no vsock device is used. */
static int dialed;
static uint16_t local_port;

int __wrap_dial_open(const struct host_address *address, uint16_t *port);
int __wrap_dial_open(const struct host_address *address, uint16_t *port)
{
    assert_int_equal(address->kind, HOST_ADDRESS_VSOCK);
    assert_int_equal(address->cid, 2);
    assert_int_equal(address->port, 1234);
    local_port = *port;
    return dialed;
}

static int socket_error; /* of the connection */

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    int r = __real_getsockopt(fd, level, name, value, size);

    assert_int_equal(name, SO_ERROR);
    if (socket_error)
        *(int *)value = socket_error;
    return r;
}

static int set_up(void **state)
{
    (void)state;
    said = NULL;
    socket_error = 0;
    rescans = 0;
    return 0;
}

static void the_bus_is_looked_at_once_before_the_deadline(void **state)
{
    const struct modules_late late = {0};
    WAIT_END struct wait wait = wait_begin(&late, 20);

    (void)state;
    assert_true(wait.uevents >= 0);
    assert_int_equal(wait_next(&wait, "no-such-subsystem"), 0);
    assert_int_equal(rescans, 1);
    assert_int_equal(wait_next(&wait, "no-such-subsystem"), -ETIMEDOUT);
    assert_true(clock_now_ns() >= wait.end_ns);
    assert_int_equal(rescans, 1);
}

static void the_end_of_the_loader_is_a_reason_to_try_again(void **state)
{
    struct modules_late late = {.loader = fork()};
    struct wait wait;

    (void)state;
    if (late.loader == 0)
        _exit(0);
    assert_true(late.loader > 0);
    wait = wait_begin(&late, 60000);
    assert_true(wait.loader >= 0);
    assert_int_equal(wait_next(&wait, "no-such-subsystem"), 0);
    assert_int_equal(wait.loader, -1);
    assert_int_equal(rescans, 0);
    wait_loader(late.loader, clock_in_ms(60000));
    wait_end(&wait);
    assert_int_equal(waitpid(late.loader, NULL, 0), late.loader);
}

static void what_cannot_listen_says_why(void **state)
{
    struct wait wait = {.uevents = -EMFILE, .loader = -1};

    (void)state;
    assert_int_equal(wait_next(&wait, "virtio"), -EMFILE);
    wait_end(&wait);
}

static void arrival_ends_the_wait(void **state)
{
    static const struct said arrivals[][6] = {
        {{0, "add", "net"}, {0, "remove", "virtio"}, {0, "add", "virtio"}, {-EIO, NULL, NULL}},
        {{0, "bind", "virtio"}, {-EIO, NULL, NULL}},
        {{0, "add", "usb"}, {-ENOBUFS, NULL, NULL}, {-EIO, NULL, NULL}}, /* some were lost */
    };
    const struct modules_late late = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(arrivals) / sizeof(arrivals[0]); i++) {
        WAIT_END struct wait wait = wait_begin(&late, 60000);

        said = arrivals[i];
        assert_int_equal(wait_next(&wait, "virtio"), 0);
        assert_int_equal(said->result, -EIO);
        assert_int_equal(wait_next(&wait, "virtio"), -EIO);
    }
    assert_int_equal(rescans, 0);
}

static void connection_that_stands_blocks(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    dialed = ends[0];
    assert_int_equal(wait_connected(2, 1234, clock_in_ms(60000)), ends[0]);
    assert_int_equal(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(local_port, 1023 - getpid() % 256);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void connection_that_does_not_stand_is_closed(void **state)
{
    char bytes[4096] = {0};
    int ends[2];

    (void)state;
    dialed = -ENODEV;
    assert_int_equal(wait_connected(2, 1234, clock_in_ms(60000)), -ENODEV);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    dialed = ends[0];
    socket_error = ECONNRESET;
    assert_int_equal(wait_connected(2, 1234, clock_in_ms(60000)), -ECONNRESET);
    assert_int_equal(fcntl(ends[0], F_GETFD), -1);
    (void)close(ends[1]);
    socket_error = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    while (write(ends[0], bytes, sizeof(bytes)) > 0)
        ; /* until it is not writable */
    dialed = ends[0];
    assert_int_equal(wait_connected(2, 1234, clock_in_ms(5)), -ETIMEDOUT);
    assert_int_equal(fcntl(ends[0], F_GETFD), -1);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_bus_is_looked_at_once_before_the_deadline, set_up),
        cmocka_unit_test_setup(the_end_of_the_loader_is_a_reason_to_try_again, set_up),
        cmocka_unit_test_setup(what_cannot_listen_says_why, set_up),
        cmocka_unit_test_setup(arrival_ends_the_wait, set_up),
        cmocka_unit_test_setup(connection_that_stands_blocks, set_up),
        cmocka_unit_test_setup(connection_that_does_not_stand_is_closed, set_up),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
