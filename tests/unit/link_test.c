/* link: the conversation with a host, well-behaved or not. */
#include "descriptors.h"
#include "init/base/clock.h"
#include "init/base/fd.h"
#include "init/base/kmsg_log.h"
#include "init/base/uevent.h"
#include "init/link/dial.h"
#include "init/link/link.h"
#include "protocol/welcome.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop loop;
static struct link connection;
static int host = -1; /* the end of the newest connection */
static int dial_error;
static unsigned dials, welcomes, frames, losses, drains;
static const char *wrong; /* what the user says of a frame */

/* Instead of vsock: a socket pair, whose other end is the host's. */
int __wrap_dial_open(const struct host_address *address, uint16_t *port);
int __wrap_dial_open(const struct host_address *address, uint16_t *port)
{
    int ends[2];

    (void)address;
    (void)port;
    dials++;
    if (dial_error != 0)
        return -dial_error;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    (void)fd_close(host);
    host = ends[1];
    return ends[0];
}

/* Instead of the kernel: events of its device's socket, until there is none or an error. */
static const struct uevent *uevents;
static unsigned uevent_count;
static int uevent_error = EAGAIN;

int __wrap_uevent_receive(int fd, struct uevent *ret);
int __wrap_uevent_receive(int fd, struct uevent *ret)
{
    assert_int_equal(fd, connection.device.fd);
    if (uevent_count == 0)
        return -uevent_error;
    uevent_count--;
    *ret = *uevents++;
    return 0;
}

static void greet(struct link *l, struct wire_writer *writer)
{
    (void)l;
    wire_put_u32(writer, 0x12345678);
}

static void greeted(struct link *l)
{
    (void)l;
}

static void welcomed(struct link *l)
{
    (void)l;
    welcomes++;
}

static const char *take_frame(struct link *l, const struct frame *frame)
{
    (void)l;
    (void)frame;
    frames++;
    return wrong;
}

static void drained(struct link *l)
{
    (void)l;
    drains++;
}

static void lost(struct link *l)
{
    (void)l;
    losses++;
}

static const struct link_user user = {.greet = greet,
                                      .greeted = greeted,
                                      .welcomed = welcomed,
                                      .frame = take_frame,
                                      .drained = drained,
                                      .lost = lost};

/* The test has no address of its own for the link: dial_open() is ours. */
static const struct host_address address = {.kind = HOST_ADDRESS_VSOCK};

/* Before link_await(). */
static int set_up_first_call(void **state)
{
    (void)state;
    memset(&connection, 0, sizeof(connection));
    dials = welcomes = frames = losses = drains = 0;
    dial_error = 0;
    wrong = NULL;
    assert_int_equal(loop_init(&loop), 0);
    link_start(&connection, &loop, &address, &user);
    return 0;
}

static int set_up(void **state)
{
    (void)set_up_first_call(state);
    return loop_add(&loop, &connection.source, EPOLLOUT);
}

static int tear_down(void **state)
{
    (void)state;
    kmsg_log_set_sink(NULL, NULL);
    loop_close(&loop, &connection.source);
    loop_close(&loop, &connection.device);
    loop_disarm(&loop, &connection.timer);
    host = fd_close(host);
    (void)fd_close(loop.epoll_fd);
    return 0;
}

/* Takes CAPABILITIES. @return its id */
static uint32_t take_capabilities(void)
{
    uint8_t bytes[64];
    struct frame frame;
    size_t size;
    ssize_t n;

    loop_turn(&loop);
    n = read(host, bytes, sizeof(bytes));
    assert_int_equal(n, 20);
    assert_int_equal(frame_decode(bytes, (size_t)n, &frame, &size), 0);
    assert_int_equal(frame.type, FRAME_CAPABILITIES);
    assert_int_equal(frame.flags, 0);
    assert_int_not_equal(frame.id, 0);
    assert_int_equal(connection.state, LINK_GREETING);
    return frame.id;
}

static void send_welcome(uint32_t id, uint32_t status)
{
    const struct welcome welcome = {.major = 1, .status = status, .name = wire_text_of("vm")};
    uint8_t bytes[64];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    size_t start = frame_begin(&writer, FRAME_WELCOME, FRAME_FLAG_ANSWER, id);

    welcome_pack(&writer, &welcome);
    assert_int_equal(frame_end(&writer, start), 0);
    assert_int_equal(write(host, bytes, writer.size), (ssize_t)writer.size);
    loop_turn(&loop);
}

static void send_ping(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[16];
        struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};

        assert_int_equal(frame_end(&writer, frame_begin(&writer, FRAME_PING, 0, 1)), 0);
        assert_int_equal(write(host, bytes, sizeof(bytes)), 16);
    }
}

static void come_up(void)
{
    send_welcome(take_capabilities(), WELCOME_ACCEPTED);
    assert_int_equal(connection.state, LINK_UP);
    assert_int_equal(welcomes, 1);
}

/* Fires the link's timer, whenever it would be. */
static void fire(void)
{
    loop_arm(&loop, &connection.timer, clock_now_ns());
    loop_turn(&loop);
}

static void a_host_is_greeted_and_its_frames_are_taken(void **state)
{
    (void)state;
    come_up();
    send_ping(3);
    loop_turn(&loop);
    assert_int_equal(frames, 3);
    assert_int_equal(link_room(&connection), INIT_OUTPUT_SIZE);
}

static void frames_may_come_in_single_bytes(void **state)
{
    uint8_t bytes[16];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};

    (void)state;
    come_up();
    assert_int_equal(frame_end(&writer, frame_begin(&writer, FRAME_PING, 0, 1)), 0);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        assert_int_equal(frames, 0);
        assert_int_equal(write(host, bytes + i, 1), 1);
        loop_turn(&loop);
    }
    assert_int_equal(frames, 1);
}

static void a_flood_of_frames_is_taken_in_turns(void **state)
{
    (void)state;
    come_up();
    send_ping(INIT_FRAMES_PER_TURN * 2 + 1);
    loop_turn(&loop);
    assert_int_equal(frames, INIT_FRAMES_PER_TURN);
    loop_turn(&loop);
    loop_turn(&loop);
    assert_int_equal(frames, INIT_FRAMES_PER_TURN * 2 + 1);
}

/* Others answer between our turns: their frames must not make us forget ours. */
static void an_answer_between_the_turns_holds_up_no_frames(void **state)
{
    (void)state;
    come_up();
    send_ping(INIT_FRAMES_PER_TURN * 2 + 1);
    while (frames < INIT_FRAMES_PER_TURN * 2 + 1) {
        assert_non_null(link_begin(&connection, FRAME_LOG_RECORD, 0, 0));
        assert_int_equal(link_end(&connection), 0);
        assert_true(frames == 0 || (connection.source.events & EPOLLOUT));
        loop_turn(&loop);
    }
}

static void a_refusal_is_retried_slowly(void **state)
{
    (void)state;
    send_welcome(take_capabilities(), WELCOME_VERSION);
    assert_int_equal(connection.state, LINK_DOWN);
    assert_int_equal(welcomes, 0);
    assert_int_equal(losses, 0);
    assert_in_range(connection.timer.at_ns, clock_in_ms(INIT_PAUSE_REFUSED_MS / 2) + 1,
                    UINTMAX_MAX);
    fire();
    assert_int_equal(dials, 2);
}

static void each_violation_ends_the_connection(void **state)
{
    static const char *const bytes[] = {
        "X",                                  /* no magic */
        "GLNK\x10\0\0\0\x01\0\x01\0\x01\0\0", /* a length of 65537 */
    };
    static const size_t sizes[] = {1, 16};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        welcomes = losses = 0;
        come_up();
        assert_int_equal(write(host, bytes[i], sizes[i]), (ssize_t)sizes[i]);
        loop_turn(&loop);
        assert_int_equal(connection.state, LINK_DOWN);
        assert_int_equal(losses, 1);
        fire();
        assert_int_equal(connection.state, LINK_CONNECTING);
    }
}

static void a_first_frame_that_is_no_welcome_ends_the_connection(void **state)
{
    (void)state;
    (void)take_capabilities();
    send_ping(1);
    loop_turn(&loop);
    assert_int_equal(connection.state, LINK_DOWN);
    assert_int_equal(frames, 0);
}

static void a_frame_that_the_user_refuses_ends_the_connection(void **state)
{
    (void)state;
    come_up();
    wrong = "test";
    send_ping(2);
    loop_turn(&loop);
    assert_int_equal(frames, 1);
    assert_int_equal(connection.state, LINK_DOWN);
}

static void a_host_that_goes_is_called_again(void **state)
{
    uint32_t generation;

    (void)state;
    come_up();
    generation = connection.generation;
    host = fd_close(host);
    loop_turn(&loop);
    assert_int_equal(connection.state, LINK_DOWN);
    assert_int_equal(losses, 1);
    assert_null(link_begin(&connection, FRAME_PING, 0, 1));
    fire();
    welcomes = 0;
    come_up();
    assert_int_not_equal(connection.generation, generation);
}

/* As if the host had said nothing for so long that the timer ran off. */
static void be_silent(void)
{
    connection.heard_ns = 1;
    fire();
}

static void a_silent_host_is_asked_and_given_up_only_if_it_stays_silent(void **state)
{
    struct frame frame;
    uint8_t bytes[64];
    size_t size;
    ssize_t n;

    (void)state;
    come_up();
    fire(); /* heard of just now: not asked */
    assert_int_equal(read(host, bytes, sizeof(bytes)), -1);
    for (int i = 0; i < 2; i++) {
        be_silent();
        n = read(host, bytes, sizeof(bytes));
        assert_int_equal(n, 16);
        assert_int_equal(frame_decode(bytes, (size_t)n, &frame, &size), 0);
        assert_int_equal(frame.type, FRAME_PING);
        assert_int_not_equal(frame.id, 0);
        assert_in_range(connection.timer.at_ns, clock_in_ms(INIT_PING_MS / 2) + 1, UINTMAX_MAX);
        send_ping(1); /* anything will do */
        loop_turn(&loop);
        assert_int_equal(connection.state, LINK_UP);
    }
    be_silent();
    be_silent();
    assert_int_equal(connection.state, LINK_DOWN);
    assert_int_equal(losses, 1);
    assert_in_range(connection.timer.at_ns, 0, clock_in_ms(UINT64_C(2) * INIT_PAUSE_FIRST_MS) - 1);
}

static void pauses_grow_while_nobody_is_there(void **state)
{
    uint32_t last = 0;

    (void)state;
    dial_error = ECONNREFUSED;
    host = fd_close(host);
    loop_turn(&loop); /* CONNECTING, and its end is gone */
    for (int i = 0; i < 12; i++) {
        fire();
        assert_int_equal(connection.state, LINK_DOWN);
        assert_in_range(connection.pause_ms, last, UINTMAX_MAX);
        last = connection.pause_ms;
    }
    assert_int_equal(last, INIT_PAUSE_LAST_MS);
}

/* ± 25 %, so that a hundred guests do not knock at once. */
static void pauses_are_not_all_the_same(void **state)
{
    const uint64_t ns = UINT64_C(1000000);
    bool shorter = false, longer = false;

    (void)state;
    dial_error = ECONNREFUSED;
    host = fd_close(host);
    loop_turn(&loop);
    for (int i = 0; i < 60; i++) {
        uint64_t before = clock_now_ns();

        fire();
        if (i < 12)
            continue;
        assert_in_range(connection.timer.at_ns, before + INIT_PAUSE_LAST_MS * 3 / 4 * ns,
                        clock_now_ns() + INIT_PAUSE_LAST_MS * 5 / 4 * ns);
        shorter = shorter || connection.timer.at_ns < before + INIT_PAUSE_LAST_MS * ns;
        longer = longer || connection.timer.at_ns > clock_now_ns() + INIT_PAUSE_LAST_MS * ns;
    }
    assert_true(shorter && longer);
}

/* How many lines of the log had those words since count_lines(). */
static const char *counted_words;
static unsigned lines;

static void on_line(void *context, int level, uint32_t dropped, const char *text)
{
    (void)context;
    (void)level;
    (void)dropped;
    lines += strstr(text, counted_words) != NULL;
}

static void count_lines(const char *words)
{
    counted_words = words;
    lines = 0;
    kmsg_log_set_sink(on_line, NULL);
}

/* Not each of them: the first, and one for each longest pause. */
static void calls_that_fail_are_told_now_and_then(void **state)
{
    unsigned at_longest = 0;

    (void)state;
    (void)take_capabilities();
    connection.state = LINK_CONNECTING;
    connection.pause_ms = INIT_PAUSE_FIRST_MS;
    dial_error = ECONNREFUSED;
    count_lines("; will retry in about");
    fire();
    for (int i = 0; i < 12; i++) {
        at_longest += connection.pause_ms == INIT_PAUSE_LAST_MS;
        fire();
    }
    assert_in_range(at_longest, 2, 10);
    assert_int_equal(lines, 1 + at_longest);

    dial_error = ENODEV; /* that it is not there is told once, and waited for */
    count_lines("host: ");
    for (int i = 0; i < 3; i++)
        fire();
    assert_int_equal(lines, 1);
}

/* Each time that a host is given ends in its own way. */
static void a_host_that_does_not_answer_in_time_is_called_again(void **state)
{
    (void)state;
    count_lines("host: connect: no answer in time: ");
    connection.timer.expired(&connection.timer); /* connecting */
    assert_int_equal(connection.state, LINK_DOWN);
    assert_int_equal(lines, 1);
    fire();
    (void)take_capabilities();
    connection.pause_ms = INIT_PAUSE_FIRST_MS;
    count_lines("host: capabilities: no WELCOME in time: ");
    connection.timer.expired(&connection.timer); /* greeted */
    assert_int_equal(connection.state, LINK_DOWN);
    assert_int_equal(lines, 1);
    assert_int_equal(losses, 0); /* it was never up */
}

/* The host's end is gone, and what we write finds that out before we read. */
static void a_connection_that_breaks_while_we_write_is_made_again(void **state)
{
    (void)state;
    come_up();
    host = fd_close(host);
    assert_non_null(link_begin(&connection, FRAME_PING, 0, 1));
    assert_int_equal(link_end(&connection), 0);
    assert_int_equal(link_room(&connection), 0);
    assert_null(link_begin(&connection, FRAME_PING, 0, 1));
    assert_int_equal(losses, 0); /* not under the hands of who writes */
    loop_watch(&loop, &connection.source, 0);
    count_lines("host: connection lost: Broken pipe; ");
    connection.timer.expired(&connection.timer);
    assert_int_equal(lines, 1);
    assert_int_equal(connection.state, LINK_DOWN);
    assert_int_equal(losses, 1);
}

static void a_missing_device_is_waited_for(void **state)
{
    (void)state;
    dial_error = ENODEV;
    (void)take_capabilities();
    host = fd_close(host);
    loop_turn(&loop);
    dials = 0;
    fire();
    assert_int_equal(dials, 2); /* once more after it began to listen */
    assert_true(connection.device.fd >= 0);
}

/* @return how often a link in @p state calls its host when the kernel reports that */
static unsigned dials_after(enum link_state link_state, const struct uevent *events, unsigned count,
                            int error)
{
    uevents = events;
    uevent_count = count;
    uevent_error = error;
    dials = 0;
    dial_error = ECONNREFUSED; /* then it stays DOWN */
    connection.state = link_state;
    connection.device.ready(&connection.device, EPOLLIN);
    return dials;
}

static void what_may_have_brought_the_device_is_followed_by_a_call(void **state)
{
    static const char *const subsystems[] = {"virtio", "virtio-ports", "vmbus", "module"};
    struct uevent events[3] = {{.action = "add", .subsystem = "net"},
                               {.action = "remove", .subsystem = "virtio"},
                               {.action = "change", .subsystem = "block"}};

    a_missing_device_is_waited_for(state);
    assert_int_equal(dials_after(LINK_DOWN, events, 3, EAGAIN), 0);
    assert_int_equal(dials_after(LINK_DOWN, NULL, 0, EAGAIN), 0);
    assert_int_equal(dials_after(LINK_DOWN, NULL, 0, ENOBUFS), 1); /* what was lost is not known */
    for (size_t i = 0; i < sizeof(subsystems) / sizeof(subsystems[0]); i++) {
        (void)snprintf(events[0].subsystem, sizeof(events[0].subsystem), "%s", subsystems[i]);
        connection.pause_ms = INIT_PAUSE_LAST_MS;
        assert_int_equal(dials_after(LINK_DOWN, events, 3, EAGAIN), 1);
        assert_in_range(connection.pause_ms, INIT_PAUSE_FIRST_MS, 2 * INIT_PAUSE_FIRST_MS);
    }
    assert_int_equal(dials_after(LINK_UP, events, 3, EAGAIN), 0);
    assert_int_equal(dials_after(LINK_UP, NULL, 0, ENOBUFS), 0);
    connection.state = LINK_DOWN;
}

static void on_tick(struct loop_timer *timer)
{
    (void)timer;
}

static void a_host_that_does_not_read_makes_requests_wait(void **state)
{
    static uint8_t payload[60000];
    struct loop_timer tick = {.expired = on_tick};
    struct wire_writer *writer;

    (void)state;
    come_up();
    while (link_room(&connection) > 65000 || connection.out.size == connection.out_start) {
        writer = link_begin(&connection, FRAME_LOG_RECORD, 0, 0);
        assert_non_null(writer);
        wire_put_bytes(writer, payload, sizeof(payload));
        if (link_end(&connection) != 0)
            break;
    }
    while ((writer = link_begin(&connection, FRAME_LOG_RECORD, 0, 0))) {
        wire_put_bytes(writer, payload, 3000);
        if (link_end(&connection) != 0)
            break;
    }
    assert_in_range(link_room(&connection), 0, INIT_ANSWER_RESERVE - 1);
    send_ping(1);
    assert_false(connection.source.events & EPOLLIN);
    for (int i = 0; i < 64 && frames == 0; i++) {
        (void)!read(host, payload, sizeof(payload));
        loop_arm(&loop, &tick, clock_in_ms(5));
        loop_turn(&loop);
    }
    loop_disarm(&loop, &tick);
    assert_int_equal(frames, 1);
}

/* Queues frames until there is no room for a large one. */
static void fill(void)
{
    static const uint8_t data[4096];

    while (link_room(&connection) > sizeof(data) + FRAME_HEADER_SIZE) {
        wire_put_bytes(link_begin(&connection, FRAME_PROCESS_OUTPUT, 0, 0), data, sizeof(data));
        assert_int_equal(link_end(&connection), 0);
    }
}

static void take_all(void)
{
    uint8_t bytes[4096];

    while (read(host, bytes, sizeof(bytes)) > 0)
        ;
}

static void who_waits_for_room_is_told_also_if_a_frame_took_the_rest_along(void **state)
{
    unsigned before;

    (void)state;
    come_up();
    fill();
    before = drains;
    for (unsigned i = 0; i < 1000 && connection.out.size > 0; i++) {
        take_all();
        assert_non_null(link_begin(&connection, FRAME_PING, 0, link_new_id(&connection)));
        assert_int_equal(link_end(&connection), 0);
    }
    assert_int_equal(connection.out.size, 0);
    take_all();
    send_ping(1); /* is read first, and changes nothing */
    loop_turn(&loop);
    loop_turn(&loop);
    assert_in_range(drains, before + 1, UINTMAX_MAX);
    assert_int_equal(connection.source.events & EPOLLOUT, 0);
}

#define LIVE(test)  cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define FIRST(test) cmocka_unit_test_setup_teardown(test, set_up_first_call, tear_down)

static void the_first_call_is_greeted_before_the_loop_turns(void **state)
{
    uint8_t bytes[64];

    (void)state;
    link_await(&connection, 10000);
    assert_int_equal(connection.state, LINK_GREETING);
    assert_int_equal(read(host, bytes, sizeof(bytes)), 20);
    assert_int_equal(connection.source.events, EPOLLIN);
}

static void a_first_call_that_takes_longer_is_left_to_the_loop(void **state)
{
    uint8_t bytes[4096] = {0};

    (void)state;
    while (write(connection.source.fd, bytes, sizeof(bytes)) > 0)
        continue; /* it is not writable then: it does not stand */
    link_await(&connection, 0);
    assert_int_equal(connection.state, LINK_CONNECTING);
    while (read(host, bytes, sizeof(bytes)) > 0)
        continue;
    (void)take_capabilities();
}

/* A reset, told as the kernel tells of a call that failed. */
static void a_call_that_fails_is_made_again(void **state)
{
    const struct linger at_once = {.l_onoff = 1};
    struct sockaddr_in address_in = {.sin_family = AF_INET};
    socklen_t size = sizeof(address_in);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int peer;

    (void)state;
    address_in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&address_in, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address_in, &size), 0);
    (void)fd_close(connection.source.fd);
    connection.source.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(connection.source.fd, (struct sockaddr *)&address_in, size), 0);
    peer = accept(listener, NULL, NULL);
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    (void)fd_close(peer);
    (void)fd_close(listener);
    link_await(&connection, 10000);
    assert_int_equal(connection.state, LINK_DOWN);
    while (connection.state != LINK_GREETING)
        loop_turn(&loop);
    assert_int_equal(dials, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* first those that look at the log, of which there is only so much in a second */
        LIVE(calls_that_fail_are_told_now_and_then),
        LIVE(a_host_that_does_not_answer_in_time_is_called_again),
        LIVE(a_connection_that_breaks_while_we_write_is_made_again),
        FIRST(the_first_call_is_greeted_before_the_loop_turns),
        FIRST(a_first_call_that_takes_longer_is_left_to_the_loop),
        FIRST(a_call_that_fails_is_made_again),
        LIVE(a_host_is_greeted_and_its_frames_are_taken),
        LIVE(frames_may_come_in_single_bytes),
        LIVE(a_flood_of_frames_is_taken_in_turns),
        LIVE(an_answer_between_the_turns_holds_up_no_frames),
        LIVE(a_refusal_is_retried_slowly),
        LIVE(each_violation_ends_the_connection),
        LIVE(a_first_frame_that_is_no_welcome_ends_the_connection),
        LIVE(a_frame_that_the_user_refuses_ends_the_connection),
        LIVE(a_host_that_goes_is_called_again),
        LIVE(a_silent_host_is_asked_and_given_up_only_if_it_stays_silent),
        LIVE(pauses_grow_while_nobody_is_there),
        LIVE(pauses_are_not_all_the_same),
        LIVE(a_missing_device_is_waited_for),
        LIVE(what_may_have_brought_the_device_is_followed_by_a_call),
        LIVE(a_host_that_does_not_read_makes_requests_wait),
        LIVE(who_waits_for_room_is_told_also_if_a_frame_took_the_rest_along),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* PID 1 blocks it */
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
