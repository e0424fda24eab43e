/* kmsg_record: records of the kernel's log, and those that say that a pool is full. */
#include "descriptors.h"
#include "init/kernel/kmsg_record.h"

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
    assert_int_equal(record.sequence, 339);
    assert_int_equal(record.time_us, 5140900);
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

#define FULL     "virtio-pci 0000:00:05.0: swiotlb buffer is full"
#define SIZE     " (sz: 1536 bytes)"
#define SLOTS    ", total 512 (slots), used 500 (slots)"
#define DEVICE   "\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:05.0\n"
#define FORGED   "a: swiotlb buffer is full" SIZE SLOTS
#define SEGFAULT "a[77]: segfault at 0 ip 0000000000401000 sp 00007ffe0b0d7b10 error 6 in "

static bool says_full(const char *text, struct kmsg_pool_full *ret)
{
    return kmsg_record_pool_full(&(struct kmsg_record){.by_kernel = true, .text = text}, ret);
}

static void a_full_pool_is_recognised_and_counted(void **state)
{
    struct kmsg_pool_full full;

    (void)state;
    assert_true(says_full(FULL SIZE SLOTS DEVICE, &full));
    assert_int_equal(full.count, 1);
    assert_int_equal(full.bytes, 1536);
    assert_int_equal(full.total, 512);
    assert_int_equal(full.used, 500);
    assert_true(says_full("swiotlb_tbl_map_single: 1989937 callbacks suppressed\n", &full));
    assert_int_equal(full.count, 1989937);
    assert_int_equal(full.total, 0);
    /* older kernels */
    assert_true(says_full(FULL SIZE DEVICE, &full));
    assert_int_equal(full.count, 1);
    assert_int_equal(full.bytes, 1536);
    assert_int_equal(full.total, 0);
    assert_true(says_full(FULL DEVICE, &full));
    assert_int_equal(full.count, 1);
    assert_int_equal(full.bytes, 0);
    assert_int_equal(full.total, 0);
}

/* The kernel has 47 bytes for it. */
static void a_long_name_is_cut_in_the_dictionary(void **state)
{
    struct kmsg_pool_full full;

    (void)state;
    assert_true(says_full("a platform-device-with-a-name-that-is-much-too-long: "
                          "swiotlb buffer is full\n SUBSYSTEM=platform\n"
                          " DEVICE=+platform:platform-device-with-a-name-that-is-m\n",
                          &full));
    assert_false(says_full("a platform-device: swiotlb buffer is full\n SUBSYSTEM=platform\n"
                           " DEVICE=+platform:platform-dev\n",
                           &full));
}

static void other_lines_say_nothing_of_pools(void **state)
{
    static const char *const other[] = {
        "",
        "software IO TLB: mapped [mem 0x1-0x2] (64MB)",
        "net_ratelimit: 5 callbacks suppressed",
        "swiotlb_x: no callbacks",
        /* no device, another one, another one's */
        FULL SIZE SLOTS "\n",
        FULL SIZE SLOTS "\n SUBSYSTEM=pci\n",
        FULL SIZE SLOTS "\n DEVICE=+pci:0000:00:05.0\n",
        FULL SIZE SLOTS "\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:06.0\n",
        FULL SIZE SLOTS "\n SUBSYSTEM=pci\n DEVICE=+usb:0000:00:05.0\n",
        FULL SIZE SLOTS "\n SUBSYSTEM=pci\n DEVICE=+pci:\n",
        FULL SIZE SLOTS "\n SUBSYSTEM=block\n DEVICE=b254:0\n",
        FULL SIZE SLOTS "\n SUBSYSTEM=\n DEVICE=\n",
        ": swiotlb buffer is full" DEVICE,
        "0000:00:05.0: swiotlb buffer is full" DEVICE,
        /* that device's, in which another's words say it */
        "virtio-pci 0000:00:05.0: product: " FULL SIZE SLOTS DEVICE,
        /* a name of a program, and of its file */
        SEGFAULT FORGED "[401000+1000]\n",
        SEGFAULT FULL SIZE SLOTS "\n",
        SEGFAULT FULL SIZE SLOTS "[401000+1000]" DEVICE,
        SEGFAULT "swiotlb_tbl_map_single: 5 callbacks suppressed\n",
        "swiotlb_tbl_map[77]: segfault at 0 ip 0\n",
        "swiotlb_tbl_map: 5 callbacks suppressed\n",
        "swiotlb_tbl_map_single: 5 callbacks suppressed too\n",
        "swiotlb_tbl_map_single: 0 callbacks suppressed\n",
        "swiotlb_tbl_map_single: -5 callbacks suppressed\n",
        "swiotlb_tbl_map_single: 99999999999999999999 callbacks suppressed\n",
        /* not to its end, or beyond */
        FULL SIZE SLOTS "!" DEVICE,
        FULL SIZE ", total 512 (slots)" DEVICE,
        FULL " (sz: -1 bytes)" DEVICE,
        FULL " (sz: 99999999999999999999 bytes)" DEVICE,
        FULL "\\x0a SUBSYSTEM=pci\\x0a DEVICE=+pci:0000:00:05.0\n",
    };
    struct kmsg_pool_full full;

    (void)state;
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        if (says_full(other[i], &full))
            fail_msg("\"%s\"", other[i]);
}

static void programs_say_nothing_of_pools(void **state)
{
    struct kmsg_record record;
    struct kmsg_pool_full full;

    (void)state;
    assert_int_equal(kmsg_record_parse("4,1,2,-;" FULL SIZE SLOTS DEVICE, &record), 0);
    assert_true(kmsg_record_pool_full(&record, &full));
    assert_int_equal(kmsg_record_parse("12,1,2,-;" FULL SIZE SLOTS DEVICE, &record), 0);
    assert_false(kmsg_record_pool_full(&record, &full));
}

#define IO_TLB "software IO TLB"
#define MAPPED IO_TLB ": mapped [mem 0x000000001b000000-0x000000001f000000] (64MB)"

static enum kmsg_default_pool says_where(const char *text, uint64_t *base, uint64_t *size)
{
    return kmsg_record_default_pool(&(struct kmsg_record){.by_kernel = true, .text = text}, base,
                                    size);
}

static void the_default_pool_is_read_as_each_kernel_writes_it(void **state)
{
    static const struct {
        const char *text;
        uint64_t base, size;
    } rows[] = {
        {MAPPED "\n", 0x1b000000, 64 << 20},
        {MAPPED, 0x1b000000, 64 << 20},
        /* before 5.10, and where addresses have 32 bits */
        {IO_TLB ": mapped [mem 0x1b000000-0x1f000000] (64MB)\n", 0x1b000000, 64 << 20},
        {IO_TLB ": mapped [mem 0x13fe00000-0x143e00000] (64MB)\n", 0x13fe00000, 64 << 20},
        /* the kernel rounds MiB down */
        {IO_TLB ": mapped [mem 0x000000001b000000-0x000000001b080000] (0MB)\n", 0x1b000000,
         512 << 10},
        {IO_TLB ": mapped [mem 0x000000001b000000-0x000000001f040000] (64MB)\n", 0x1b000000,
         (64 << 20) + (256 << 10)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t base = 0, size = 0;

        if (says_where(rows[i].text, &base, &size) != KMSG_DEFAULT_POOL_MAPPED ||
            base != rows[i].base || size != rows[i].size)
            fail_msg("\"%s\"", rows[i].text);
    }
}

static void a_pool_that_does_not_add_up_is_not_read(void **state)
{
    static const char *const bad[] = {
        /* the last byte instead of the end, as in old kernels */
        IO_TLB ": mapped [mem 0x1b000000-0x1effffff] (64MB)",
        IO_TLB " [mem 0x1b000000-0x1effffff] (64MB) mapped at [ffff88801b000000-ffff88801effffff]",
        IO_TLB ": mapped [mem 0x000000001b000000-0x000000001f000000] (65MB)",
        IO_TLB ": mapped [mem 0x000000001b000000-0x000000001f001000] (64MB)",
        IO_TLB ": mapped [mem 0x000000001f000000-0x000000001b000000] (64MB)",
        IO_TLB ": mapped [mem 0x000000001b000000-0x000000001b000000] (0MB)",
        IO_TLB ": mapped [mem 0x00000000001b000000-0x000000001f000000] (64MB)",
        IO_TLB ": mapped [mem 0x1b0000-0x41b0000] (64MB)",
        IO_TLB ": mapped [mem 0x000000001B000000-0x000000001F000000] (64MB)",
        IO_TLB ": mapped [mem (____ptrval____)-(____ptrval____)] (64MB)",
        IO_TLB ": mapped [mem 1b000000-1f000000] (64MB)",
        IO_TLB ": mapped [mem 0x000000001b000000-0x000000001f000000] (-64MB)",
        IO_TLB ": mapped [mem 0x000000001b000000-0x000000001f000000] (99999999999999999999MB)",
        IO_TLB ": mapped [mem 0x000000001b000000-0x000000001f000000]",
        IO_TLB ": mapped ",
        MAPPED "!",
        MAPPED " too",
        MAPPED "\\x0a",
        /* a device's */
        MAPPED "\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:05.0\n",
    };
    uint64_t base = 42, size = 42;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (says_where(bad[i], &base, &size) != KMSG_DEFAULT_POOL_UNREADABLE)
            fail_msg("\"%s\"", bad[i]);
    assert_int_equal(base, 42);
    assert_int_equal(size, 42);
}

static void other_lines_say_nothing_of_the_default_pool(void **state)
{
    static const char *const other[] = {
        "",
        "x" MAPPED,
        IO_TLB ": area num 4.",
        IO_TLB ": Cannot allocate buffer",
        IO_TLB ": tearing down default memory pool too",
        /* whoever may name a program, of 15 bytes, and its file */
        IO_TLB "[77]: segfault at 0 ip 0000000000401000 sp 0 error 6 in a[401000+1000]",
        IO_TLB "[77]: segfault at 0 ip 0000000000401000 sp 0 error 6 in " MAPPED,
        SEGFAULT MAPPED "[401000+1000]",
        SEGFAULT "\\x0a" MAPPED,
        "a[77]: segfault at 0 in a\n" MAPPED,
    };
    struct kmsg_record record;
    uint64_t base, size;

    (void)state;
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        if (says_where(other[i], &base, &size) != KMSG_DEFAULT_POOL_NOTHING)
            fail_msg("\"%s\"", other[i]);
    assert_int_equal(says_where(IO_TLB ": tearing down default memory pool\n", &base, &size),
                     KMSG_DEFAULT_POOL_GONE);
    /* the same words of a program: facility 1 and up */
    assert_int_equal(kmsg_record_parse("6,1,2,-;" MAPPED, &record), 0);
    assert_int_equal(kmsg_record_default_pool(&record, &base, &size), KMSG_DEFAULT_POOL_MAPPED);
    assert_int_equal(kmsg_record_parse("14,1,2,-;" MAPPED, &record), 0);
    assert_int_equal(kmsg_record_default_pool(&record, &base, &size), KMSG_DEFAULT_POOL_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read),
        cmocka_unit_test(anything_else_is_no_record),
        cmocka_unit_test(a_full_pool_is_recognised_and_counted),
        cmocka_unit_test(a_long_name_is_cut_in_the_dictionary),
        cmocka_unit_test(other_lines_say_nothing_of_pools),
        cmocka_unit_test(programs_say_nothing_of_pools),
        cmocka_unit_test(the_default_pool_is_read_as_each_kernel_writes_it),
        cmocka_unit_test(a_pool_that_does_not_add_up_is_not_read),
        cmocka_unit_test(other_lines_say_nothing_of_the_default_pool),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
