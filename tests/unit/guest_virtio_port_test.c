/* virtio port: handed over with its first byte unread, closed without one. */
#include "guest/virtio_port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void on_spoke(void *userdata, int fd)
{
    *(int *)userdata = fd;
}

static void what_is_said_is_left_to_the_handshake(void **state)
{
    struct virtio_port *port = NULL;
    sd_event *event = NULL;
    int spoken = -1, ends[2];
    char byte;

    (void)state;
    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    assert_false(virtio_port_is_qemus(ends[0])); /* this program is none */
    assert_int_equal(virtio_port_new(event, ends[0], on_spoke, &spoken, &port), 0);
    assert_int_equal(sd_event_run(event, 0), 0);
    assert_int_equal(spoken, -1);
    assert_int_equal(send(ends[1], "x", 1, 0), 1);
    assert_true(sd_event_run(event, UINT64_MAX) > 0);
    assert_int_equal(spoken, ends[0]);
    port = virtio_port_free(port); /* the connection is not its own any more */
    assert_int_equal(recv(ends[0], &byte, 1, 0), 1);
    assert_int_equal(byte, 'x');
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)sd_event_unref(event);
}

static void one_that_ends_in_silence_is_closed(void **state)
{
    struct virtio_port *port = NULL;
    sd_event *event = NULL;
    int spoken = -1, ends[2];

    (void)state;
    assert_true(sd_event_new(&event) >= 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
                         0);
        assert_int_equal(virtio_port_new(event, ends[0], on_spoke, &spoken, &port), 0);
        if (i == 0)
            port = virtio_port_free(port);
        (void)close(ends[1]);
        while (port && sd_event_run(event, 0) > 0)
            ;
        assert_int_equal(spoken, -1);
        assert_int_equal(send(ends[0], "x", 1, MSG_NOSIGNAL), -1);
        port = virtio_port_free(port);
    }
    (void)sd_event_unref(event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_is_left_to_the_handshake),
        cmocka_unit_test(one_that_ends_in_silence_is_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
