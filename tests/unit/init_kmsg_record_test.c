/* kmsg_record: records of the kernel's log, and those that say that a pool is full. */
#include "descriptors.h"
#include "init/kmsg_record.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void a_record_is_read(void **state)
{
    struct kmsg_record record;

    (void)state;
    assert_int_equal(kmsg_record_parse("4,339,5140900,-;hello; world\n KEY=x\n", &record), 0);
    assert_true(record.by_kernel);
    assert_int_equal(record.level, 4);
    assert_true(record.time_us == 5140900);
    assert_int_equal(strncmp(record.text, "hello; world\n", 13), 0);
    assert_int_equal(kmsg_record_parse("30,1,2,-,caller=T1;x", &record), 0);
    assert_false(record.by_kernel); /* facility 3: a program */
    assert_int_equal(record.level, 6);
}

static void anything_else_is_no_record(void **state)
{
    static const char *const bad[] = {
        "",          ";",       "4",         "4,",         "4,1",
        "4,1,2",     "4,1,2,-", "a,1,2,-;x", "-4,1,2,-;x", "99999999999999999999999,1,2,-;x",
        " 4,1,2,-;x"};
    struct kmsg_record record;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (kmsg_record_parse(bad[i], &record) != -EINVAL)
            fail_msg("\"%s\"", bad[i]);
}

static void a_full_pool_is_recognised_and_counted(void **state)
{
    struct kmsg_pool_full full;

    (void)state;
    assert_true(kmsg_record_pool_full("virtio-pci 0000:00:05.0: swiotlb buffer is full (sz: 1536 "
                                      "bytes), total 512 (slots), used 500 (slots)\n",
                                      &full));
    assert_true(full.count == 1 && full.bytes == 1536 && full.total == 512 && full.used == 500);
    assert_true(
        kmsg_record_pool_full("swiotlb_tbl_map_single: 1989937 callbacks suppressed\n", &full));
    assert_true(full.count == 1989937 && full.total == 0);
    assert_true(kmsg_record_pool_full("x: swiotlb buffer is full", &full)); /* older kernels */
    assert_true(full.count == 1 && full.total == 0);
}

static void other_lines_say_nothing_of_pools(void **state)
{
    static const char *const other[] = {"", "software IO TLB: mapped [mem 0x1-0x2] (64MB)",
                                        "net_ratelimit: 5 callbacks suppressed",
                                        "swiotlb_x: no callbacks"};
    struct kmsg_pool_full full;

    (void)state;
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        assert_false(kmsg_record_pool_full(other[i], &full));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read),
        cmocka_unit_test(anything_else_is_no_record),
        cmocka_unit_test(a_full_pool_is_recognised_and_counted),
        cmocka_unit_test(other_lines_say_nothing_of_pools),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
