/* remains: what is in an attachment's way by QEMU's words, and nothing that is not guestlink's. */
#include "libvirt/remains.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void finds(const char *text, const char *id)
{
    char found[64] = "";

    assert_int_equal(remains_find(text, found, sizeof(found)), id != NULL);
    assert_string_equal(found, id ? id : "");
}

static void a_part_or_a_device_of_ours_is_found(void **state)
{
    (void)state;
    finds("internal error: unable to execute QEMU command 'netdev_add': Duplicate ID "
          "'hostua-guestlink-net-eth1'",
          "hostua-guestlink-net-eth1");
    finds("internal error: unable to execute QEMU command 'chardev-add': Chardev with id "
          "'chr-vu-ua-guestlink-share-c' already exists",
          "chr-vu-ua-guestlink-share-c");
    finds("internal error: unable to execute QEMU command 'device_add': Duplicate device ID "
          "'ua-guestlink-share-my_5fsrc'",
          "ua-guestlink-share-my_5fsrc");
    finds("internal error: unable to execute QEMU command 'device_add': PCI: slot 0 function 0 not "
          "available for virtio-net-pci, in use by vhost-user-fs-pci,id=ua-guestlink-share-more",
          "ua-guestlink-share-more");
}

static void nothing_else_is(void **state)
{
    (void)state;
    finds("Duplicate ID 'hostnet0'", NULL);
    finds("device 'ua-guestlink-net-eth1' was not found", NULL);
    finds("Duplicate ID hostua-guestlink-net-eth1", NULL);
    finds("Duplicate ID 'hostua-guestlink-net-\"}, {\"'", NULL);
    finds("Duplicate ID 'ua-guestlink-net-eth1", NULL);
    finds("Duplicate ID 'ua-guestlink-net-a-name-of-which-there-is-no-room-in-the-buffer-at-hand'",
          NULL);
    finds("PCI: slot 0 not available for virtio-net-pci, in use by virtio-net-pci,id=net0", NULL);
    finds("PCI: slot 0 not available for ua-guestlink-x, in use by virtio-net-pci,id=net0", NULL);
    finds("slot 0, in use by x,id=hostua-guestlink-net-e", NULL);
    finds("slot 0, in use by x,id ua-guestlink-net-e", NULL);
    finds("slot 0, in use by 'ua-guestlink-net-e'", NULL);
    finds("", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_or_a_device_of_ours_is_found),
        cmocka_unit_test(nothing_else_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
