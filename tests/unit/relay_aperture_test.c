/* relay: what of a guest's memory a process gets, whatever QEMU says of the memory and wherever the
 * guest puts its rings. */
#include "descriptors.h"
#include "hostd/relay/aperture.h"
#include "hostd/relay/confine.h"
#include "hostd/relay/memory_table.h"
#include "hostd/relay/rings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE UINT64_C(4096)
#define MB   UINT64_C(1048576)

/* Two regions of one file: below a hole, and above it, farther apart in QEMU's addresses than in
 * the guest's. A third is right behind the first one there, and somewhere else in QEMU. */
#define LOW_USER    UINT64_C(0x7f0000000000)
#define SECOND_USER UINT64_C(0x7f2000000000)
#define HIGH_USER   UINT64_C(0x7f1000000000)
#define HIGH        (64 * MB)
static const struct vhost_user_region memory[] = {
    {0, 16 * MB, LOW_USER, 0},
    {HIGH, 16 * MB, HIGH_USER, 32 * MB},
    {16 * MB, 4 * MB, SECOND_USER, 16 * MB},
};

#define POOL      (4 * MB)
#define POOL_SIZE (2 * MB)

static struct vhost_user_message table_of(const struct vhost_user_region *regions, uint32_t count,
                                          int fd)
{
    struct vhost_user_message message = {.request = VHOST_USER_SET_MEM_TABLE,
                                         .flags = 1,
                                         .size = (uint32_t)(8 + count * sizeof(regions[0])),
                                         .fd_count = count};

    memcpy(message.payload, &count, sizeof(count));
    memcpy(message.payload + 8, regions, count * sizeof(regions[0]));
    for (size_t i = 0; i < count; i++)
        message.fds[i] = fd;
    return message;
}

static void table_with_anything_wrong_is_none(void **state)
{
    static const struct vhost_user_region cases[][2] = {
        {{0, 0, LOW_USER, 0}, {MB, MB, HIGH_USER, 0}},                 /* no size */
        {{0, MB + 1, LOW_USER, 0}, {4 * MB, MB, HIGH_USER, 0}},        /* no whole pages */
        {{1, MB, LOW_USER, 0}, {4 * MB, MB, HIGH_USER, 0}},            /* not at a page */
        {{0, MB, LOW_USER + 512, 0}, {4 * MB, MB, HIGH_USER, 0}},      /* nor in QEMU */
        {{0, MB, LOW_USER, 2048}, {4 * MB, MB, HIGH_USER, 0}},         /* nor in the file */
        {{0, 2 * MB, LOW_USER, 0}, {MB, MB, HIGH_USER, 0}},            /* one in the other */
        {{MB, MB, LOW_USER, 0}, {0, MB + PAGE, HIGH_USER, 0}},         /* they overlap */
        {{0, MB, LOW_USER, 0}, {4 * MB, MB, LOW_USER + MB - PAGE, 0}}, /* in QEMU */
        {{0, MB, LOW_USER, 0}, {UINT64_MAX - PAGE + 1, 2 * PAGE, HIGH_USER, 0}}, /* past the end */
        {{0, MB, LOW_USER, 0}, {UINT64_MAX - PAGE + 1, PAGE, HIGH_USER, 0}},     /* up to it */
        {{0, MB, LOW_USER, 0}, {4 * MB, MB, UINT64_MAX - PAGE + 1, 0}},
        {{0, MB, LOW_USER, 0}, {4 * MB, MB, HIGH_USER, UINT64_MAX - PAGE + 1}},
        {{0, MB, LOW_USER, 0}, {4 * MB, MB, HIGH_USER, INT64_MAX - PAGE + 1}},
        {{0, MB, LOW_USER, 0}, {4 * MB, UINT64_MAX - PAGE + 1, HIGH_USER, 0}},
        {{0, UINT64_C(1) << 63, LOW_USER, 0}, {UINT64_C(1) << 63, UINT64_C(1) << 63, 0, 0}},
    };
    int fd = memfd_create("memory", MFD_CLOEXEC);
    struct memory_table table = {.count = 77};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct vhost_user_message message = table_of(cases[i], 2, fd);

        if (memory_table_unpack(&message, &table) != -EPROTO)
            fail_msg("case %zu was taken", i);
    }
    assert_int_equal(table.count, 77);
    (void)close(fd);
}

static void table_of_another_size_than_it_says_is_none(void **state)
{
    int fd = memfd_create("memory", MFD_CLOEXEC);
    const struct vhost_user_message good = table_of(memory, 3, fd);
    struct vhost_user_message message;
    struct memory_table table;

    (void)state;
    assert_int_equal(memory_table_unpack(&good, &table), 0);
    assert_int_equal(table.count, 3);
    for (uint32_t size = 0; size < good.size + 64; size++) {
        message = good;
        message.size = size;
        assert_int_equal(memory_table_unpack(&message, &table), size == good.size ? 0 : -EPROTO);
    }
    for (size_t count = 0; count <= VHOST_USER_FDS_MAX; count++) {
        message = good;
        message.fd_count = count;
        assert_int_equal(memory_table_unpack(&message, &table), count == 3 ? 0 : -EPROTO);
    }
    message = good;
    message.payload[0] = 2;
    assert_int_equal(memory_table_unpack(&message, &table), -EPROTO);
    message = good;
    message.fds[2] = -1;
    assert_int_equal(memory_table_unpack(&message, &table), -EPROTO);
    (void)close(fd);
}

/* ---- what a process gets */

/* A session with QEMU's memory, and a ring after the other. */
struct play {
    struct session session;
    struct aperture aperture;
    int fd;
};

static void note(struct play *play, uint32_t request, const void *payload, size_t size)
{
    struct vhost_user_message message = {.request = request, .flags = 1, .size = (uint32_t)size};

    memcpy(message.payload, payload, size);
    assert_in_range(session_note(&play->session, &message), 0, 1);
}

static void note_memory(struct play *play, const struct vhost_user_region *regions, uint32_t count)
{
    const struct vhost_user_message message = table_of(regions, count, play->fd);

    assert_int_equal(session_note(&play->session, &message), 1);
}

static void note_ring(struct play *play, uint32_t index, uint32_t entries, uint64_t descriptors,
                      uint64_t available, uint64_t used)
{
    const uint32_t number[2] = {index, entries};
    const struct vhost_user_vring_address address = {
        .index = index, .descriptors = descriptors, .available = available, .used = used};

    note(play, VHOST_USER_SET_VRING_NUM, number, sizeof(number));
    note(play, VHOST_USER_SET_VRING_ADDR, &address, sizeof(address));
}

static struct play begin(void)
{
    struct play play = {.fd = memfd_create("memory", MFD_CLOEXEC),
                        .aperture = {.base = POOL,
                                     .size = POOL_SIZE,
                                     .piece = POOL_SIZE,
                                     .device = -1,
                                     .obstacle = "it is a test",
                                     .status_file = ""}};

    note_memory(&play, memory, 3);
    return play;
}

static void end(struct play *play)
{
    session_clear(&play->session);
    (void)close(play->fd);
}

/* @param count  of the regions that follow; 0: an error is expected */
static void need_table(struct play *play, bool stopped, size_t count,
                       const struct vhost_user_region *wanted)
{
    struct memory_table table = {.count = 0};
    const char *reason = "";
    int r = aperture_find(&play->aperture, &play->session, stopped, &table, &reason);

    if (count == 0) {
        assert_true(r < 0 && reason[0]);
        return;
    }
    if (r < 0)
        fail_msg("%s", reason);
    assert_string_equal(reason, "");
    assert_int_equal(table.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(table.regions[i].guest_address, wanted[i].guest_address);
        assert_int_equal(table.regions[i].user_address, wanted[i].guest_address);
        assert_int_equal(table.regions[i].size, wanted[i].size);
        assert_int_equal(table.regions[i].file_offset, wanted[i].file_offset);
    }
}

/* Why there can be no device. */
static void need_reason(struct play *play, const char *words)
{
    struct memory_table table = {.count = 0};
    const char *reason = "";

    assert_true(aperture_find(&play->aperture, &play->session, false, &table, &reason) < 0);
    if (!strstr(reason, words))
        fail_msg("\"%s\", expected \"%s\"", reason, words);
}

#define POOL_REGION                                                                                \
    {                                                                                              \
        POOL, POOL_SIZE, 0, POOL                                                                   \
    }

/* 128 entries: descriptors 2048, available 262, used 1030 bytes. */
static void rings_are_pages_beside_the_pool_in_order(void **state)
{
    struct play play = begin();

    (void)state;
    need_table(&play, false, 1, &(struct vhost_user_region)POOL_REGION);
    note_ring(&play, 1, 128, HIGH_USER + 16, HIGH_USER + 2064, HIGH_USER + PAGE);
    note_ring(&play, 0, 128, LOW_USER + 8 * MB, LOW_USER + PAGE, LOW_USER + PAGE + 300);
    need_table(&play, false, 4,
               (const struct vhost_user_region[]){{PAGE, PAGE, 0, PAGE},
                                                  POOL_REGION,
                                                  {8 * MB, PAGE, 0, 8 * MB},
                                                  {HIGH, 2 * PAGE, 0, 32 * MB}});
    end(&play);
}

static void ring_in_the_pool_adds_nothing(void **state)
{
    struct play play = begin();

    (void)state;
    note_ring(&play, 0, 128, LOW_USER + POOL, LOW_USER + POOL + 4096,
              LOW_USER + POOL + POOL_SIZE - 1030);
    need_table(&play, false, 1, &(struct vhost_user_region)POOL_REGION);
    /* Right before and behind it: regions of their own. */
    note_ring(&play, 1, 128, LOW_USER + POOL - 2048, LOW_USER + POOL + POOL_SIZE,
              LOW_USER + POOL + POOL_SIZE + 512);
    need_table(&play, false, 3,
               (const struct vhost_user_region[]){{POOL - PAGE, PAGE, 0, POOL - PAGE},
                                                  POOL_REGION,
                                                  {POOL + POOL_SIZE, PAGE, 0, POOL + POOL_SIZE}});
    end(&play);
}

static void ring_that_lies_wrong_is_the_guests_fault(void **state)
{
    static const uint64_t places[] = {
        0,
        1,
        POOL, /* as if QEMU's addresses were the guest's */
        UINT64_MAX,
        UINT64_MAX - 2047,
        LOW_USER - 16,             /* begins before a region */
        LOW_USER + 16 * MB,        /* in a hole of QEMU's */
        LOW_USER + 16 * MB - 2032, /* over the edge: the next one is not next in QEMU */
        LOW_USER + 16 * MB - 16,
        HIGH_USER + 16 * MB - 16, /* over the end of memory */
        SECOND_USER + 4 * MB - 2032,
        LOW_USER + POOL - 16, /* over the pool's edge */
        LOW_USER + POOL - 2032,
        LOW_USER + POOL + POOL_SIZE - 16,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct play play = begin();

        note_ring(&play, 0, 128, places[i], LOW_USER, LOW_USER + 512);
        need_table(&play, false, 0, NULL);
        need_reason(&play, "placed a ring where its device must not reach");
        end(&play);
        if (i < 4) /* the others are shorter: some are in order then */
            continue;
        play = begin();
        note_ring(&play, 0, 2048, LOW_USER, places[i], LOW_USER + 2 * MB);
        need_table(&play, false, 0, NULL);
        end(&play);
    }
}

static void largest_ring_reaches_its_own_pages_only(void **state)
{
    struct play play = begin();

    (void)state;
    note_ring(&play, 0, RING_ENTRIES_MAX, HIGH_USER, HIGH_USER + MB, HIGH_USER + 2 * MB);
    need_table(&play, false, 4,
               (const struct vhost_user_region[]){
                   POOL_REGION,
                   {HIGH, MB / 2, 0, 32 * MB},
                   {HIGH + MB, 17 * PAGE, 0, 33 * MB},
                   {HIGH + 2 * MB, 65 * PAGE, 0, 34 * MB},
               });
    note_ring(&play, 0, RING_ENTRIES_MAX + 1, HIGH_USER, HIGH_USER + MB, HIGH_USER + 2 * MB);
    need_table(&play, false, 0, NULL);
    note_ring(&play, 0, 0, HIGH_USER, HIGH_USER + MB, HIGH_USER + 2 * MB);
    need_table(&play, false, 0, NULL);
    end(&play);
}

static void rings_that_overlap_or_touch_are_one_region(void **state)
{
    struct play play = begin();

    (void)state;
    note_ring(&play, 0, 256, HIGH_USER, HIGH_USER + 2 * PAGE, HIGH_USER + PAGE);
    note_ring(&play, 1, 256, HIGH_USER + PAGE, HIGH_USER + 3 * PAGE, HIGH_USER + 4 * PAGE);
    need_table(&play, false, 2,
               (const struct vhost_user_region[]){POOL_REGION, {HIGH, 5 * PAGE, 0, 32 * MB}});
    /* What touches in the guest and not in the file is two. */
    note_ring(&play, 0, 128, LOW_USER + 16 * MB - PAGE, LOW_USER + 16 * MB - 2048, SECOND_USER);
    need_table(
        &play, false, 5,
        (const struct vhost_user_region[]){POOL_REGION,
                                           {16 * MB - PAGE, PAGE, 0, 16 * MB - PAGE},
                                           {16 * MB, PAGE, 0, 16 * MB},
                                           {HIGH + PAGE, PAGE, 0, 32 * MB + PAGE},
                                           {HIGH + 3 * PAGE, 2 * PAGE, 0, 32 * MB + 3 * PAGE}});
    end(&play);
}

static void more_parts_than_vhost_user_carries_are_refused(void **state)
{
    struct play play = begin();

    (void)state;
    for (uint64_t i = 0; i < 7; i++)
        note_ring(&play, (uint32_t)i, 16, HIGH_USER + 2 * i * PAGE, HIGH_USER + 2 * i * PAGE + 512,
                  HIGH_USER + 2 * i * PAGE + 1024);
    need_table(
        &play, false, 8,
        (const struct vhost_user_region[]){POOL_REGION,
                                           {HIGH, PAGE, 0, 32 * MB},
                                           {HIGH + 2 * PAGE, PAGE, 0, 32 * MB + 2 * PAGE},
                                           {HIGH + 4 * PAGE, PAGE, 0, 32 * MB + 4 * PAGE},
                                           {HIGH + 6 * PAGE, PAGE, 0, 32 * MB + 6 * PAGE},
                                           {HIGH + 8 * PAGE, PAGE, 0, 32 * MB + 8 * PAGE},
                                           {HIGH + 10 * PAGE, PAGE, 0, 32 * MB + 10 * PAGE},
                                           {HIGH + 12 * PAGE, PAGE, 0, 32 * MB + 12 * PAGE}});
    note_ring(&play, 7, 16, HIGH_USER + MB, HIGH_USER + MB + 512, HIGH_USER + MB + 1024);
    need_table(&play, false, 0, NULL);
    need_reason(&play, "more than 8 separate memory regions");
    for (uint32_t i = 0; i < 200; i++)
        note_ring(&play, i, 16, HIGH_USER + i * PAGE, HIGH_USER + i * PAGE + 512,
                  HIGH_USER + i * PAGE + 1024);
    need_table(&play, false, 0, NULL);
    end(&play);
}

/* The process has what there is now. */
static void give(struct play *play)
{
    const char *reason;

    assert_int_equal(
        aperture_find(&play->aperture, &play->session, true, &play->aperture.told, &reason), 0);
}

/* A ring that was stopped is what the process has, if it has it, and not what the next one gets. */
static void stopped_ring_is_not_handed_over_anew(void **state)
{
    const uint32_t index[2] = {0, 0}, number[2] = {1, 64}, large[2] = {1, 4096};
    static const struct vhost_user_region all[] = {POOL_REGION, {HIGH, 2 * PAGE, 0, 32 * MB}},
                                          none[] = {POOL_REGION},
                                          one[] = {POOL_REGION, {HIGH, PAGE, 0, 32 * MB}};
    struct play play = begin();

    (void)state;
    note_ring(&play, 0, 64, HIGH_USER, HIGH_USER + 1024, HIGH_USER + 2048);
    note_ring(&play, 1, 64, HIGH_USER + PAGE, HIGH_USER + PAGE + 1024, HIGH_USER + PAGE + 2048);
    need_table(&play, false, 2, all);
    note(&play, VHOST_USER_SET_VRING_NUM, number, sizeof(number));
    need_table(&play, true, 2, one);
    note_ring(&play, 1, 64, HIGH_USER + PAGE, HIGH_USER + PAGE + 1024, HIGH_USER + PAGE + 2048);
    give(&play);
    note(&play, VHOST_USER_SET_VRING_NUM, large, sizeof(large));
    need_table(&play, true, 2, one);
    note(&play, VHOST_USER_SET_VRING_NUM, number, sizeof(number));
    need_table(&play, true, 2, all);
    need_table(&play, false, 2, one);
    note(&play, VHOST_USER_GET_VRING_BASE, index, sizeof(index));
    need_table(&play, true, 2, all);
    need_table(&play, false, 1, none);
    note_ring(&play, 0, 64, HIGH_USER, HIGH_USER + 1024, HIGH_USER + 2048);
    need_table(&play, false, 2, one);
    /* One whose memory was taken out of the guest holds up nobody. */
    note(&play, VHOST_USER_GET_VRING_BASE, index, sizeof(index));
    note_memory(&play, memory, 1);
    need_table(&play, true, 1, none);
    end(&play);
}

static void ring_without_size_is_refused(void **state)
{
    const struct vhost_user_vring_address address = {.index = 3, .descriptors = HIGH_USER};
    struct play play = begin();

    (void)state;
    note(&play, VHOST_USER_SET_VRING_ADDR, &address, sizeof(address));
    need_table(&play, false, 0, NULL);
    need_reason(&play, "before setting its size");
    end(&play);
}

static void pool_without_memory_is_refused(void **state)
{
    static const struct {
        uint64_t base, size;
        bool is_there;
    } pools[] = {
        {0, 16 * MB, true},
        {15 * MB, 2 * MB, true}, /* two regions of QEMU's, one of the guest's */
        {16 * MB, 4 * MB + PAGE, false},
        {19 * MB, 2 * MB, false},
        {63 * MB, 2 * MB, false},
        {79 * MB, MB, true},
        {79 * MB, MB + PAGE, false},
        {3072 * MB, MB, false},
        {UINT64_MAX - MB + 1 - PAGE, MB, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
        struct play play = begin();
        struct memory_table table;
        const char *reason = NULL;

        play.aperture.base = pools[i].base;
        play.aperture.size = play.aperture.piece = pools[i].size;
        if ((aperture_find(&play.aperture, &play.session, false, &table, &reason) == 0) !=
            pools[i].is_there)
            fail_msg("pool %zu: %s", i, reason);
        if (pools[i].is_there)
            assert_int_equal(memory_table_bytes(&table), pools[i].size);
        else
            assert_non_null(strstr(reason, "outside the memory that QEMU shares"));
        end(&play);
    }
}

/* No mapping of a pool goes over a multiple of 256 KiB from its beginning, and so over no cut. */
static void large_pool_is_cut_into_pieces(void **state)
{
    struct play play = begin();

    (void)state;
    play.aperture.base = MB;
    play.aperture.size = 5 * MB;
    play.aperture.piece = 2 * MB;
    need_table(&play, false, 3,
               (const struct vhost_user_region[]){
                   {MB, 2 * MB, 0, MB}, {3 * MB, 2 * MB, 0, 3 * MB}, {5 * MB, MB, 0, 5 * MB}});
    /* A ring over a cut would be in two parts of the process's memory. */
    note_ring(&play, 0, 128, LOW_USER + 3 * MB - 16, LOW_USER, LOW_USER + 512);
    need_table(&play, false, 0, NULL);
    end(&play);
}

static void ring_addresses_become_the_guests(void **state)
{
    const struct vhost_user_vring_address address = {.index = 1,
                                                     .flags = UINT32_MAX,
                                                     .descriptors = HIGH_USER + 16,
                                                     .used = LOW_USER + 32,
                                                     .available = SECOND_USER + 2,
                                                     .log = UINT64_MAX};
    struct vhost_user_message message = {
        .request = VHOST_USER_SET_VRING_ADDR, .flags = 1, .size = sizeof(address)};
    struct vhost_user_vring_address translated;
    struct play play = begin();

    (void)state;
    memcpy(message.payload, &address, sizeof(address));
    assert_int_equal(aperture_translate(&play.session, &message), 0);
    memcpy(&translated, message.payload, sizeof(translated));
    assert_int_equal(translated.index, 1);
    assert_int_equal(translated.flags, 0);
    assert_int_equal(translated.log, 0);
    assert_int_equal(translated.descriptors, HIGH + 16);
    assert_int_equal(translated.used, 32);
    assert_int_equal(translated.available, 16 * MB + 2);
    /* Once more: the guest's own addresses are none of QEMU's. */
    assert_int_equal(aperture_translate(&play.session, &message), -EFAULT);
    end(&play);
}

/* What came with QEMU's table is closed: the process gets another one, with files of its own. */
static void table_is_exchanged_with_all_that_came_with_it(void **state)
{
    struct play play = begin();
    struct vhost_user_message message = table_of(memory, 3, -1), before;
    const char *reason = "";

    (void)state;
    message.flags |= VHOST_USER_FLAG_NEED_REPLY;
    for (size_t i = 0; i < 3; i++)
        message.fds[i] = dup(play.fd);
    if (confine_message(&play.aperture, &play.session, FILTER_MEMORY, &message, &before, &reason) !=
        CONFINE_PASS)
        fail_msg("%s", reason);
    assert_int_equal(before.request, 0);
    assert_int_equal(message.request, VHOST_USER_SET_MEM_TABLE);
    assert_int_equal(message.flags, 1 | VHOST_USER_FLAG_NEED_REPLY);
    assert_int_equal(message.fd_count, 1);
    assert_true(message.fds[0] >= 0 && message.fds[0] != play.fd);
    vhost_user_close(&message);
    end(&play);
}

static void table_holds_only_the_same_memory(void **state)
{
    int other = memfd_create("other", MFD_CLOEXEC);
    struct play play = begin();
    const struct vhost_user_message a = table_of(memory, 3, play.fd),
                                    b = table_of(memory, 3, other);
    struct memory_table one, two, part = {.count = 0};

    (void)state;
    assert_int_equal(memory_table_unpack(&a, &one), 0);
    assert_int_equal(memory_table_unpack(&b, &two), 0);
    assert_true(memory_table_holds(&one, &part));
    assert_true(memory_table_holds(&one, &one));
    assert_false(memory_table_holds(&one, &two));
    part = one;
    part.count = 1;
    part.regions[0].size = MB;
    assert_true(memory_table_holds(&one, &part));
    assert_false(memory_table_holds(&part, &one));
    part.regions[0].file_offset += PAGE;
    assert_false(memory_table_holds(&one, &part));
    part.regions[0].guest_address += PAGE;
    assert_false(memory_table_holds(&one, &part));
    part.regions[0].user_address += PAGE;
    assert_true(memory_table_holds(&one, &part));
    part.regions[0].size = 16 * MB;
    assert_false(memory_table_holds(&one, &part));
    (void)close(other);
    end(&play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_with_anything_wrong_is_none),
        cmocka_unit_test(table_of_another_size_than_it_says_is_none),
        cmocka_unit_test(rings_are_pages_beside_the_pool_in_order),
        cmocka_unit_test(ring_in_the_pool_adds_nothing),
        cmocka_unit_test(ring_that_lies_wrong_is_the_guests_fault),
        cmocka_unit_test(largest_ring_reaches_its_own_pages_only),
        cmocka_unit_test(rings_that_overlap_or_touch_are_one_region),
        cmocka_unit_test(more_parts_than_vhost_user_carries_are_refused),
        cmocka_unit_test(stopped_ring_is_not_handed_over_anew),
        cmocka_unit_test(ring_without_size_is_refused),
        cmocka_unit_test(pool_without_memory_is_refused),
        cmocka_unit_test(large_pool_is_cut_into_pieces),
        cmocka_unit_test(ring_addresses_become_the_guests),
        cmocka_unit_test(table_is_exchanged_with_all_that_came_with_it),
        cmocka_unit_test(table_holds_only_the_same_memory),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
