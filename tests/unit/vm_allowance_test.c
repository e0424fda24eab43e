/* allowance: a flood of one kind takes nothing from another, and all VMs together are bounded. */
#include "base/limits.h"
#include "vm/allowance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Takes as much as there is at this moment. */
static unsigned take_all(struct allowances *allowances, enum allowance_kind kind,
                         struct rate *shared, const struct config_limits *limits)
{
    unsigned taken = 0;

    while (allowance_take(allowances, kind, shared, limits, 1))
        taken++;
    return taken;
}

static void no_kind_of_line_takes_anything_from_another(void **state)
{
    static const struct config_limits limits = {.guest_events_per_s = 10,
                                                .guest_events_burst = 200};

    (void)state;
    for (unsigned flood = 0; flood < ALLOWANCE_LINES; flood++) {
        struct allowances allowances = {0};
        struct rate shared = {0};

        (void)take_all(&allowances, (enum allowance_kind)flood, &shared, &limits);
        assert_int_equal(allowance_dropped(&allowances), 1);
        for (unsigned i = 0; i < ALLOWANCE_LINES; i++)
            if (i != flood)
                assert_true(
                    allowance_take(&allowances, (enum allowance_kind)i, &shared, &limits, 1));
    }
}

/* However many guests do all that they can, what counts of another is told, and a boot fits. */
static void all_vms_together_are_bounded(void **state)
{
    static const struct config_limits limits = {.guest_events_per_s = 10,
                                                .guest_events_burst = 200};
    static const enum allowance_kind cheap[] = {ALLOWANCE_STRANGER, ALLOWANCE_REFUSAL,
                                                ALLOWANCE_LOG};
    static struct allowances vms[100];
    struct allowances other = {0};
    struct rate shared = {0};
    unsigned taken = 0;

    (void)state;
    for (unsigned vm = 0; vm < 100; vm++)
        for (unsigned i = 0; i < sizeof(cheap) / sizeof(cheap[0]); i++)
            taken += take_all(&vms[vm], cheap[i], &shared, &limits);
    assert_int_equal(taken, LIMITS_SHARED_EVENTS_BURST + 100 * 3 * LIMITS_OWN_EVENTS_BURST);
    assert_true(allowance_dropped(&vms[99]) > 0);
    for (unsigned kind = 0; kind < ALLOWANCE_LINES; kind++)
        for (unsigned i = 0; i < 4; i++)
            assert_true(allowance_take(&other, (enum allowance_kind)kind, &shared, &limits, 1));
}

/* A payload's output has its bytes, and takes nothing from any line; all payloads together are
 * bounded, and one that says little is heard. */
static void output_is_counted_in_bytes(void **state)
{
    static const struct config_limits limits = {.guest_events_per_s = 10,
                                                .guest_events_burst = 200,
                                                .payload_output_per_s = 1000,
                                                .payload_output_burst = 10000};
    static struct allowances vms[200];
    struct allowances other = {0};
    struct rate shared = {0}, lines = {0};
    uint32_t cost = 36 + LIMITS_OUTPUT_LINE_BYTES;
    unsigned taken = 0;

    (void)state;
    while (allowance_take_output(&vms[0], 36, &shared, &limits, 1))
        taken++;
    assert_int_equal(taken, 10000 / cost);
    assert_int_equal(allowance_dropped(&vms[0]), 1);
    assert_true(allowance_take_output(&vms[0], 36, &shared, &limits, 200001));
    for (unsigned kind = 0; kind < ALLOWANCE_LINES; kind++)
        assert_true(allowance_take(&vms[0], (enum allowance_kind)kind, &lines, &limits, 1));
    for (unsigned vm = 1; vm < 200; vm++)
        while (allowance_take_output(&vms[vm], 36, &shared, &limits, 200001))
            taken++;
    assert_in_range(taken, LIMITS_SHARED_OUTPUT_BURST / cost,
                    LIMITS_SHARED_OUTPUT_BURST / cost + 200 * (LIMITS_OWN_EVENTS_BURST + 2));
    assert_true(allowance_take_output(&other, 36, &shared, &limits, 200001));
}

static void the_smallest_limits_leave_room_for_a_boot(void **state)
{
    static const struct config_limits limits = {.guest_events_per_s = 1, .guest_events_burst = 1};
    struct allowances allowances = {0};
    struct rate shared = {0};

    (void)state;
    assert_in_range(take_all(&allowances, ALLOWANCE_CONNECT, &shared, &limits), 5, 20);
    assert_in_range(take_all(&allowances, ALLOWANCE_DISCONNECT, &shared, &limits), 1, 20);
    assert_int_equal(take_all(&allowances, ALLOWANCE_LOG, &shared, &limits), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_kind_of_line_takes_anything_from_another),
        cmocka_unit_test(all_vms_together_are_bounded),
        cmocka_unit_test(output_is_counted_in_bytes),
        cmocka_unit_test(the_smallest_limits_leave_room_for_a_boot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
