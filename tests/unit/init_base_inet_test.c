/* inet: addresses and routes as the host writes them. */
#include "descriptors.h"
#include "init/base/inet.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static void addresses_are_read(void **state)
{
    static const uint8_t v4[] = {10, 0, 2, 15}, v6[16] = {0xfd, [15] = 1};
    struct inet inet;

    (void)state;
    assert_int_equal(inet_parse(wire_text_of("10.0.2.15/24"), &inet), 0);
    assert_int_equal(inet.family, AF_INET);
    assert_int_equal(inet.prefix, 24);
    assert_memory_equal(inet.bytes, v4, sizeof(v4));
    assert_int_equal(inet_parse(wire_text_of("10.0.2.15"), &inet), 0);
    assert_int_equal(inet.prefix, 32);
    assert_int_equal(inet_parse(wire_text_of("fd00::1/0"), &inet), 0);
    assert_int_equal(inet.family, AF_INET6);
    assert_int_equal(inet.prefix, 0);
    assert_memory_equal(inet.bytes, v6, sizeof(v6));
}

static void anything_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "/24",
        "10.0.2",
        "10.0.2.300/24",
        "10.0.2.15/",
        "10.0.2.15/33",
        "10.0.2.15/-1",
        "10.0.2.15/024",
        "10.0.2.15/ 1",
        "10.0.2.15/24/1",
        " 10.0.2.15",
        "host.example",
        "fd00::1/129",
        "fd00:::1",
        "::ffff:1.2.3.4.5",
        "10.0.2.15/240000000000000000000000000000000000000000000000000000000000"};
    struct inet inet = {.prefix = 77};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (inet_parse(wire_text_of(bad[i]), &inet) != -EINVAL)
            fail_msg("\"%s\" was taken for an address", bad[i]);
    assert_int_equal(inet.prefix, 77);
}

static void a_route_has_two_ends_of_one_family(void **state)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "10.1.0.0/16",
                                      "10.1.0.0/16 ",
                                      " 10.0.2.9",
                                      "10.1.0.0/16  10.0.2.9",
                                      "10.1.0.0/16 fd00::1",
                                      "10.1.0.0/16 10.0.2.9/24"};
    struct inet_route route;

    (void)state;
    assert_int_equal(inet_parse_route(wire_text_of("10.1.0.0/16 10.0.2.9"), &route), 0);
    assert_int_equal(route.destination.prefix, 16);
    assert_int_equal(route.gateway.bytes[3], 9);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (inet_parse_route(wire_text_of(bad[i]), &route) != -EINVAL)
            fail_msg("\"%s\" was taken for a route", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_route_has_two_ends_of_one_family),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
