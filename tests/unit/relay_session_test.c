/* relay: what a frontend told one backend is told to the next, and nothing else. */
#include "descriptors.h"
#include "hostd/relay/replay.h"
#include "hostd/relay/session.h"

#include <errno.h>
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

struct region {
    uint64_t padding, guest_address, size, user_address, file_offset;
};

struct address {
    uint32_t index, flags;
    uint64_t descriptors, used, available, log;
};

#define USER_ADDRESS UINT64_C(0x7f0000000000)

/* More than one part of a message may have. */
#define FDS 20u

/* @param fd  -1: none */
static void note(struct session *session, uint32_t request, const void *payload, size_t size,
                 int fd)
{
    struct vhost_user_message message = {
        .request = request,
        .flags = 1 | VHOST_USER_FLAG_NEED_REPLY,
        .size = (uint32_t)size,
        .fds = {fd},
        .fd_count = fd >= 0,
    };

    memcpy(message.payload, payload, size);
    assert_in_range(session_note(session, &message), 0, 1);
}

static void note_state(struct session *session, uint32_t request, uint32_t index, uint32_t number)
{
    const uint32_t state[2] = {index, number};

    note(session, request, state, sizeof(state), -1);
}

/* Receives one replayed message. @return its request */
static uint32_t next(int fd, struct vhost_user_message *message)
{
    message->received = 0;
    assert_int_equal(vhost_user_receive(fd, message), 1);
    assert_false(message->flags & VHOST_USER_FLAG_NEED_REPLY);
    vhost_user_close(message);
    return message->request;
}

/* Without an aperture. */
static int replay(const struct session *session, int fd)
{
    struct aperture none = APERTURE_NULL;
    const char *reason;

    return replay_session(session, &none, fd, &reason);
}

static void session_is_replayed_from_where_the_used_ring_stands(void **state)
{
    const struct region region = {
        .size = 8192, .user_address = USER_ADDRESS, .file_offset = 4096, .guest_address = 1};
    const struct address address = {.index = 1, .used = USER_ADDRESS + 100};
    const uint16_t used[2] = {0, 777};
    const uint64_t kick = 1;
    struct session session = {0};
    struct vhost_user_message message;
    uint32_t number;
    uint64_t kicks, calls;
    int memory = memfd_create("memory", MFD_CLOEXEC);
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int ends[2];

    (void)state;
    assert_int_equal(pwrite(memory, used, sizeof(used), 4096 + 100), sizeof(used));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    note(&session, VHOST_USER_GET_FEATURES, "", 0, -1);
    note(&session, VHOST_USER_SET_FEATURES, &(uint64_t){1}, 8, -1);
    note(&session, VHOST_USER_SET_OWNER, "", 0, -1);
    note(&session, VHOST_USER_SET_FEATURES, &(uint64_t){2}, 8, -1);
    note(&session, VHOST_USER_ADD_MEM_REG, &region, sizeof(region), memory);
    note_state(&session, VHOST_USER_SET_VRING_BASE, 1, 0);
    note(&session, VHOST_USER_SET_VRING_KICK, &kick, sizeof(kick), event);
    note(&session, VHOST_USER_SET_VRING_CALL, &kick, sizeof(kick), call);
    note(&session, VHOST_USER_SET_VRING_ADDR, &address, sizeof(address), -1);

    assert_int_equal(replay(&session, ends[0]), 0);
    assert_int_equal(next(ends[1], &message), VHOST_USER_SET_OWNER);
    assert_int_equal(next(ends[1], &message), VHOST_USER_SET_FEATURES);
    assert_int_equal(message.payload[0], 2);
    assert_int_equal(next(ends[1], &message), VHOST_USER_ADD_MEM_REG);
    assert_int_equal(next(ends[1], &message), VHOST_USER_SET_VRING_BASE);
    memcpy(&number, message.payload + 4, sizeof(number));
    assert_int_equal(number, 777);
    assert_int_equal(next(ends[1], &message), VHOST_USER_SET_VRING_CALL);
    assert_int_equal(next(ends[1], &message), VHOST_USER_SET_VRING_ADDR);
    assert_int_equal(next(ends[1], &message), VHOST_USER_SET_VRING_KICK);
    assert_int_equal(read(event, &kicks, sizeof(kicks)), sizeof(kicks));
    assert_int_equal(read(call, &calls, sizeof(calls)), sizeof(calls));

    /* A vring that was stopped and a region that was removed are not there any more. */
    note_state(&session, VHOST_USER_GET_VRING_BASE, 1, 0);
    note(&session, VHOST_USER_REM_MEM_REG, &region, sizeof(region), -1);
    assert_int_equal(session.count, 6); /* one says that it was stopped */
    session_clear(&session);
    (void)close(ends[0]);
    assert_int_equal(vhost_user_receive(ends[1], &message), -EPIPE);
    (void)close(ends[1]);
    (void)close(memory);
    (void)close(call);
    (void)close(event);
}

/* Where a vring goes on is read from within a region, up to its last byte, and from nowhere else.
 */
static void used_ring_is_read_from_its_region_alone(void **state)
{
    static const struct {
        uint64_t used; /* its index is two bytes further */
        bool is_within;
    } rows[] = {{USER_ADDRESS - 2, true},         {USER_ADDRESS - 3, false},
                {USER_ADDRESS + 8192 - 4, true},  {USER_ADDRESS + 8192 - 3, false},
                {USER_ADDRESS + 8192 - 2, false}, {USER_ADDRESS + 16384, false}};
    const struct region region = {
        .size = 8192, .user_address = USER_ADDRESS, .file_offset = 4096, .guest_address = 1};
    const struct region small = {.size = 1, .user_address = USER_ADDRESS};
    int memory = memfd_create("memory", MFD_CLOEXEC);
    uint8_t sevens[3 * 8192];

    (void)state;
    memset(sevens, 7, sizeof(sevens));
    assert_int_equal(write(memory, sevens, sizeof(sevens)), sizeof(sevens));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct address address = {.index = 1, .used = rows[i].used};
        struct vhost_user_message message;
        struct session session = {0};
        uint32_t number;
        int ends[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        note(&session, VHOST_USER_ADD_MEM_REG, &small, sizeof(small), memory);
        note(&session, VHOST_USER_ADD_MEM_REG, &region, sizeof(region), memory);
        note_state(&session, VHOST_USER_SET_VRING_BASE, 1, 5);
        note(&session, VHOST_USER_SET_VRING_ADDR, &address, sizeof(address), -1);
        assert_int_equal(replay(&session, ends[0]), 0);
        while (next(ends[1], &message) != VHOST_USER_SET_VRING_BASE)
            ;
        memcpy(&number, message.payload + 4, sizeof(number));
        assert_int_equal(number, rows[i].is_within ? 0x0707 : 5);
        session_clear(&session);
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
    (void)close(memory);
}

static void nonsense_is_survived(void **state)
{
    const struct region region = {.size = 4096, .user_address = UINT64_MAX - 100};
    struct address address = {.used = UINT64_MAX - 50};
    struct session session = {0};
    int ends[2], memory = memfd_create("memory", MFD_CLOEXEC);

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    note(&session, VHOST_USER_ADD_MEM_REG, &region, sizeof(region), memory);
    note(&session, VHOST_USER_SET_MEM_TABLE, "", 0, memory);
    note(&session, VHOST_USER_SET_VRING_BASE, "", 0, -1);
    note_state(&session, VHOST_USER_SET_VRING_BASE, 0, 5);
    note(&session, VHOST_USER_SET_VRING_ADDR, &address, sizeof(address), -1);
    note(&session, VHOST_USER_SET_VRING_KICK, "", 0, -1);
    assert_int_equal(replay(&session, ends[0]), 0);
    session_clear(&session);
    (void)close(memory);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Sends bytes with as many descriptors of @p fd. */
static void send_part(int socket, const void *data, size_t size, int fd, size_t fd_count)
{
    union {
        struct cmsghdr header;
        char data[CMSG_SPACE(sizeof(int) * FDS)];
    } control = {.data = {0}};
    struct iovec vector = {.iov_base = (void *)data, .iov_len = size};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};

    if (fd_count > 0) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        for (size_t i = 0; i < fd_count; i++)
            memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &fd, sizeof(int));
    }
    assert_int_equal(sendmsg(socket, &header, 0), size);
}

static void message_comes_in_pieces(void **state)
{
    const uint32_t words[5] = {VHOST_USER_SET_FEATURES, 1, 8, 77, 0};
    const char *bytes = (const char *)words;
    struct vhost_user_message message = {.received = 0};
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    for (size_t i = 0; i < sizeof(words); i++) {
        assert_int_equal(vhost_user_receive(ends[1], &message), 0);
        assert_int_equal(write(ends[0], bytes + i, 1), 1);
    }
    assert_int_equal(vhost_user_receive(ends[1], &message), 1);
    assert_int_equal(message.request, VHOST_USER_SET_FEATURES);
    assert_int_equal(message.payload[0], 77);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* In header and payload; whatever comes of the message, none is left open by it. */
static void descriptors_in_both_halves_are_taken_or_closed(void **state)
{
    static const struct {
        size_t header, payload;
        int result;
    } cases[] = {{0, 0, 1}, {1, 0, 1},       {0, 1, 1},       {2, 3, 1},       {8, 0, 1},
                 {4, 4, 1}, {8, 1, -EPROTO}, {9, 0, -EPROTO}, {1, 8, -EPROTO}, {20, 20, -EPROTO}};
    const uint32_t words[3] = {VHOST_USER_SET_MEM_TABLE, 1, 8};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vhost_user_message message = {.received = 0};
        int ends[2], before = open("/dev/null", O_RDONLY | O_CLOEXEC), after;

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        send_part(ends[0], words, sizeof(words), before, cases[i].header);
        send_part(ends[0], "\0\0\0\0\0\0\0", 8, before, cases[i].payload);
        assert_int_equal(vhost_user_receive(ends[1], &message), cases[i].result);
        if (cases[i].result > 0)
            assert_int_equal(message.fd_count, cases[i].header + cases[i].payload);
        vhost_user_close(&message);
        after = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_int_equal(after, ends[1] + 1);
        (void)close(after);
        (void)close(before);
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
}

static void message_that_vhost_user_has_not_is_refused(void **state)
{
    static const uint32_t headers[][3] = {
        {VHOST_USER_SET_OWNER, 1, VHOST_USER_PAYLOAD_MAX + 1},
        {VHOST_USER_SET_OWNER, 1, UINT32_MAX},
        {0, 1, 0},
        {VHOST_USER_REQUEST_LAST + 1, 1, 0},
        {0x10000, 1, 0}, /* as the relay and its keeper once numbered messages of their own */
        {0x10002, 1, 4},
        {UINT32_MAX, 1, 0},
    };
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct vhost_user_message message = {.received = 0};

        send_part(ends[0], headers[i], sizeof(headers[i]), ends[0], 2);
        assert_int_equal(vhost_user_receive(ends[1], &message), -EPROTO);
        assert_int_equal(message.received, 0);
    }
    send_part(ends[0], headers[0], 5, -1, 0);
    (void)close(ends[0]);
    assert_int_equal(vhost_user_receive(ends[1], &(struct vhost_user_message){.received = 0}),
                     -ECONNRESET);
    (void)close(ends[1]);
}

/* A vring's "eventfds" of QEMU's are a full one, a full pipe, a pipe without reader, a file. */
static void vrings_with_odd_descriptors_are_announced_without_harm(void **state)
{
    const uint64_t kick = 1, full = UINT64_MAX - 1;
    struct session session = {0};
    int ends[2], pipes[2], event = eventfd(0, EFD_CLOEXEC);
    int file = memfd_create("file", MFD_CLOEXEC);
    char block[4096] = "";

    (void)state;
    assert_int_equal(write(event, &full, sizeof(full)), sizeof(full));
    assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(pipes[1], block, sizeof(block)) > 0)
        ;
    (void)fcntl(pipes[1], F_SETFL, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    note(&session, VHOST_USER_SET_VRING_CALL, &(uint64_t){0}, 8, event);
    note(&session, VHOST_USER_SET_VRING_CALL, &kick, 8, pipes[1]);
    note(&session, VHOST_USER_SET_VRING_KICK, &(uint64_t){0}, 8, file);
    assert_int_equal(replay(&session, ends[0]), 0);
    (void)close(pipes[0]);
    assert_int_equal(replay(&session, ends[0]), 0);
    assert_int_equal(lseek(file, 0, SEEK_END), 0);
    session_clear(&session);
    (void)close(pipes[1]);
    (void)close(file);
    (void)close(event);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Without these questions virtiofsd in Rust acknowledges nothing, and QEMU 10 waits for ever. */
static void backend_is_asked_what_it_can_do_before_it_is_told(void **state)
{
    static const struct {
        uint32_t answers[2], flags;
        int result;
    } cases[] = {
        {{VHOST_USER_GET_FEATURES, VHOST_USER_GET_PROTOCOL_FEATURES}, 1 | VHOST_USER_FLAG_REPLY, 0},
        {{VHOST_USER_GET_PROTOCOL_FEATURES, VHOST_USER_GET_FEATURES},
         1 | VHOST_USER_FLAG_REPLY,
         -EPROTO},
        {{VHOST_USER_GET_FEATURES, VHOST_USER_GET_FEATURES}, 1 | VHOST_USER_FLAG_REPLY, -EPROTO},
        {{VHOST_USER_GET_FEATURES, VHOST_USER_GET_PROTOCOL_FEATURES}, 1, -EPROTO},
        {{UINT32_MAX, UINT32_MAX}, 1 | VHOST_USER_FLAG_REPLY, -EPROTO},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct session session = {0};
        struct vhost_user_message message;
        int ends[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        note(&session, VHOST_USER_SET_OWNER, "", 0, -1);
        note(&session, VHOST_USER_SET_PROTOCOL_FEATURES, &(uint64_t){8}, 8, -1);
        for (size_t k = 0; k < 2; k++) {
            message = (struct vhost_user_message){
                .request = cases[i].answers[k], .flags = cases[i].flags, .size = 8};
            assert_int_equal(vhost_user_send(ends[1], &message), 0);
        }
        assert_int_equal(replay(&session, ends[0]), cases[i].result);
        assert_int_equal(next(ends[1], &message), VHOST_USER_GET_FEATURES);
        if (cases[i].result == 0) {
            assert_int_equal(next(ends[1], &message), VHOST_USER_GET_PROTOCOL_FEATURES);
            assert_int_equal(next(ends[1], &message), VHOST_USER_SET_OWNER);
            assert_int_equal(next(ends[1], &message), VHOST_USER_SET_PROTOCOL_FEATURES);
        }
        session_clear(&session);
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backend_is_asked_what_it_can_do_before_it_is_told),
        cmocka_unit_test(session_is_replayed_from_where_the_used_ring_stands),
        cmocka_unit_test(used_ring_is_read_from_its_region_alone),
        cmocka_unit_test(nonsense_is_survived),
        cmocka_unit_test(message_comes_in_pieces),
        cmocka_unit_test(descriptors_in_both_halves_are_taken_or_closed),
        cmocka_unit_test(message_that_vhost_user_has_not_is_refused),
        cmocka_unit_test(vrings_with_odd_descriptors_are_announced_without_harm),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
