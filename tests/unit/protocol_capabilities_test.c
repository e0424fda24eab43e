/* capabilities: two reports of one boot say the same unless a fact changed. */
#include "descriptors.h"
#include "protocol/capabilities.h"
#include "protocol/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct guest_capabilities report = {
    .major = 1,
    .features = 0x3f,
    .swiotlb_base = 0x14000000,
    .swiotlb_size = 67108864,
    .memory_bytes = 1 << 30,
    .page_size = 4096,
    .cpu_count = 2,
    .boot_id = {1, 2, 3},
    .kernel_release = "6.1.0",
    .init_version = "0.1.0",
    .started_ns = 1000,
    .sent_ns = 2000,
};

static void times_are_no_facts(void **state)
{
    struct guest_capabilities again = report;

    (void)state;
    assert_true(capabilities_same_facts(&report, &again));
    again.sent_ns = 9000;
    again.started_ns = 0;
    assert_true(capabilities_same_facts(&report, &again));
}

static void any_other_field_is_a_fact(void **state)
{
    struct guest_capabilities changed[11];

    (void)state;
    for (size_t i = 0; i < 11; i++)
        changed[i] = report;
    changed[0].major = 2;
    changed[1].minor = 1;
    changed[2].features ^= UINT64_C(1) << 63;
    changed[3].swiotlb_base += 4096;
    changed[4].swiotlb_size -= 4096;
    changed[5].memory_bytes++;
    changed[6].page_size = 16384;
    changed[7].cpu_count++;
    changed[8].boot_id[15] = 1;
    (void)strcpy(changed[9].kernel_release, "6.1.1");
    (void)strcpy(changed[10].init_version, "0.1");
    for (size_t i = 0; i < 11; i++) {
        if (capabilities_same_facts(&report, &changed[i]))
            fail_msg("change %zu was not seen", i);
    }
}

/* init fills the names from the kernel; one that is too long must still be a valid report. */
static void version_written_is_always_ours(void **state)
{
    struct guest_capabilities strange = report;
    struct guest_capabilities read = {0};
    uint8_t memory[CAPABILITIES_SIZE];
    struct wire_writer writer = {.data = memory, .capacity = sizeof(memory)};

    (void)state;
    strange.major = 9;
    strange.minor = 9;
    memset(strange.kernel_release, 'x', sizeof(strange.kernel_release));
    capabilities_pack(&writer, &strange);
    assert_false(writer.overflow);
    assert_int_equal(writer.size, CAPABILITIES_SIZE);
    assert_int_equal(capabilities_unpack(memory, writer.size, &read), 0);
    assert_int_equal(read.major, 1);
    assert_int_equal(read.minor, PROTOCOL_MINOR);
    assert_int_equal(strlen(read.kernel_release), CAPABILITIES_RELEASE_SIZE - 1);
}

static void a_pools_kind_is_told_by_its_values_and_features(void **state)
{
    static const struct {
        uint64_t base, size, features;
        const char *kind;
    } cases[] = {
        {0, 0, 0, "none"},
        {0, 0, CAPABILITIES_SWIOTLB_DEFAULT, "none"}, /* the kernel has none after all */
        {0, 0, CAPABILITIES_SWIOTLB_PUBLISHED, "published"},
        {4096, 0, 0, "published"},
        {0, 4096, 0, "published"},
        {4096, 4096, 0, "published"},
        {4096, 4096, CAPABILITIES_SWIOTLB_PUBLISHED, "published"},
        {4096, 4096, CAPABILITIES_SWIOTLB_DEFAULT, "default"},
        {0, 4096, CAPABILITIES_SWIOTLB_DEFAULT, "default"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guest_capabilities changed = report;

        changed.swiotlb_base = cases[i].base;
        changed.swiotlb_size = cases[i].size;
        changed.features = cases[i].features;
        assert_string_equal(capabilities_pool_kind(&changed), cases[i].kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_no_facts),
        cmocka_unit_test(any_other_field_is_a_fact),
        cmocka_unit_test(version_written_is_always_ours),
        cmocka_unit_test(a_pools_kind_is_told_by_its_values_and_features),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
