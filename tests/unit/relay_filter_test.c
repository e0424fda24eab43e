/* relay: each request that vhost-user has, from QEMU to the process of an aperture and back. */
#include "descriptors.h"
#include "hostd/relay/filter.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* As the specification has them (QEMU's docs/interop/vhost-user). */
enum with { NOTHING, EVENT, SOCKET, MEMORY };

static const struct {
    uint32_t request;
    enum filter_way way;
    uint32_t size;
    enum with with;
} rows[] = {
    {1, FILTER_PASS, 0, NOTHING},       /* GET_FEATURES */
    {2, FILTER_PASS, 8, NOTHING},       /* SET_FEATURES */
    {3, FILTER_PASS, 0, NOTHING},       /* SET_OWNER */
    {4, FILTER_PASS, 0, NOTHING},       /* RESET_OWNER */
    {5, FILTER_MEMORY, 40, MEMORY},     /* SET_MEM_TABLE */
    {6, FILTER_REFUSE, 16, MEMORY},     /* SET_LOG_BASE */
    {7, FILTER_REFUSE, 0, EVENT},       /* SET_LOG_FD */
    {8, FILTER_PASS, 8, NOTHING},       /* SET_VRING_NUM */
    {9, FILTER_TRANSLATE, 40, NOTHING}, /* SET_VRING_ADDR */
    {10, FILTER_PASS, 8, NOTHING},      /* SET_VRING_BASE */
    {11, FILTER_PASS, 8, NOTHING},      /* GET_VRING_BASE */
    {12, FILTER_PASS, 8, EVENT},        /* SET_VRING_KICK */
    {13, FILTER_PASS, 8, EVENT},        /* SET_VRING_CALL */
    {14, FILTER_PASS, 8, EVENT},        /* SET_VRING_ERR */
    {15, FILTER_PASS, 0, NOTHING},      /* GET_PROTOCOL_FEATURES */
    {16, FILTER_PASS, 8, NOTHING},      /* SET_PROTOCOL_FEATURES */
    {17, FILTER_PASS, 0, NOTHING},      /* GET_QUEUE_NUM */
    {18, FILTER_PASS, 8, NOTHING},      /* SET_VRING_ENABLE */
    {19, FILTER_PASS, 8, NOTHING},      /* SEND_RARP */
    {20, FILTER_PASS, 8, NOTHING},      /* NET_SET_MTU */
    {21, FILTER_ANSWER, 0, SOCKET},     /* SET_BACKEND_REQ_FD */
    {22, FILTER_REFUSE, 32, NOTHING},   /* IOTLB_MSG */
    {23, FILTER_REFUSE, 8, NOTHING},    /* SET_VRING_ENDIAN */
    {24, FILTER_REFUSE, 12, NOTHING},   /* GET_CONFIG */
    {25, FILTER_REFUSE, 12, NOTHING},   /* SET_CONFIG */
    {26, FILTER_REFUSE, 8, NOTHING},    /* CREATE_CRYPTO_SESSION */
    {27, FILTER_REFUSE, 8, NOTHING},    /* CLOSE_CRYPTO_SESSION */
    {28, FILTER_REFUSE, 0, NOTHING},    /* POSTCOPY_ADVISE */
    {29, FILTER_REFUSE, 0, NOTHING},    /* POSTCOPY_LISTEN */
    {30, FILTER_REFUSE, 0, NOTHING},    /* POSTCOPY_END */
    {31, FILTER_REFUSE, 24, NOTHING},   /* GET_INFLIGHT_FD */
    {32, FILTER_REFUSE, 24, MEMORY},    /* SET_INFLIGHT_FD */
    {33, FILTER_REFUSE, 0, SOCKET},     /* GPU_SET_SOCKET */
    {34, FILTER_REFUSE, 0, NOTHING},    /* RESET_DEVICE */
    {35, FILTER_REFUSE, 8, NOTHING},    /* VRING_KICK */
    {36, FILTER_REFUSE, 0, NOTHING},    /* GET_MAX_MEM_SLOTS */
    {37, FILTER_REFUSE, 40, MEMORY},    /* ADD_MEM_REG */
    {38, FILTER_REFUSE, 40, NOTHING},   /* REM_MEM_REG */
    {39, FILTER_REFUSE, 8, NOTHING},    /* SET_STATUS */
    {40, FILTER_REFUSE, 0, NOTHING},    /* GET_STATUS */
    {41, FILTER_REFUSE, 16, NOTHING},   /* GET_SHARED_OBJECT */
    {42, FILTER_REFUSE, 8, EVENT},      /* SET_DEVICE_STATE_FD */
    {43, FILTER_REFUSE, 0, NOTHING},    /* CHECK_DEVICE_STATE */
    {44, FILTER_REFUSE, 0, NOTHING},    /* GET_SHMEM_CONFIG */
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static enum filter_way judge(const struct vhost_user_message *message)
{
    const char *reason = NULL;
    enum filter_way way = filter_judge(message, &reason);

    if (way == FILTER_REFUSE)
        assert_true(reason && reason[0]);
    return way;
}

struct fds {
    int items[4]; /* by enum with */
};

static struct fds open_fds(void)
{
    return (struct fds){{open("/dev/null", O_RDWR | O_CLOEXEC), eventfd(0, EFD_CLOEXEC),
                         socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                         memfd_create("memory", MFD_CLOEXEC)}};
}

static void close_fds(const struct fds *fds)
{
    for (size_t i = 0; i < 4; i++)
        (void)close(fds->items[i]);
}

/* Of a row, as QEMU sends it. */
static struct vhost_user_message make(size_t row, const struct fds *fds)
{
    struct vhost_user_message message = {.request = rows[row].request,
                                         .flags = VHOST_USER_VERSION,
                                         .size = rows[row].size,
                                         .fds = {fds->items[rows[row].with]},
                                         .fd_count = rows[row].with != NOTHING};
    const uint32_t state[2] = {3, 128};

    if (message.request == VHOST_USER_SET_VRING_NUM)
        memcpy(message.payload, state, sizeof(state));
    return message;
}

static void each_request_goes_the_way_of_its_row(void **state)
{
    struct fds fds = open_fds();

    (void)state;
    assert_int_equal(ROWS, VHOST_USER_REQUEST_LAST);
    for (size_t i = 0; i < ROWS; i++) {
        struct vhost_user_message message = make(i, &fds);

        assert_int_equal(rows[i].request, i + 1);
        if (judge(&message) != rows[i].way)
            fail_msg("request %u goes way %d", rows[i].request, judge(&message));
        message.flags |= VHOST_USER_FLAG_NEED_REPLY;
        assert_int_equal(judge(&message), rows[i].way);
    }
    close_fds(&fds);
}

static void nothing_else_comes_with_a_request(void **state)
{
    static const uint32_t flags[] = {0, 2, 3, 5, 0x11, UINT32_MAX, 0x80000001};
    struct fds fds = open_fds();

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct vhost_user_message message;

        for (size_t j = 0; j < sizeof(flags) / sizeof(flags[0]); j++) {
            message = make(i, &fds);
            message.flags = flags[j];
            assert_int_equal(judge(&message), FILTER_REFUSE);
        }
        for (uint32_t size = 0; size <= 64; size++) {
            message = make(i, &fds);
            message.size = size;
            /* A table's size is looked at with its content. */
            if (size != rows[i].size && rows[i].way != FILTER_MEMORY)
                assert_int_equal(judge(&message), FILTER_REFUSE);
        }
        for (size_t with = 0; with < 4; with++) {
            message = make(i, &fds);
            message.fds[0] = fds.items[with];
            message.fd_count = 1;
            if (with != rows[i].with && rows[i].way != FILTER_MEMORY)
                assert_int_equal(judge(&message), FILTER_REFUSE);
            message = make(i, &fds);
            message.fds[message.fd_count++] = fds.items[with];
            if (rows[i].way != FILTER_MEMORY)
                assert_int_equal(judge(&message), FILTER_REFUSE);
        }
        message = make(i, &fds);
        message.fd_count = 0;
        if (rows[i].with != NOTHING && rows[i].way != FILTER_MEMORY)
            assert_int_equal(judge(&message), FILTER_REFUSE);
    }
    close_fds(&fds);
}

static void rings_have_numbers_that_rings_have(void **state)
{
    static const struct {
        uint32_t request, first, second;
        bool passes;
    } cases[] = {
        {VHOST_USER_SET_VRING_NUM, 0, 1, true},
        {VHOST_USER_SET_VRING_NUM, 255, 32768, true},
        {VHOST_USER_SET_VRING_NUM, 256, 128, false},
        {VHOST_USER_SET_VRING_NUM, UINT32_MAX, 128, false},
        {VHOST_USER_SET_VRING_NUM, 0, 0, false},
        {VHOST_USER_SET_VRING_NUM, 0, 32769, false},
        {VHOST_USER_SET_VRING_NUM, 0, UINT32_MAX, false},
        {VHOST_USER_SET_VRING_ADDR, 256, 0, false},
        {VHOST_USER_SET_VRING_BASE, 256, 0, false},
        {VHOST_USER_GET_VRING_BASE, 256, 0, false},
        {VHOST_USER_SET_VRING_ENABLE, 256, 1, false},
        {VHOST_USER_SET_VRING_KICK, 0x200, 0, false},
        {VHOST_USER_SET_VRING_CALL, 3, 1, false},
        {VHOST_USER_SET_VRING_ERR, 0x100, 0, false}, /* none is to come, and one does */
    };
    struct fds fds = open_fds();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vhost_user_message message = make(cases[i].request - 1, &fds);

        memcpy(message.payload, &cases[i].first, 4);
        memcpy(message.payload + 4, &cases[i].second, 4);
        if ((judge(&message) != FILTER_REFUSE) != cases[i].passes)
            fail_msg("case %zu", i);
    }
    /* A ring without an eventfd is polled. */
    for (uint32_t request = VHOST_USER_SET_VRING_KICK; request <= VHOST_USER_SET_VRING_ERR;
         request++) {
        struct vhost_user_message message = make(request - 1, &fds);

        message.payload[1] = 1;
        message.fd_count = 0;
        assert_int_equal(judge(&message), FILTER_PASS);
    }
    close_fds(&fds);
}

static uint64_t bits_of(const struct vhost_user_message *message)
{
    uint64_t bits;

    memcpy(&bits, message->payload, sizeof(bits));
    return bits;
}

static struct vhost_user_message bits(uint32_t request, uint64_t value, bool reply)
{
    struct vhost_user_message message = {
        .request = request, .flags = reply ? 5 : 1, .size = sizeof(value)};

    memcpy(message.payload, &value, sizeof(value));
    return message;
}

#define BIT(number) (UINT64_C(1) << (number))

static void features_are_told_differently_up_and_down(void **state)
{
    const uint64_t all = UINT64_MAX, hidden = BIT(26) | BIT(34);
    struct vhost_user_message message, asked;

    (void)state;
    asked = bits(VHOST_USER_GET_FEATURES, 0, false);
    message = bits(VHOST_USER_GET_FEATURES, all, true);
    assert_true(filter_up(&asked, &message));
    assert_int_equal(bits_of(&message), all & ~hidden);
    message = bits(VHOST_USER_GET_FEATURES, 0, true);
    assert_true(filter_up(&asked, &message));
    assert_int_equal(bits_of(&message), BIT(33));
    message = bits(VHOST_USER_SET_FEATURES, all, false);
    filter_down(&message);
    assert_int_equal(bits_of(&message), all & ~hidden & ~BIT(33));

    asked = bits(VHOST_USER_GET_PROTOCOL_FEATURES, 0, false);
    message = bits(VHOST_USER_GET_PROTOCOL_FEATURES, all, true);
    assert_true(filter_up(&asked, &message));
    assert_int_equal(bits_of(&message), BIT(0) | BIT(2) | BIT(3) | BIT(4) | BIT(5));
    message = bits(VHOST_USER_GET_PROTOCOL_FEATURES, 0, true);
    assert_true(filter_up(&asked, &message));
    assert_int_equal(bits_of(&message), BIT(5));
    message = bits(VHOST_USER_SET_PROTOCOL_FEATURES, all, false);
    filter_down(&message);
    assert_int_equal(bits_of(&message), BIT(0) | BIT(2) | BIT(3) | BIT(4));

    /* Nothing else is changed. */
    message = bits(VHOST_USER_SET_VRING_BASE, all, false);
    filter_down(&message);
    assert_int_equal(bits_of(&message), all);
}

static void answer_is_what_was_asked_for_and_no_more(void **state)
{
    const struct vhost_user_message asked = bits(VHOST_USER_GET_VRING_BASE, 2, false);
    const struct vhost_user_message good =
        bits(VHOST_USER_GET_VRING_BASE, 2 | UINT64_C(65535) << 32, true);
    struct vhost_user_message message = good;

    (void)state;
    assert_true(filter_up(&asked, &message));
    assert_int_equal(bits_of(&message), bits_of(&good));
    for (uint32_t size = 0; size <= VHOST_USER_PAYLOAD_MAX; size++) {
        message = good;
        message.size = size;
        assert_int_equal(filter_up(&asked, &message), size == 8);
    }
    for (uint32_t flags = 0; flags < 32; flags++) {
        message = good;
        message.flags = flags;
        assert_int_equal(filter_up(&asked, &message), flags == 5 || flags == 13);
    }
    for (uint32_t request = 0; request <= VHOST_USER_REQUEST_LAST; request++) {
        message = good;
        message.request = request;
        assert_int_equal(filter_up(&asked, &message), request == asked.request);
    }
    message = good;
    message.fd_count = 1;
    assert_false(filter_up(&asked, &message));
    message = bits(VHOST_USER_GET_VRING_BASE, 1, true); /* another ring's */
    assert_false(filter_up(&asked, &message));
    message = bits(VHOST_USER_GET_VRING_BASE, 2 | UINT64_C(65536) << 32, true);
    assert_false(filter_up(&asked, &message));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_goes_the_way_of_its_row),
        cmocka_unit_test(nothing_else_comes_with_a_request),
        cmocka_unit_test(rings_have_numbers_that_rings_have),
        cmocka_unit_test(features_are_told_differently_up_and_down),
        cmocka_unit_test(answer_is_what_was_asked_for_and_no_more),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
