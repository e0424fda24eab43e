/* hostd connection: frames over a socket pair, what is held, and how it ends. */
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

struct fixture {
    sd_event *event;
    struct connection *connection;
    struct daemon_counters counters;
    int peer; /* the guest's end */
    unsigned frames;
    uint16_t last_type;
    uint32_t last_length;
    bool free_on_frame;
    bool ended;
    enum connection_end end;
};

static void on_frame(void *userdata, const struct frame *frame)
{
    struct fixture *f = userdata;

    f->frames++;
    f->last_type = frame->type;
    f->last_length = frame->length;
    if (f->free_on_frame)
        f->connection = connection_free(f->connection);
}

static void on_ended(void *userdata, enum connection_end end, int error)
{
    struct fixture *f = userdata;

    (void)error;
    assert_false(f->ended);
    f->ended = true;
    f->end = end;
}

static const struct connection_events events = {.frame = on_frame, .ended = on_ended};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int pair[2];

    if (!f || sd_event_new(&f->event) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -1;
    f->peer = pair[1];
    *state = f;
    return connection_new(f->event, pair[0], LIMIT, &f->counters, &events, f, &f->connection);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    f->connection = connection_free(f->connection);
    if (f->peer >= 0)
        (void)close(f->peer);
    (void)sd_event_unref(f->event);
    free(f);
    return 0;
}

/* Runs the loop until nothing is left to do. */
static void settle(struct fixture *f)
{
    while (sd_event_run(f->event, 0) > 0)
        ;
}

static size_t put_frame(uint8_t *buffer, size_t capacity, uint16_t type, uint32_t id, size_t length)
{
    struct wire_writer writer = {.data = buffer, .capacity = capacity};
    size_t start = frame_begin(&writer, type, 0, id);

    for (size_t i = 0; i < length; i++)
        wire_put_u8(&writer, (uint8_t)i);
    assert_int_equal(frame_end(&writer, start), 0);
    return writer.size;
}

static void send_all(struct fixture *f, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(f->peer, data, size);

        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
        settle(f);
    }
}

static void frames_arrive_however_they_are_cut(void **state)
{
    static const size_t steps[] = {1, 3, 15, 16, 17, 4096, 70000};
    struct fixture *f = *state;
    uint8_t bytes[2 * FRAME_SIZE_MAX];
    size_t size;

    size = put_frame(bytes, sizeof(bytes), FRAME_PING, 1, 0);
    size += put_frame(bytes + size, sizeof(bytes) - size, FRAME_LOG_RECORD, 0, 40);
    size +=
        put_frame(bytes + size, sizeof(bytes) - size, FRAME_PROCESS_OUTPUT, 0, FRAME_PAYLOAD_MAX);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        f->frames = 0;
        for (size_t at = 0; at < size; at += steps[i])
            send_all(f, bytes + at, size - at < steps[i] ? size - at : steps[i]);
        settle(f);
        assert_int_equal(f->frames, 3);
        assert_int_equal(f->last_type, FRAME_PROCESS_OUTPUT);
        assert_int_equal(f->last_length, FRAME_PAYLOAD_MAX);
        assert_int_equal(connection_held(f->connection), 0);
    }
    assert_false(f->ended);
}

static void a_connection_may_go_while_its_frame_is_served(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[256];
    size_t size = put_frame(bytes, sizeof(bytes), FRAME_PING, 1, 0);

    size += put_frame(bytes + size, sizeof(bytes) - size, FRAME_PING, 2, 0);
    f->free_on_frame = true;
    send_all(f, bytes, size);
    settle(f);
    assert_int_equal(f->frames, 1);
    assert_false(f->ended);
}

static void foreign_bytes_end_it(void **state)
{
    struct fixture *f = *state;

    send_all(f, (const uint8_t *)"GET / HTTP/1.1", 14);
    settle(f);
    assert_true(f->ended);
    assert_int_equal(f->end, CONNECTION_END_MAGIC);
}

static void too_long_a_frame_ends_it_by_its_header(void **state)
{
    struct fixture *f = *state;
    uint8_t header[FRAME_HEADER_SIZE];

    (void)put_frame(header, sizeof(header), FRAME_PING, 1, 0);
    header[8] = 1;
    header[10] = 1;
    send_all(f, header, sizeof(header));
    settle(f);
    assert_true(f->ended);
    assert_int_equal(f->end, CONNECTION_END_LENGTH);
}

static void the_peers_end_is_told_once(void **state)
{
    struct fixture *f = *state;

    (void)close(f->peer);
    f->peer = -1;
    settle(f);
    settle(f);
    assert_true(f->ended);
    assert_int_equal(f->end, CONNECTION_END_PEER);
    assert_int_equal(connection_send(f->connection, FRAME_PING, 0, 1, NULL, 0), -ENOTCONN);
}

static void a_guest_that_does_not_read_is_ended_at_the_bound(void **state)
{
    struct fixture *f = *state;
    static const uint8_t payload[FRAME_PAYLOAD_MAX];
    size_t most = 0;
    int r = 0;

    for (unsigned i = 0; i < 1000 && r == 0; i++) {
        r = connection_send(f->connection, FRAME_PING, 0, 1, payload, sizeof(payload));
        if (connection_held(f->connection) > most)
            most = connection_held(f->connection);
        settle(f);
    }
    assert_int_equal(r, -ENOBUFS);
    assert_in_range(most, FRAME_PAYLOAD_MAX, LIMIT);
    assert_true(f->ended);
    assert_int_equal(f->end, CONNECTION_END_SLOW);
}

/* Sends until the room for what waits is as large as it may be, and larger than that. */
static void fill_half(struct fixture *f)
{
    static const uint8_t payload[1024];

    while (connection_held(f->connection) < LIMIT)
        assert_int_equal(connection_send(f->connection, FRAME_PING, 0, 1, payload, sizeof(payload)),
                         0);
    assert_int_equal(connection_held(f->connection), LIMIT);
}

static void room_that_nothing_needs_makes_way_for_a_frame(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[FRAME_SIZE_MAX];
    size_t size = put_frame(bytes, sizeof(bytes), FRAME_LOG_RECORD, 0, FRAME_PAYLOAD_MAX);

    fill_half(f);
    send_all(f, bytes, FRAME_HEADER_SIZE + 1);
    assert_false(f->ended);
    assert_in_range(connection_held(f->connection), LIMIT / 2 + size, LIMIT - 1);
    send_all(f, bytes + FRAME_HEADER_SIZE + 1, size - FRAME_HEADER_SIZE - 1);
    assert_int_equal(f->frames, 1);
    assert_int_equal(f->last_length, FRAME_PAYLOAD_MAX);
    assert_false(f->ended);
}

static void frame_that_finds_no_room_ends_it(void **state)
{
    static const uint8_t payload[1024];
    struct fixture *f = *state;
    uint8_t bytes[FRAME_SIZE_MAX];

    (void)put_frame(bytes, sizeof(bytes), FRAME_LOG_RECORD, 0, FRAME_PAYLOAD_MAX);
    fill_half(f);
    for (size_t sent = LIMIT / 2; sent + FRAME_PAYLOAD_MAX / 2 < LIMIT; sent += sizeof(payload))
        assert_int_equal(connection_send(f->connection, FRAME_PING, 0, 1, payload, sizeof(payload)),
                         0);
    send_all(f, bytes, FRAME_HEADER_SIZE + 1);
    assert_true(f->ended);
    assert_int_equal(f->end, CONNECTION_END_SLOW);
    assert_int_equal(f->frames, 0);
    assert_in_range(connection_held(f->connection), 1, LIMIT);
}

static void what_waits_is_written_when_the_guest_reads(void **state)
{
    static const uint8_t payload[FRAME_PAYLOAD_MAX];
    struct fixture *f = *state;
    uint8_t sink[65536];
    size_t total = 0;

    /* the socket takes about 200 KiB, we hold the rest */
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(connection_send(f->connection, FRAME_PING, 0, 1, payload, sizeof(payload)),
                         0);
    for (ssize_t n = 1; n > 0;) {
        n = read(f->peer, sink, sizeof(sink));
        if (n > 0)
            total += (size_t)n;
        settle(f);
    }
    assert_int_equal(total, 5 * FRAME_SIZE_MAX);
    assert_int_equal(connection_held(f->connection), 0);
    assert_false(f->ended);
}

static void a_paused_connection_is_not_read(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[64];
    size_t size = put_frame(bytes, sizeof(bytes), FRAME_PING, 1, 0);

    connection_pause(f->connection, true);
    send_all(f, bytes, size);
    settle(f);
    assert_int_equal(f->frames, 0);
    connection_pause(f->connection, false);
    settle(f);
    assert_int_equal(f->frames, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_arrive_however_they_are_cut),
        TEST(a_connection_may_go_while_its_frame_is_served),
        TEST(foreign_bytes_end_it),
        TEST(too_long_a_frame_ends_it_by_its_header),
        TEST(the_peers_end_is_told_once),
        TEST(a_guest_that_does_not_read_is_ended_at_the_bound),
        TEST(room_that_nothing_needs_makes_way_for_a_frame),
        TEST(frame_that_finds_no_room_ends_it),
        TEST(what_waits_is_written_when_the_guest_reads),
        TEST(a_paused_connection_is_not_read),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
