/* uevent: the kernel's messages about devices. */
#include "descriptors.h"
#include "init/base/uevent.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

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
        cmocka_unit_test(every_cut_of_a_message_is_survived),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
