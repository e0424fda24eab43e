/* uevent: the kernel's messages about devices. */
#include "descriptors.h"
#include "init/base/uevent.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include <cmocka.h>

#define BIND                                                                                       \
    "bind@/devices/pci0000:00/virtio1\0ACTION=bind\0SUBSYSTEM=virtio\0DRIVER=virtiofs\0SEQNUM=1"

static void a_message_of_the_kernel_is_read(void **state)
{
    struct uevent event;

    (void)state;
    assert_int_equal(uevent_parse(BIND, sizeof(BIND), &event), 0);
    assert_string_equal(event.action, "bind");
    assert_string_equal(event.devpath, "/devices/pci0000:00/virtio1");
    assert_string_equal(event.subsystem, "virtio");
    assert_string_equal(event.driver, "virtiofs");
    assert_true(uevent_is_arrival(&event, "virtio"));
    assert_false(uevent_is_arrival(&event, "net"));
}

static void a_departure_is_no_arrival(void **state)
{
    static const char text[] = "remove@/x\0SUBSYSTEM=virtio";
    struct uevent event;

    (void)state;
    assert_int_equal(uevent_parse(text, sizeof(text), &event), 0);
    assert_false(uevent_is_arrival(&event, "virtio"));
}

static void anything_else_is_refused(void **state)
{
    struct uevent event;

    (void)state;
    assert_int_equal(uevent_parse("", 0, &event), -EINVAL);
    assert_int_equal(uevent_parse("add", 3, &event), -EINVAL);
    assert_int_equal(uevent_parse("add@/x", 6, &event), -EINVAL); /* no NUL */
    assert_int_equal(uevent_parse("libudev\0x@y", 12, &event), -EINVAL);
}

/* What the socket has: a message of that sender, or an error. */
static const struct {
    const char *data;
    uint32_t sender; /* 0: the kernel */
    int error;
} * messages;

ssize_t __wrap_recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *address,
                        socklen_t *address_size);
ssize_t __wrap_recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *address,
                        socklen_t *address_size)
{
    struct sockaddr_nl sender = {.nl_family = AF_NETLINK, .nl_pid = messages->sender};
    size_t used = sizeof(BIND);

    assert_int_equal(fd, 4711);
    assert_int_equal(flags, 0);
    assert_int_equal(*address_size, sizeof(sender));
    if (messages->error != 0) {
        errno = messages++->error;
        return -1;
    }
    assert_in_range(used, 1, size);
    memcpy(address, &sender, sizeof(sender));
    memcpy(data, messages++->data, used);
    return (ssize_t)used;
}

static void only_the_kernel_is_heard(void **state)
{
    static const char other[sizeof(BIND)] = "libudev", none[sizeof(BIND)] = "";
    static const __typeof__(*messages) told[] = {{.error = EINTR}, {.data = BIND, .sender = 77},
                                                 {.data = other},  {.data = none},
                                                 {.data = BIND},   {.error = EAGAIN},
                                                 {.data = other},  {.error = ENOBUFS}};
    struct uevent event = {.action = "untouched"};

    (void)state;
    messages = told;
    assert_int_equal(uevent_receive(4711, &event), 0);
    assert_int_equal(messages - told, 5);
    assert_string_equal(event.subsystem, "virtio");
    assert_int_equal(uevent_receive(4711, &event), -EAGAIN);
    assert_int_equal(uevent_receive(4711, &event), -ENOBUFS);
}

static void an_arrival_is_an_add_or_a_bind(void **state)
{
    static const char *const no[] = {"remove", "change", "unbind", "move", "", "addx"};
    struct uevent event = {.action = "add", .subsystem = "virtio"};

    (void)state;
    assert_true(uevent_is_arrival(&event, "virtio"));
    (void)strcpy(event.action, "bind");
    assert_true(uevent_is_arrival(&event, "virtio"));
    assert_false(uevent_is_arrival(&event, "virtio-ports"));
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        (void)snprintf(event.action, sizeof(event.action), "%s", no[i]);
        assert_false(uevent_is_arrival(&event, "virtio"));
    }
}

static void every_cut_of_a_message_is_survived(void **state)
{
    struct uevent event;

    (void)state;
    for (size_t size = 0; size <= sizeof(BIND); size++)
        (void)uevent_parse(BIND, size, &event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_of_the_kernel_is_read),
        cmocka_unit_test(a_departure_is_no_arrival),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(only_the_kernel_is_heard),
        cmocka_unit_test(an_arrival_is_an_add_or_a_bind),
        cmocka_unit_test(every_cut_of_a_message_is_survived),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
