/* host_address: what is an address of the host, and what is not. */
#include "descriptors.h"
#include "init/link/host_address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void addresses_are_read(void **state)
{
    struct host_address a;

    (void)state;
    assert_int_equal(host_address_parse("vsock:4294967295:1", &a), 0);
    assert_int_equal(a.kind, HOST_ADDRESS_VSOCK);
    assert_int_equal(a.cid, UINT32_MAX);
    assert_int_equal(a.port, 1);
    assert_int_equal(host_address_parse("virtio-port:org.guestlink.0", &a), 0);
    assert_int_equal(a.kind, HOST_ADDRESS_VIRTIO_PORT);
    assert_string_equal(a.name, "org.guestlink.0");
}

static void anything_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "vsock",
        "vsock:",
        "vsock:2",
        "vsock:2:",
        "vsock::50000",
        "vsock:2:50000 ",
        "vsock:2:5:0",
        "vsock:0x2:1",
        "vsock:+2:1",
        "vsock:-1:1",
        "vsock:4294967296:1",
        "vsock: 2:1",
        "VSOCK:2:1",
        "virtio-port:",
        "virtio-port:a/b",
        "virtio-port:..",
        "virtio-port:a b",
        "unix:/x",
        "virtio-port:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct host_address a = {.port = 77};

        if (host_address_parse(bad[i], &a) != -EINVAL)
            fail_msg("\"%s\" was taken for an address", bad[i]);
        assert_int_equal(a.port, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(anything_else_is_refused),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
