/* default_pool: what a whole log says of the kernel's own pool. */
#include "descriptors.h"
#include "init/kernel/default_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BASE UINT64_C(0x1b000000)
#define MIB  (UINT64_C(1) << 20)
#define MAPPED                                                                                     \
    "6,271,639945,-;software IO TLB: mapped [mem 0x000000001b000000-0x000000001f000000] (64MB)\n"
#define LATER                                                                                      \
    "6,400,839945,-;software IO TLB: mapped [mem 0x000000002b000000-0x000000002d000000] (32MB)\n"
#define OLD  "6,400,839945,-;software IO TLB [mem 0x1b000000-0x1effffff] (64MB) mapped at [a-b]\n"
#define TORN "6,300,700000,-;software IO TLB: tearing down default memory pool\n"
#define FORGED                                                                                     \
    "14,500,900000,-;software IO TLB: mapped [mem 0x000000000b000000-0x000000000f000000] (64MB)\n"
#define UNTRUE  "14,500,900000,-;software IO TLB: tearing down default memory pool\n"
#define FIRST   "5,0,0,-;Linux version 6.1.0-56-cloud-amd64\n"
#define ANOTHER "6,12,0,-;x86/PAT: Configuration [0-7]: WB  WC  UC- UC  WB  WP  UC- WT\n"

/* /dev/kmsg as far as its readers see it: a record a read, EAGAIN at its end. */
static struct default_pool read_log(const char *const *records)
{
    struct default_pool pool = {.base = 1};
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    for (; *records; records++)
        assert_true(send(ends[1], *records, strlen(*records), 0) > 0);
    assert_int_equal(default_pool_read(ends[0], &pool), 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return pool;
}

#define LOG(...) read_log((const char *const[]){__VA_ARGS__, NULL})

static void the_kernels_record_is_found(void **state)
{
    struct default_pool pool = LOG(FIRST, ANOTHER, MAPPED, ANOTHER);

    (void)state;
    assert_int_equal(pool.base, BASE);
    assert_int_equal(pool.size, 64 * MIB);
    assert_false(pool.overwritten || pool.torn_down || pool.unreadable);
}

static void a_log_without_it_has_no_pool(void **state)
{
    struct default_pool pool = LOG(FIRST, ANOTHER);

    (void)state;
    assert_int_equal(pool.base, 0);
    assert_int_equal(pool.size, 0);
    assert_false(pool.overwritten || pool.torn_down || pool.unreadable);
}

static void the_last_of_several_counts(void **state)
{
    (void)state;
    assert_int_equal(LOG(FIRST, MAPPED, MAPPED).base, BASE);
    assert_int_equal(LOG(FIRST, MAPPED, LATER).base, 0x2b000000);
    assert_int_equal(LOG(FIRST, MAPPED, LATER).size, 32 * MIB);
    assert_int_equal(LOG(FIRST, TORN, MAPPED).base, BASE);
    assert_false(LOG(FIRST, TORN, MAPPED).torn_down);
    assert_int_equal(LOG(FIRST, OLD, MAPPED).base, BASE);
}

static void a_pool_that_was_given_back_is_none(void **state)
{
    struct default_pool pool = LOG(FIRST, MAPPED, TORN);

    (void)state;
    assert_int_equal(pool.base, 0);
    assert_int_equal(pool.size, 0);
    assert_true(pool.torn_down);
    pool = LOG(FIRST, MAPPED, TORN, LATER);
    assert_int_equal(pool.base, 0x2b000000);
    assert_false(pool.torn_down);
}

static void a_sentence_that_is_not_trusted_takes_back_too(void **state)
{
    struct default_pool pool = LOG(FIRST, MAPPED, OLD);

    (void)state;
    assert_int_equal(pool.base, 0);
    assert_int_equal(pool.size, 0);
    assert_true(pool.unreadable);
}

static void what_a_program_wrote_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(LOG(FIRST, FORGED).base, 0);
    assert_int_equal(LOG(FIRST, MAPPED, FORGED).base, BASE);
    assert_int_equal(LOG(FIRST, MAPPED, UNTRUE).base, BASE);
}

static void a_log_that_lost_its_beginning_is_noticed(void **state)
{
    struct default_pool pool = LOG(ANOTHER, ANOTHER);

    (void)state;
    assert_true(pool.overwritten);
    assert_int_equal(pool.size, 0);
    pool = LOG(ANOTHER, MAPPED);
    assert_true(pool.overwritten);
    assert_int_equal(pool.base, BASE);
    assert_int_equal(pool.size, 64 * MIB);
    pool = LOG(ANOTHER, FORGED);
    assert_true(pool.overwritten);
    assert_int_equal(pool.size, 0);
}

static void what_is_no_record_changes_nothing(void **state)
{
    static const char *const records[] = {"", "6,271,639945,-", "x;software IO TLB: tearing down",
                                          "6,271,639945,-;software", "6,271,639945,-;"};
    struct default_pool pool = {.base = BASE, .size = MIB};

    (void)state;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        default_pool_take(&pool, records[i]);
        assert_int_equal(pool.base, BASE);
        assert_int_equal(pool.size, MIB);
        assert_false(pool.torn_down || pool.unreadable);
    }
}

static void an_error_is_no_pool(void **state)
{
    struct default_pool pool = {.base = 1};

    (void)state;
    assert_int_equal(default_pool_read(-1, &pool), -EBADF);
    assert_int_equal(pool.base, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernels_record_is_found),
        cmocka_unit_test(a_log_without_it_has_no_pool),
        cmocka_unit_test(the_last_of_several_counts),
        cmocka_unit_test(a_pool_that_was_given_back_is_none),
        cmocka_unit_test(a_sentence_that_is_not_trusted_takes_back_too),
        cmocka_unit_test(what_a_program_wrote_changes_nothing),
        cmocka_unit_test(a_log_that_lost_its_beginning_is_noticed),
        cmocka_unit_test(what_is_no_record_changes_nothing),
        cmocka_unit_test(an_error_is_no_pool),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
