/* manager: where a VM manager listens. */
#include "descriptors.h"
#include "init/work/manager.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static void addresses_are_read(void **state)
{
    struct manager_address a;

    (void)state;
    assert_int_equal(manager_parse_address("vsock:2:9999", &a), 0);
    assert_int_equal(a.type, 0);
    assert_int_equal(a.cid, 2);
    assert_int_equal(a.port, 9999);
    assert_int_equal(manager_parse_address("vsock-stream:2:1", &a), 0);
    assert_int_equal(a.type, SOCK_STREAM);
    assert_int_equal(manager_parse_address("vsock-dgram:2:1", &a), 0);
    assert_int_equal(a.type, SOCK_DGRAM);
    assert_int_equal(manager_parse_address("vsock-seqpacket:2:1", &a), 0);
    assert_int_equal(a.type, SOCK_SEQPACKET);
}

static void anything_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "vsock",
        "vsock-stream",
        "vsock-stream:2",
        "/run/notify",
        "vsock-raw:2:1",
        "vsock:2:1:1",
        "vsock:222222222222222222222222222222222222222222222222222:1"};
    char text[] = "vsock:0000000000000000000000000000000000000000000000000000002:11";
    struct manager_address a;

    (void)state;
    assert_int_equal(manager_parse_address(text, &a), -EINVAL); /* the last byte does not fit */
    memmove(text + 6, text + 7, strlen(text + 6));
    assert_int_equal(manager_parse_address(text, &a), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(manager_parse_address(bad[i], &a), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(anything_else_is_refused),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
