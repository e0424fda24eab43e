/* latency: each falls into its bucket. */
#include "base/latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void latencies_fall_into_their_buckets(void **state)
{
    struct latency latency = {0};

    (void)state;
    latency_add(&latency, 0);
    latency_add(&latency, latency_bound_us(0));
    latency_add(&latency, latency_bound_us(0) + 1);
    latency_add(&latency, UINT64_C(1) << 40);
    assert_int_equal(latency.buckets[0], 2);
    assert_int_equal(latency.buckets[1], 1);
    assert_int_equal(latency.buckets[LATENCY_BOUNDS], 1);
    assert_int_equal(latency.count, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latencies_fall_into_their_buckets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
