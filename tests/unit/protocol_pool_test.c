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
    bool published;
    uint64_t base, size, memory;
    enum pool_verdict verdict;
} rows[] = {
    {"nothing at all", false, 0, 0, 4 * G, POOL_E_NOT_PUBLISHED},
    {"published by the bit, all 0", true, 0, 0, 4 * G, POOL_E_ZERO},
    {"published by the base alone", false, 64 * M, 0, 4 * G, POOL_E_ZERO},
    {"published by the size alone", false, 0, 64 * M, 4 * G, POOL_E_ZERO},
    {"published by both values, without the bit", false, 320 * M, 64 * M, 4 * G, POOL_USABLE},
    {"size 0", true, 320 * M, 0, 4 * G, POOL_E_ZERO},
    {"base 0", true, 0, 64 * M, 4 * G, POOL_E_ZERO},
    {"lowest base, smallest size", true, 4096, 4096, 4 * G, POOL_USABLE},
    {"base one byte up", true, 4097, 4096, 4 * G, POOL_E_UNALIGNED},
    {"base one byte down", true, 4095, 4096, 4 * G, POOL_E_UNALIGNED},
    {"base on half a page", true, 4096 + 2048, 4096, 4 * G, POOL_E_UNALIGNED},
    {"size one byte up", true, 4096, 4097, 4 * G, POOL_E_UNALIGNED},
    {"size one byte down", true, 4096, 4095, 4 * G, POOL_E_UNALIGNED},
    {"size 1", true, 4096, 1, 4 * G, POOL_E_UNALIGNED},
    {"ends at 2^64 - 4096", true, 4096, UINT64_MAX - 8191, BIG, POOL_E_BEYOND_4G},
    {"ends at 2^64", true, 4096, UINT64_MAX - 4095, BIG, POOL_E_OVERFLOW},
    {"wraps to a small end", true, UINT64_MAX - 4095, 8192, BIG, POOL_E_OVERFLOW},
    {"ends at 4 GiB", true, 4 * G - 64 * M, 64 * M, 8 * G, POOL_USABLE},
    {"ends a page over 4 GiB", true, 4 * G - 64 * M + 4096, 64 * M, 8 * G, POOL_E_BEYOND_4G},
    {"begins at 4 GiB", true, 4 * G, 4096, 8 * G, POOL_E_BEYOND_4G},
    {"half of memory", true, 64 * M, 256 * M, 512 * M, POOL_USABLE},
    {"a page over half of memory", true, 64 * M, 256 * M + 4096, 512 * M, POOL_E_TOO_LARGE},
    {"half of an odd memory, rounded down", true, 64 * M, 8192, 16385, POOL_USABLE},
    {"a byte less than twice the size", true, 64 * M, 8192, 16383, POOL_E_TOO_LARGE},
    {"no memory", true, 64 * M, 4096, 0, POOL_E_TOO_LARGE},
    {"all of memory and all at fault but zero", true, UINT64_MAX, UINT64_MAX, 0, POOL_E_UNALIGNED},
};

static void every_rule_holds_on_both_sides_of_its_bound(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum pool_verdict verdict =
            pool_judge(rows[i].published, rows[i].base, rows[i].size, rows[i].memory);

        if (verdict != rows[i].verdict)
            fail_msg("%s: %s instead of %s", rows[i].what, pool_verdict_name(verdict),
                     pool_verdict_name(rows[i].verdict));
    }
}

static void every_verdict_has_words_of_its_own(void **state)
{
    (void)state;
    for (int a = POOL_USABLE; a <= POOL_E_TOO_LARGE; a++) {
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
        cmocka_unit_test(every_verdict_has_words_of_its_own),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
