/* host_address: what is an address of the host, and what is not. */
#include "descriptors.h"
#include "init/link/host_address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
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

static void each_digit_may_begin_a_number(void **state)
{
    struct host_address a;
    char text[32];

    (void)state;
    for (uint32_t digit = 0; digit <= 9; digit++) {
        (void)snprintf(text, sizeof(text), "vsock:%u:%u%u", digit, digit, 9 - digit);
        assert_int_equal(host_address_parse(text, &a), 0);
        assert_int_equal(a.cid, digit);
        assert_int_equal(a.port, digit * 10 + 9 - digit);
    }
}

static void a_name_fits_with_its_nul(void **state)
{
    char text[sizeof("virtio-port:") + HOST_ADDRESS_NAME_SIZE] = "virtio-port:";
    char *name = text + strlen(text);
    struct host_address a;

    (void)state;
    memset(name, 'n', HOST_ADDRESS_NAME_SIZE);
    assert_int_equal(host_address_parse(text, &a), -EINVAL);
    name[HOST_ADDRESS_NAME_SIZE - 1] = '\0';
    assert_int_equal(host_address_parse(text, &a), 0);
    assert_string_equal(a.name, name);
    memcpy(name, "aZ09.-_", sizeof("aZ09.-_")); /* of each kind of letters */
    assert_int_equal(host_address_parse(text, &a), 0);
    assert_string_equal(a.name, name);
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
        "vsock:/:1",
        "vsock:2:1/",
        "vsock:2:1:",
        "vsock:2/:1",
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
        cmocka_unit_test(each_digit_may_begin_a_number),
        cmocka_unit_test(a_name_fits_with_its_nul),
        cmocka_unit_test(anything_else_is_refused),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
