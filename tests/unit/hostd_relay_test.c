/* relay: what a frontend told one backend is told to the next, and nothing else. */
#include "descriptors.h"
#include "hostd/relay/session.h"

#include <errno.h>
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
    assert_int_equal(session_note(session, &message), 0);
}

static void note_state(struct session *session, uint32_t request, uint32_t index, uint32_t number)
{
    const uint32_t state[2] = {index, number};

    note(session, request, state, sizeof(state), -1);
}

/* Receives one replayed message. @return its request */
static uint32_t next(int fd, struct vhost_user_message *message)
{
    assert_int_equal(vhost_user_receive(fd, message), 1);
    assert_false(message->flags & VHOST_USER_FLAG_NEED_REPLY);
    vhost_user_close(message);
    return message->request;
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

    assert_int_equal(session_replay(&session, ends[0]), 0);
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
    assert_int_equal(session.count, 5);
    session_clear(&session);
    (void)close(ends[0]);
    assert_int_equal(vhost_user_receive(ends[1], &message), 0);
    (void)close(ends[1]);
    (void)close(memory);
    (void)close(call);
    (void)close(event);
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
    assert_int_equal(session_replay(&session, ends[0]), 0);
    session_clear(&session);
    (void)close(memory);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void message_that_is_too_long_is_refused(void **state)
{
    const uint32_t header[3] = {VHOST_USER_SET_OWNER, 1, VHOST_USER_PAYLOAD_MAX + 1};
    struct vhost_user_message message;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(write(ends[0], header, sizeof(header)), sizeof(header));
    assert_int_equal(vhost_user_receive(ends[1], &message), -EPROTO);
    assert_int_equal(write(ends[0], header, 5), 5);
    (void)close(ends[0]);
    assert_int_equal(vhost_user_receive(ends[1], &message), -ECONNRESET);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_is_replayed_from_where_the_used_ring_stands),
        cmocka_unit_test(nonsense_is_survived),
        cmocka_unit_test(message_that_is_too_long_is_refused),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
