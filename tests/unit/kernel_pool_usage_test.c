/* pool_usage: statistics of pools as debugfs has them. */
#include "descriptors.h"
#include "init/kernel/pool_usage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char base[] = "/tmp/guestlink-pool-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", base, name);
    if (!text) {
        assert_int_equal(mkdir(path, 0700), 0);
        return;
    }
    file = fopen(path, "we");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void every_pool_is_read(void **state)
{
    struct pool_usage usage;
    static const char *const made[] = {"restricted/io_tlb_used_hiwater",
                                       "restricted/io_tlb_used",
                                       "restricted/io_tlb_nslabs",
                                       "restricted",
                                       "other",
                                       "io_tlb_used",
                                       "io_tlb_nslabs",
                                       ""};

    (void)state;
    assert_non_null(mkdtemp(base));
    assert_int_equal(pool_usage_read(base, &usage), -ENOENT);
    put("io_tlb_nslabs", "512\n");
    put("io_tlb_used", "239\n");
    put("restricted", NULL);
    put("restricted/io_tlb_nslabs", "1024\n");
    put("restricted/io_tlb_used", "1\n");
    put("restricted/io_tlb_used_hiwater", "7\n");
    put("other", NULL); /* no pool */
    assert_int_equal(pool_usage_read(base, &usage), 0);
    assert_int_equal(usage.event.count, 2);
    assert_int_equal(usage.event.slot_bytes, 2048);
    assert_int_equal(usage.event.pools[0].total, 512);
    assert_int_equal(usage.event.pools[0].used, 239);
    assert_int_equal(usage.event.pools[0].high_water, 0);
    assert_string_equal(usage.names[1], "restricted");
    assert_int_equal(usage.event.pools[1].total, 1024);
    assert_int_equal(usage.event.pools[1].high_water, 7);
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%s/%s", base, made[i]);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(pool_usage_read(base, &usage), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pool_is_read),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
