/* hostd boot: the token of a boot, and why there is none. */
#include "vm/boot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MIB        (UINT64_C(1) << 20)
#define PUBLISHED  CAPABILITIES_SWIOTLB_PUBLISHED
#define ASKED      CAPABILITIES_SWIOTLB_ASKED
#define LEFT       CAPABILITIES_SWIOTLB_LEFT
#define DEFAULT    CAPABILITIES_SWIOTLB_DEFAULT
#define DYNAMIC    CAPABILITIES_SWIOTLB_DYNAMIC
#define NO_SUCH_VM UINT64_C(0)

static const struct {
    uint64_t features, base, size;
    uint64_t memory; /* as the configuration says */
    uint64_t told;   /* as the guest says */
    const char *token;
    enum boot_pool_trouble trouble;
} rows[] = {
    {PUBLISHED | ASKED, 0x14000000, 64 * MIB, 2048 * MIB, 2000 * MIB, "swiotlb=0x14000000,67108864",
     BOOT_POOL_FINE},
    /* the values alone say that it is published */
    {0, 0x14000000, 64 * MIB, 2048 * MIB, 2000 * MIB, "swiotlb=0x14000000,67108864",
     BOOT_POOL_FINE},
    /* a stock kernel's: that it did not know the parameter is no trouble then */
    {DEFAULT | ASKED | LEFT, 0x1b000000, 64 * MIB, 512 * MIB, 0, "swiotlb=0x1b000000,67108864",
     BOOT_POOL_FINE},
    {DEFAULT, 0x1b000000, 64 * MIB, 512 * MIB, 0, "swiotlb=0x1b000000,67108864", BOOT_POOL_FINE},
    {DEFAULT | DYNAMIC | ASKED | LEFT, 0x1b000000, 64 * MIB, 512 * MIB, 0,
     "swiotlb=0x1b000000,67108864", BOOT_POOL_FINE},
    {DEFAULT | ASKED | LEFT, 0x1b000000, 512 * MIB, 512 * MIB, 0, "", BOOT_POOL_REJECTED},
    /* the bit alone is no pool */
    {DEFAULT | ASKED | LEFT, 0, 0, 512 * MIB, 0, "", BOOT_POOL_OLD_KERNEL},
    {0, 0, 0, 2048 * MIB, 0, "", BOOT_POOL_NOT_ASKED},
    {ASKED | LEFT, 0, 0, 2048 * MIB, 0, "", BOOT_POOL_OLD_KERNEL},
    {ASKED, 0, 0, 2048 * MIB, 0, "", BOOT_POOL_NOT_MADE},
    /* left in the environment without having been asked for makes no sense: not asked */
    {LEFT, 0, 0, 2048 * MIB, 0, "", BOOT_POOL_NOT_ASKED},
    {PUBLISHED | ASKED, 0, 64 * MIB, 2048 * MIB, 0, "", BOOT_POOL_REJECTED},
    {PUBLISHED | ASKED, 0x14000001, 64 * MIB, 2048 * MIB, 0, "", BOOT_POOL_REJECTED},
    {PUBLISHED | ASKED, 0xfffff000, 64 * MIB, 2048 * MIB, 0, "", BOOT_POOL_REJECTED},
    /* the guest's word for its memory counts only where the host knows no better */
    {PUBLISHED | ASKED, 0x14000000, 256 * MIB, 256 * MIB, 4096 * MIB, "", BOOT_POOL_REJECTED},
    {PUBLISHED | ASKED, 0x8000000, 256 * MIB, 512 * MIB, 256 * MIB, "swiotlb=0x8000000,268435456",
     BOOT_POOL_FINE},
    /* so does the end of its memory */
    {PUBLISHED | ASKED, 0x20000000, 64 * MIB, 512 * MIB, 4096 * MIB, "", BOOT_POOL_REJECTED},
    {PUBLISHED | ASKED, 0xfec00000, 4096, NO_SUCH_VM, 4096 * MIB, "", BOOT_POOL_REJECTED},
    {PUBLISHED | ASKED, 0x14000000, 256 * MIB, NO_SUCH_VM, 512 * MIB,
     "swiotlb=0x14000000,268435456", BOOT_POOL_FINE},
    {PUBLISHED | ASKED, 0x14000000, 256 * MIB, NO_SUCH_VM, 0, "", BOOT_POOL_REJECTED},
};

static void the_token_follows_the_report(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct guest_capabilities report = {.features = rows[i].features,
                                                  .swiotlb_base = rows[i].base,
                                                  .swiotlb_size = rows[i].size,
                                                  .memory_bytes = rows[i].told};
        struct boot boot;

        boot_begin(&boot, &report, &(struct config_vm){.memory = rows[i].memory});
        assert_string_equal(boot.token, rows[i].token);
        assert_int_equal(boot_pool_trouble(&boot), rows[i].trouble);
        assert_int_equal(boot_pool_is_dynamic(&boot),
                         (rows[i].features & DYNAMIC) != 0 && rows[i].token[0] != '\0');
        assert_int_equal(boot_may_confine(&boot),
                         (rows[i].features & DYNAMIC) == 0 && rows[i].token[0] != '\0');
    }
}

static void use_of_pools_is_cut_to_what_can_be(void **state)
{
    struct event_pool_usage usage = {.slot_bytes = 2048,
                                     .count = 2,
                                     .pools = {{.total = UINT64_MAX, .used = UINT64_MAX},
                                               {.total = 100, .used = 101, .high_water = 99}}};
    struct event_pool_usage none = {.count = 1, .pools = {{.total = 5, .used = 5}}};

    (void)state;
    boot_bound_usage(512 * MIB, &usage);
    assert_int_equal(usage.pools[0].total, 512 * MIB / 2048);
    assert_int_equal(usage.pools[0].used, 512 * MIB / 2048);
    assert_int_equal(usage.pools[1].total, 100);
    assert_int_equal(usage.pools[1].used, 100);
    assert_int_equal(usage.pools[1].high_water, 99);
    boot_bound_usage(512 * MIB, &none);
    assert_int_equal(none.pools[0].total, 0);
    assert_int_equal(boot_pool_most(NO_SUCH_VM), POOL_LIMIT);
    assert_int_equal(boot_pool_most(8192 * MIB), POOL_LIMIT);
}

static void a_boot_begins_with_nothing_of_the_last(void **state)
{
    const struct guest_capabilities report = {
        .boot_id = {0xab, 0xcd}, .started_ns = 5, .sent_ns = 6};
    struct boot boot;

    (void)state;
    memset(&boot, 0xff, sizeof(boot));
    boot_begin(&boot, &report, &(struct config_vm){.memory = 512 * MIB});
    assert_true(boot.known);
    assert_string_equal(boot.id, "abcd0000-0000-0000-0000-000000000000");
    assert_false(boot.ready || boot.farewell || boot.payload_started);
    assert_int_equal(boot.timings.ready_ms, 0);
    assert_int_equal(boot.timings.guest_started_ns, 5);
    assert_int_equal(boot.timings.guest_sent_ns, 6);
}

/* QEMU with root ports is q35, whose memory ends where another VMM's does not. */
static void the_hole_is_where_the_device_hosts_machine_has_it(void **state)
{
    const struct guest_capabilities report = {.features = CAPABILITIES_SWIOTLB_PUBLISHED,
                                              .swiotlb_base = 0xb0000000,
                                              .swiotlb_size = 64 * MIB};
    struct config_vm config = {.memory = 8192 * MIB};
    struct boot boot;

    (void)state;
    config.device_host.type = CONFIG_DEVICE_HOST_COMMAND;
    boot_begin(&boot, &report, &config);
    assert_int_equal(boot.verdict, POOL_USABLE);
    config.device_host.type = CONFIG_DEVICE_HOST_QEMU;
    boot_begin(&boot, &report, &config);
#if defined(__x86_64__) || defined(__i386__)
    assert_int_equal(boot.verdict, POOL_E_NOT_RAM);
    assert_false(boot_has_token(&boot));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_token_follows_the_report),
        cmocka_unit_test(use_of_pools_is_cut_to_what_can_be),
        cmocka_unit_test(a_boot_begins_with_nothing_of_the_last),
        cmocka_unit_test(the_hole_is_where_the_device_hosts_machine_has_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
