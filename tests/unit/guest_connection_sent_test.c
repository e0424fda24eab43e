/* hostd connection: when it sends, what it counts, and which callbacks it calls, also at its end.
 */
#include "descriptors.h"
#include "guest/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LIMIT ((size_t)256 * 1024)

static struct {
    sd_event *event;
    struct connection *connection;
    struct daemon_counters counters;
    int peer; /* the guest's end */
    unsigned frames, others;
    /* What is done when a frame comes. */
    unsigned answers;
    bool frees;
    bool ends; /* sends more than the guest may leave unread */
    unsigned ended;
    enum connection_end end;
    int error;
} f;

static bool is_silent(void)
{
    char byte;

    return recv(f.peer, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

static int send_ping(uint32_t id)
{
    return connection_send(f.connection, FRAME_PING, 0, id, NULL, 0);
}

static void on_frame(void *userdata, const struct frame *frame)
{
    static const uint8_t payload[FRAME_PAYLOAD_MAX];

    assert_ptr_equal(userdata, &f);
    assert_int_equal(frame->type, FRAME_PING);
    f.frames++;
    for (unsigned i = 0; i < f.answers; i++) {
        assert_int_equal(send_ping(i + 1), 0);
        assert_true(is_silent()); /* it leaves with those behind it */
    }
    while (f.ends && connection_send(f.connection, FRAME_PING, 0, 1, payload, sizeof(payload)) == 0)
        ;
    assert_int_equal(f.ended, 0);
    if (f.frees)
        f.connection = connection_free(f.connection);
}

static void on_other_frame(void *userdata, const struct frame *frame)
{
    assert_ptr_equal(userdata, &f.others);
    assert_int_equal(frame->type, FRAME_PING);
    f.others++;
}

static void on_ended(void *userdata, enum connection_end end, int error)
{
    assert_ptr_equal(userdata, &f);
    f.ended++;
    f.end = end;
    f.error = error;
}

static const struct connection_events events = {.frame = on_frame, .ended = on_ended};
static const struct connection_events other_events = {.frame = on_other_frame, .ended = on_ended};

static int set_up(void **state)
{
    int pair[2], room = 65536; /* of the socket, on any machine: less than may wait */

    (void)state;
    memset(&f, 0, sizeof(f));
    if (sd_event_new(&f.event) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) < 0)
        return -1;
    f.peer = pair[1];
    return connection_new(f.event, pair[0], LIMIT, &f.counters, &events, &f, &f.connection);
}

static int tear_down(void **state)
{
    (void)state;
    f.connection = connection_free(f.connection);
    assert_int_equal(f.counters.open, 0);
    if (f.peer >= 0)
        (void)close(f.peer);
    (void)sd_event_unref(f.event);
    return 0;
}

static void settle(void)
{
    while (sd_event_run(f.event, 0) > 0)
        ;
}

/* The guest sends so many frames in one piece. */
static void tell(unsigned count)
{
    uint8_t bytes[256];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};

    for (unsigned i = 0; i < count; i++)
        assert_int_equal(frame_end(&writer, frame_begin(&writer, FRAME_PING, 0, 7)), 0);
    assert_int_equal(send(f.peer, bytes, writer.size, MSG_NOSIGNAL), writer.size);
}

/* What the guest can read now, of which the last is a whole frame. @return frames */
static unsigned hear(struct frame *ret_last)
{
    static uint8_t bytes[4 * FRAME_SIZE_MAX];
    ssize_t n = recv(f.peer, bytes, sizeof(bytes), MSG_DONTWAIT);
    unsigned count = 0;

    for (size_t taken = 0, need = 0; n > 0 && taken < (size_t)n; taken += need, count++)
        assert_int_equal(frame_decode(bytes + taken, (size_t)n - taken, ret_last, &need), 0);
    return count;
}

static void frame_arrives_as_it_was_given(void **state)
{
    static uint8_t payload[FRAME_PAYLOAD_MAX + 1];
    static const size_t sizes[] = {0, 1, 1000, FRAME_PAYLOAD_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct frame frame;

        assert_int_equal(connection_send(f.connection, FRAME_WELCOME, FRAME_FLAG_ANSWER, 0x01020304,
                                         payload, sizes[i]),
                         0);
        assert_int_equal(hear(&frame), 1);
        assert_int_equal(frame.type, FRAME_WELCOME);
        assert_int_equal(frame.flags, FRAME_FLAG_ANSWER);
        assert_int_equal(frame.id, 0x01020304);
        assert_int_equal(frame.length, sizes[i]);
        if (sizes[i] > 0)
            assert_memory_equal(frame.payload, payload, sizes[i]);
        assert_int_equal(connection_held(f.connection), 0);
    }
}

static void frame_that_is_too_long_is_not_sent_and_ends_nothing(void **state)
{
    static const uint8_t payload[FRAME_PAYLOAD_MAX + 1];
    struct frame frame;

    (void)state;
    assert_int_equal(connection_send(f.connection, FRAME_PING, 0, 1, payload, sizeof(payload)),
                     -EMSGSIZE);
    settle();
    assert_true(is_silent());
    assert_int_equal(f.counters.frames_out, 0);
    assert_int_equal(f.ended, 0);
    assert_int_equal(send_ping(1), 0);
    assert_int_equal(hear(&frame), 1);
}

static void what_is_sent_while_frames_are_served_leaves_at_their_end(void **state)
{
    struct frame frame = {0};

    (void)state;
    f.answers = 2;
    tell(3);
    settle();
    assert_int_equal(f.frames, 3);
    assert_int_equal(hear(&frame), 6);
    assert_int_equal(connection_held(f.connection), 0);
    assert_int_equal(send_ping(9), 0); /* and now at once again */
    assert_int_equal(hear(&frame), 1);
    assert_int_equal(frame.id, 9);
}

static void what_was_said_last_still_leaves(void **state)
{
    struct frame frame = {0};

    (void)state;
    f.answers = 2;
    f.frees = true;
    tell(3);
    settle();
    assert_int_equal(f.frames, 1);
    assert_int_equal(hear(&frame), 2);
    assert_int_equal(f.ended, 0);
    assert_int_equal(f.counters.open, 0);
}

static void all_that_passes_is_counted(void **state)
{
    static const uint8_t payload[FRAME_PAYLOAD_MAX];
    static uint8_t sink[LIMIT];
    uint64_t heard = 0, sent = 0;

    (void)state;
    assert_int_equal(f.counters.open, 1);
    tell(3);
    settle();
    assert_int_equal(f.counters.frames_in, 3);
    assert_int_equal(f.counters.bytes_in, 3 * FRAME_HEADER_SIZE);
    assert_int_equal(send(f.peer, "G", 1, MSG_NOSIGNAL), 1); /* no frame, and one byte */
    settle();
    assert_int_equal(f.counters.frames_in, 3);
    assert_int_equal(f.counters.bytes_in, 3 * FRAME_HEADER_SIZE + 1);
    assert_int_equal(f.ended, 0);
    while (connection_held(f.connection) < FRAME_SIZE_MAX) {
        assert_int_equal(connection_send(f.connection, FRAME_PING, 0, 1, payload, sizeof(payload)),
                         0);
        sent++;
    }
    assert_int_equal(f.counters.frames_out, sent);
    assert_true(f.counters.bytes_out < sent * FRAME_SIZE_MAX); /* the rest waits */
    for (ssize_t n = 1; n > 0; settle()) {
        n = recv(f.peer, sink, sizeof(sink), MSG_DONTWAIT);
        heard += n > 0 ? (uint64_t)n : 0;
    }
    assert_int_equal(heard, sent * FRAME_SIZE_MAX);
    assert_int_equal(f.counters.bytes_out, heard);
}

/* Bytes that the socket has not taken, if all of @p given bytes were sent. */
static size_t waiting(size_t given)
{
    return given - (size_t)f.counters.bytes_out;
}

/* Sends until the bound is reached to the byte. @return bytes */
static size_t fill(size_t given)
{
    static const uint8_t payload[1024];
    size_t left;

    while ((left = LIMIT - waiting(given)) >= FRAME_HEADER_SIZE) {
        size_t size = left - FRAME_HEADER_SIZE;

        size = size < sizeof(payload) ? size : sizeof(payload) - FRAME_HEADER_SIZE;
        assert_int_equal(connection_send(f.connection, FRAME_PING, 0, 1, payload, size), 0);
        given += FRAME_HEADER_SIZE + size;
    }
    return given;
}

/* What a slow guest has read makes way for what is to be sent to it. */
static void so_much_may_wait_and_no_byte_more(void **state)
{
    static uint8_t sink[LIMIT];
    size_t given = fill(0), before = waiting(given);

    (void)state;
    assert_in_range(before, LIMIT - FRAME_HEADER_SIZE + 1, LIMIT);
    assert_true(recv(f.peer, sink, sizeof(sink), MSG_DONTWAIT) > 0);
    settle();
    assert_in_range(waiting(given), 1, before - 1);
    given = fill(given);
    assert_in_range(connection_held(f.connection), waiting(given), LIMIT);
    settle();
    assert_int_equal(f.ended, 0);
    assert_int_equal(send_ping(1), -ENOBUFS);
    settle();
    assert_int_equal(f.ended, 1);
    assert_int_equal(f.end, CONNECTION_END_SLOW);
}

static void end_that_a_sender_brings_about_is_told_behind_its_back(void **state)
{
    (void)state;
    assert_int_equal(shutdown(f.peer, SHUT_RD), 0);
    assert_int_equal(send_ping(1), 0);
    assert_int_equal(f.ended, 0);
    assert_int_equal(send_ping(1), -ENOTCONN);
    assert_int_equal(f.ended, 0);
    tell(1); /* what comes now is not heard any more */
    connection_poll(f.connection);
    settle();
    assert_int_equal(f.frames, 0);
    assert_int_equal(f.ended, 1);
    assert_int_equal(f.end, CONNECTION_END_PEER);
    assert_int_equal(f.error, EPIPE);
    settle();
    assert_int_equal(f.ended, 1);
}

static void frames_behind_the_end_are_not_served(void **state)
{
    (void)state;
    f.ends = true;
    tell(3);
    settle();
    assert_int_equal(f.frames, 1);
    assert_int_equal(f.ended, 1);
    assert_int_equal(f.end, CONNECTION_END_SLOW);
}

static void close_peer(void)
{
    (void)close(f.peer);
    f.peer = -1;
    settle();
    assert_int_equal(f.ended, 1);
    assert_int_equal(f.end, CONNECTION_END_PEER);
}

static void peer_that_closes_is_no_error(void **state)
{
    (void)state;
    close_peer();
    assert_int_equal(f.error, 0);
}

static void peer_that_breaks_off_is_the_systems_error(void **state)
{
    (void)state;
    assert_int_equal(send_ping(1), 0); /* which it has not read when it goes */
    close_peer();
    assert_int_equal(f.error, ECONNRESET);
}

static void others_are_told_from_now_on(void **state)
{
    (void)state;
    tell(1);
    settle();
    connection_set_events(f.connection, &other_events, &f.others);
    tell(2);
    settle();
    assert_int_equal(f.frames, 1);
    assert_int_equal(f.others, 2);
}

static void it_is_read_now_unless_it_is_paused(void **state)
{
    (void)state;
    connection_poll(f.connection); /* nothing is there */
    assert_int_equal(f.frames, 0);
    tell(1);
    connection_poll(f.connection);
    assert_int_equal(f.frames, 1);
    assert_false(connection_is_paused(f.connection));
    connection_pause(f.connection, true);
    assert_true(connection_is_paused(f.connection));
    tell(1);
    connection_poll(f.connection);
    assert_int_equal(f.frames, 1);
    connection_pause(f.connection, false);
    assert_false(connection_is_paused(f.connection));
    connection_poll(f.connection);
    assert_int_equal(f.frames, 2);
    settle();
    assert_int_equal(f.frames, 2);
    assert_int_equal(f.ended, 0);
}

/* Who is held back: one that may say more waits, one that is gone is heard out. */
static void paused_one_ends_if_its_guest_is_gone(void **state)
{
    const unsigned many = 2000, some = 10; /* several reads */

    (void)state;
    connection_pause(f.connection, true);
    for (unsigned i = 0; i < many; i += some)
        tell(some);
    assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
    settle();
    assert_int_equal(f.ended, 0);
    assert_int_equal(send_ping(1), 0);
    assert_int_equal(f.frames, 0);
    close_peer();
    assert_int_equal(f.frames, many);
    assert_int_equal(f.ended, 1);
    connection_pause(f.connection, false); /* changes nothing any more */
    settle();
    assert_int_equal(f.frames, many);
    assert_int_equal(f.ended, 1);
}

static void paused_one_hears_all_when_it_resumes(void **state)
{
    (void)state;
    connection_pause(f.connection, true);
    tell(3);
    assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
    settle();
    assert_int_equal(f.frames, 0);
    connection_pause(f.connection, false);
    settle();
    assert_int_equal(f.frames, 3);
    assert_int_equal(f.ended, 1);
    assert_int_equal(f.error, 0);
}

static void none_is_freed(void **state)
{
    (void)state;
    assert_null(connection_free(NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frame_arrives_as_it_was_given),
        TEST(frame_that_is_too_long_is_not_sent_and_ends_nothing),
        TEST(what_is_sent_while_frames_are_served_leaves_at_their_end),
        TEST(what_was_said_last_still_leaves),
        TEST(all_that_passes_is_counted),
        TEST(so_much_may_wait_and_no_byte_more),
        TEST(end_that_a_sender_brings_about_is_told_behind_its_back),
        TEST(frames_behind_the_end_are_not_served),
        TEST(peer_that_closes_is_no_error),
        TEST(peer_that_breaks_off_is_the_systems_error),
        TEST(others_are_told_from_now_on),
        TEST(it_is_read_now_unless_it_is_paused),
        TEST(paused_one_ends_if_its_guest_is_gone),
        TEST(paused_one_hears_all_when_it_resumes),
        cmocka_unit_test(none_is_freed),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
