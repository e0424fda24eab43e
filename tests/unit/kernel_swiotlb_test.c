/* swiotlb: the text of the pool's files in sysfs. */
#include "descriptors.h"
#include "init/kernel/swiotlb.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void what_a_kernel_writes_is_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } sound[] = {
        {"0x14000000\n", 0x14000000},
        {"67108864\n", 67108864},
        {"0\n", 0},
        {"010", 8},
        {"0xffffffffffffffff\n", UINT64_MAX},
        {"18446744073709551615", UINT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++) {
        uint64_t value = 1;

        assert_int_equal(swiotlb_parse(sound[i].text, &value), 0);
        assert_int_equal(value, sound[i].value);
    }
}

static void anything_else_is_refused(void **state)
{
    static const struct {
        const char *text;
        int error;
    } bad[] = {
        {"", -EINVAL},
        {"\n", -EINVAL},
        {"x", -EINVAL},
        {"-1\n", -EINVAL},
        {" 1\n", -EINVAL},
        {"+1", -EINVAL},
        {"1 \n", -EINVAL},
        {"1\n\n", -EINVAL},
        {"1M\n", -EINVAL},
        {"0x1 2", -EINVAL},
        {"0x10000000000000000\n", -ERANGE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t value = 1;

        if (swiotlb_parse(bad[i].text, &value) != bad[i].error)
            fail_msg("\"%s\"", bad[i].text);
        assert_int_equal(value, 1);
    }
}

static void a_machine_without_the_files_has_no_pool(void **state)
{
    uint64_t base = 1, size = 1;

    (void)state;
    if (swiotlb_read(&base, &size) == 0) {
        assert_int_equal(base, 0);
        assert_int_equal(size, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_kernel_writes_is_read),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_machine_without_the_files_has_no_pool),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
