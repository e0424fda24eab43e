/* pool: a claim is usable up to each bound and not one step beyond it. */
#include "descriptors.h"
#include "protocol/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define K   UINT64_C(1024)
#define M   (K * K)
#define G   (K * M)
#define BIG (UINT64_C(1) << 63) /* more memory than any rule can mind */

static const struct {
    const char *what;
    uint64_t base, size, memory;
    enum pool_verdict verdict;
    bool published;
} rows[] = {
    {"nothing at all", 0, 0, 4 * G, POOL_E_NOT_PUBLISHED, false},
    {"published by the bit, all 0", 0, 0, 4 * G, POOL_E_ZERO, true},
    {"published by the base alone", 64 * M, 0, 4 * G, POOL_E_ZERO, false},
    {"published by the size alone", 0, 64 * M, 4 * G, POOL_E_ZERO, false},
    {"published by both values, without the bit", 320 * M, 64 * M, 4 * G, POOL_USABLE, false},
    {"size 0", 320 * M, 0, 4 * G, POOL_E_ZERO, true},
    {"base 0", 0, 64 * M, 4 * G, POOL_E_ZERO, true},
    {"lowest base, smallest size", 4096, 4096, 4 * G, POOL_USABLE, true},
    {"base one byte up", 4097, 4096, 4 * G, POOL_E_UNALIGNED, true},
    {"base one byte down", 4095, 4096, 4 * G, POOL_E_UNALIGNED, true},
    {"base on half a page", 4096 + 2048, 4096, 4 * G, POOL_E_UNALIGNED, true},
    {"size one byte up", 4096, 4097, 4 * G, POOL_E_UNALIGNED, true},
    {"size one byte down", 4096, 4095, 4 * G, POOL_E_UNALIGNED, true},
    {"size 1", 4096, 1, 4 * G, POOL_E_UNALIGNED, true},
    {"ends at 2^64 - 4096", 4096, UINT64_MAX - 8191, BIG, POOL_E_BEYOND_4G, true},
    {"ends at 2^64", 4096, UINT64_MAX - 4095, BIG, POOL_E_OVERFLOW, true},
    {"wraps to a small end", UINT64_MAX - 4095, 8192, BIG, POOL_E_OVERFLOW, true},
    {"ends at 4 GiB", 4 * G - 64 * M, 64 * M, 8 * G, POOL_E_NOT_RAM, true},
    {"ends a page over 4 GiB", 4 * G - 64 * M + 4096, 64 * M, 8 * G, POOL_E_BEYOND_4G, true},
    {"begins at 4 GiB", 4 * G, 4096, 8 * G, POOL_E_BEYOND_4G, true},
    {"half of memory", 64 * M, 256 * M, 512 * M, POOL_USABLE, true},
    {"a page over half of memory", 64 * M, 256 * M + 4096, 512 * M, POOL_E_TOO_LARGE, true},
    {"half of an odd memory, rounded down", 64 * M, 8192, 16385, POOL_USABLE, true},
    {"a byte less than twice the size", 64 * M, 8192, 16383, POOL_E_TOO_LARGE, true},
    {"no memory", 64 * M, 4096, 0, POOL_E_TOO_LARGE, true},
    {"all of memory and all at fault but zero", UINT64_MAX, UINT64_MAX, 0, POOL_E_UNALIGNED, true},
};

/* Without what stands in the way of the other rules. */
static const struct {
    const char *what;
    uint64_t base, size, memory;
    bool usable;
    struct pool_ram (*ram)(uint64_t memory_bytes);
} places[] = {
    {"the contract's example", 0x14000000, 64 * M, 512 * M, true, pool_ram_x86},
    {"up to the end of memory", 448 * M, 64 * M, 512 * M, true, pool_ram_x86},
    {"a page beyond it", 448 * M + 4 * K, 64 * M, 512 * M, false, pool_ram_x86},
    {"far beyond it", 2 * G, 64 * M, 512 * M, false, pool_ram_x86},
    {"the end of a memory just below the split", 3 * G, 64 * M, 3 * G + 64 * M, true, pool_ram_x86},
    {"up to 3 GiB", 3 * G - 64 * M, 64 * M, 8 * G, true, pool_ram_x86},
    {"the hole of a big VM", 3 * G, 64 * M, 8 * G, false, pool_ram_x86},
    {"into the hole of a big VM", 3 * G - 4 * K, 8 * K, 4 * G, false, pool_ram_x86},
    {"PCI's configuration", 0xe0000000, 4 * K, 8 * G, false, pool_ram_x86},
    {"the I/O APIC", 0xfec00000, 4 * K, 8 * G, false, pool_ram_x86},
    {"the local APIC", 0xfee00000, 4 * K, 8 * G, false, pool_ram_x86},
    {"the BIOS below 4 GiB", 4 * G - 4 * K, 4 * K, 8 * G, false, pool_ram_x86},
    {"the I/O APIC of a VM whose memory is not known", 0xfec00000, 4 * K, 0, false, pool_ram_x86},
    {"a VM whose memory is not known", 64 * M, 64 * M, 0, true, pool_ram_x86},
    {"up to 640 KiB", 636 * K, 4 * K, 512 * M, true, pool_ram_x86},
    {"a VGA's memory", 0xa0000, 64 * K, 512 * M, false, pool_ram_x86},
    {"the BIOS below 1 MiB", 0xff000, 4 * K, 512 * M, false, pool_ram_x86},
    {"across both", 512 * K, 1 * M, 512 * M, false, pool_ram_x86},
    {"from 1 MiB on", 1 * M, 4 * K, 512 * M, true, pool_ram_x86},
    {"q35's memory below its hole", 2 * G - 64 * M, 64 * M, 8 * G, true, pool_ram_q35},
    {"q35's configuration space", 0xb0000000, 64 * M, 8 * G, false, pool_ram_q35},
    {"into q35's hole", 2 * G - 4 * K, 8 * K, 2816 * M, false, pool_ram_q35},
    {"the end of a q35's memory without one", 2 * G, 64 * M, 2815 * M, true, pool_ram_q35},
    {"q35 of unknown memory", 2 * G, 64 * M, 0, false, pool_ram_q35},
    {"q35's BIOS", 0xff000, 4 * K, 8 * G, false, pool_ram_q35},
    {"the last page of arm64's devices", 1 * G - 4 * K, 4 * K, 512 * M, false, pool_ram_arm64},
    {"the first of its memory", 1 * G, 64 * M, 512 * M, true, pool_ram_arm64},
    {"up to its end", 1 * G + 448 * M, 64 * M, 512 * M, true, pool_ram_arm64},
    {"an arm64 of unknown memory", 4 * G - 64 * M, 64 * M, 0, true, pool_ram_arm64},
    {"beyond it", 1 * G + 512 * M, 4 * K, 512 * M, false, pool_ram_arm64},
    {"up to 4 GiB, of much memory", 4 * G - 64 * M, 64 * M, 8 * G, true, pool_ram_arm64},
};

static void a_pool_is_memory_that_the_vm_has(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const struct pool_ram ram = places[i].ram(places[i].memory);
        enum pool_verdict verdict = pool_judge(true, places[i].base, places[i].size, BIG, &ram);

        if (verdict != (places[i].usable ? POOL_USABLE : POOL_E_NOT_RAM))
            fail_msg("%s: %s", places[i].what, pool_verdict_name(verdict));
    }
}

static void every_rule_holds_on_both_sides_of_its_bound(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct pool_ram ram = pool_ram_x86(0);
        enum pool_verdict verdict =
            pool_judge(rows[i].published, rows[i].base, rows[i].size, rows[i].memory, &ram);

        if (verdict != rows[i].verdict)
            fail_msg("%s: %s instead of %s", rows[i].what, pool_verdict_name(verdict),
                     pool_verdict_name(rows[i].verdict));
    }
}

static void every_verdict_has_words_of_its_own(void **state)
{
    (void)state;
    for (int a = POOL_USABLE; a <= POOL_E_NOT_RAM; a++) {
        assert_string_not_equal(pool_verdict_name((enum pool_verdict)a), "unknown");
        assert_string_not_equal(pool_verdict_text((enum pool_verdict)a), "unknown");
        for (int b = POOL_USABLE; b < a; b++) {
            assert_string_not_equal(pool_verdict_name((enum pool_verdict)a),
                                    pool_verdict_name((enum pool_verdict)b));
            assert_string_not_equal(pool_verdict_text((enum pool_verdict)a),
                                    pool_verdict_text((enum pool_verdict)b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_holds_on_both_sides_of_its_bound),
        cmocka_unit_test(a_pool_is_memory_that_the_vm_has),
        cmocka_unit_test(every_verdict_has_words_of_its_own),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
