/* rate: a burst, then so many in a second, however quickly or slowly calls come. */
#include "base/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_burst_passes_and_then_the_rate(void **state)
{
    struct rate rate = {0};
    uint64_t now_us = 1000000;
    unsigned passed = 0;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        passed += rate_allow(&rate, now_us, 10000, 20);
    assert_int_equal(passed, 20);
    assert_int_equal(rate_take_dropped(&rate), 80);
    assert_int_equal(rate_take_dropped(&rate), 0);
    /* ten seconds of one call a millisecond */
    passed = 0;
    for (unsigned i = 0; i < 10000; i++)
        passed += rate_allow(&rate, now_us += 1000, 10000, 20);
    assert_in_range(passed, 99, 100);
    /* and it never holds more than the burst */
    now_us += UINT64_C(600000000);
    passed = 0;
    for (unsigned i = 0; i < 100; i++)
        passed += rate_allow(&rate, now_us, 10000, 20);
    assert_int_equal(passed, 20);
}

static void calls_in_quick_succession_lose_nothing_of_the_rate(void **state)
{
    struct rate rate = {0};
    uint64_t now_us = 1;
    unsigned passed = 0;

    (void)state;
    for (unsigned i = 0; i < 1000000; i++)
        passed += rate_allow(&rate, now_us += 3, 10000, 1);
    assert_in_range(passed, 30, 31);
}

static void less_than_one_in_a_second_passes_too(void **state)
{
    struct rate rate = {0};
    uint64_t now_us = 1;
    unsigned passed = 0;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) /* a hundred seconds */
        passed += rate_allow(&rate, now_us += 1000, 500, 1);
    assert_in_range(passed, 50, 51);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_passes_and_then_the_rate),
        cmocka_unit_test(calls_in_quick_succession_lose_nothing_of_the_rate),
        cmocka_unit_test(less_than_one_in_a_second_passes_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
