/* address: what is an address of the daemon's, and what is not. */
#include "base/address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void addresses_are_read_or_refused(void **state)
{
    static const struct {
        const char *text;
        int r;
        enum address_family family;
        uint32_t cid, port;
    } rows[] = {
        {"vsock::50000", 0, ADDRESS_VSOCK, UINT32_MAX, 50000},
        {"vsock:2:1", 0, ADDRESS_VSOCK, 2, 1},
        {"vsock:2", -EINVAL, 0, 0, 0},
        {"vsock::", -EINVAL, 0, 0, 0},
        {"vsock::-1", -EINVAL, 0, 0, 0},
        {"vsock:: 5", -EINVAL, 0, 0, 0},
        {"vsock::4294967295", -EINVAL, 0, 0, 0},
        {"vsock::4294967296", -EINVAL, 0, 0, 0},
        {"vsock:x:1", -EINVAL, 0, 0, 0},
        {"unix:/a", 0, ADDRESS_UNIX, 0, 0},
        {"unix:a", -EINVAL, 0, 0, 0},
        {"unix:", -EINVAL, 0, 0, 0},
        {"", -EINVAL, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct address address = {0};

        assert_int_equal(address_parse(rows[i].text, &address), rows[i].r);
        if (rows[i].r < 0)
            continue;
        assert_int_equal(address.family, rows[i].family);
        assert_int_equal(address.cid, rows[i].cid);
        assert_int_equal(address.port, rows[i].port);
    }
}

static void a_socket_too_long_for_the_kernel_is_no_address(void **state)
{
    char text[256] = "unix:/";
    struct address address;

    (void)state;
    memset(text + 6, 'a', 120);
    assert_int_equal(address_parse(text, &address), -EINVAL);
}

static void hybrid_sockets_name_their_port(void **state)
{
    uint32_t port = 0;
    int base = 0;

    (void)state;
    assert_int_equal(address_hybrid_port("/run/vm_1/dev.sock_50000", &port, &base), 0);
    assert_int_equal(port, 50000);
    assert_int_equal(base, strlen("/run/vm_1/dev.sock"));
    assert_int_equal(address_hybrid_port("/run/vm_1/dev.sock", &port, &base), -EINVAL);
    assert_int_equal(address_hybrid_port("/run/dev_", &port, &base), -EINVAL);
    assert_int_equal(address_hybrid_port("/run/dev_1x", &port, &base), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_or_refused),
        cmocka_unit_test(a_socket_too_long_for_the_kernel_is_no_address),
        cmocka_unit_test(hybrid_sockets_name_their_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
