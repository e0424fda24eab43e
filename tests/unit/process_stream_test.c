/* process_stream: what is read, held back, written and given up, one call at a time. */
#include "descriptors.h"
#include "init/base/clock.h"
#include "init/base/fd.h"
#include "init/process/process_stream.h"
#include "init/process/spawn.h"
#include "link_support.h"
#include "protocol/event.h"
#include "protocol/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop loop;
static struct link connection;
static struct processes processes;
static struct process *const process = &processes.table[0];
static int host;
static int out_end[2], in_end; /* the program's */
static unsigned ended;
static unsigned answers;
static uint32_t answered_id;
static int answered_error;
static char data[INIT_INPUT_SIZE + 1];

void __wrap_link_answer(struct link *link, uint32_t id, uint32_t generation,
                        const struct report *report);
void __wrap_link_answer(struct link *link, uint32_t id, uint32_t generation,
                        const struct report *report)
{
    assert_ptr_equal(link, &connection);
    assert_int_equal(generation, 3);
    answers++;
    answered_id = id;
    answered_error = report->error;
}

static void on_ended(struct process *which)
{
    assert_ptr_equal(which, process);
    ended++;
}

/* Command 7 runs, with pipes for all of its streams. */
static int set_up(void **state)
{
    struct spawned spawned = {0};
    int ends[2];

    (void)state;
    memset(&processes, 0, sizeof(processes));
    ended = answers = 0;
    assert_int_equal(loop_init(&loop), 0);
    host = link_support_up(&connection, &loop);
    processes.loop = &loop;
    processes.link = &connection;
    processes_init(&processes);
    processes.stream_ended = on_ended;
    process->used = true;
    process->number = 7;
    process->pid = 4242;
    process->role = REQUEST_ROLE_COMMAND;
    process->untaken = 5; /* of a run before */
    process->input_size = 5;
    process->input_ended = true;
    process->input_id = 5;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        spawned.out_fd[i] = ends[0];
        out_end[i] = ends[1];
    }
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    spawned.in_fd = ends[1];
    in_end = ends[0];
    process_stream_open(process, &spawned);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_close(&loop, &process->in);
    in_end = fd_close(in_end);
    for (int i = 0; i < 2; i++) {
        loop_close(&loop, &process->out[i]);
        out_end[i] = fd_close(out_end[i]);
    }
    link_support_down(&connection, host);
    (void)fd_close(loop.epoll_fd);
    return 0;
}

static void print(int stream, const char *text)
{
    assert_int_equal(write(out_end[stream], text, strlen(text)), (ssize_t)strlen(text));
}

/* Its stream is ready. */
static void read_stream(int stream)
{
    process->out[stream].ready(&process->out[stream], EPOLLIN);
}

/* The host hears that, and nothing more. */
static void need_output(unsigned stream, const char *text)
{
    struct event_process_output event;
    struct frame frame;

    assert_true(link_support_take(host, &frame));
    assert_int_equal(frame.type, FRAME_PROCESS_OUTPUT);
    assert_int_equal(frame.flags, 0);
    assert_int_equal(event_process_output_unpack(frame.payload, frame.length, &event), 0);
    assert_int_equal(event.process, 7);
    assert_int_equal(event.stream, stream);
    assert_int_equal(event.data.size, strlen(text));
    assert_memory_equal(event.data.data, text, event.data.size);
    assert_false(link_support_take(host, &frame));
}

static bool is_quiet(void)
{
    struct frame frame;

    return !link_support_take(host, &frame);
}

static void each_stream_is_told_and_its_end(void **state)
{
    (void)state;
    assert_int_equal(process->out[0].events, EPOLLIN);
    assert_int_equal(process->out[1].events, EPOLLIN);
    print(0, "out");
    print(1, "err");
    read_stream(0);
    need_output(EVENT_STDOUT, "out");
    read_stream(1);
    need_output(EVENT_STDERR, "err");
    read_stream(0); /* nothing there */
    assert_true(is_quiet());
    assert_int_equal(ended, 0);
    out_end[0] = fd_close(out_end[0]);
    read_stream(0);
    need_output(EVENT_STDOUT, "");
    assert_int_equal(ended, 1);
    assert_int_equal(process->out[0].fd, -1);
    assert_true(process->out[1].fd >= 0);
    assert_int_equal(process->untaken, 0); /* only a connection has a window */
    assert_int_equal(process->after_exit[0] + process->after_exit[1], 0);
}

static void an_orphans_output_is_read_and_dropped(void **state)
{
    (void)state;
    process->orphaned = true;
    connection.out.size = connection.out.capacity; /* whatever the host takes */
    connection.out_start = 0;
    print(0, "out");
    read_stream(0);
    assert_int_equal(connection.out.size, connection.out.capacity);
    out_end[0] = fd_close(out_end[0]);
    read_stream(0);
    assert_int_equal(ended, 1);
    connection.out.size = 0;
    assert_true(is_quiet());
}

/* Room is kept for answers: a stream is read if the longest chunk fits beside it. */
static void a_stream_waits_for_room_in_the_link(void **state)
{
    const size_t needed = INIT_OUTPUT_RESERVE + FRAME_HEADER_SIZE + LIMITS_STREAM_CHUNK + 64;
    char text[4] = "";

    (void)state;
    print(0, "out");
    connection.out.size = connection.out.capacity - needed + 1;
    read_stream(0);
    assert_int_equal(process->out[0].events, 0);
    assert_int_equal(process->out[1].events, EPOLLIN); /* it had nothing to say */
    connection.out.size = 0;
    process_resume(&processes);
    assert_int_equal(process->out[0].events, EPOLLIN);
    connection.out.size = connection.out.capacity - needed;
    read_stream(0);
    assert_int_equal(process->out[0].events, EPOLLIN);
    assert_int_equal(read(process->out[0].fd, text, sizeof(text)), -1); /* it was read */
    connection.out.size = connection.out_start = 0;
    connection.state = LINK_DOWN; /* then there is nobody to wait for */
    print(0, "out");
    read_stream(0);
    assert_int_equal(read(process->out[0].fd, text, sizeof(text)), -1);
    assert_int_equal(process->out[0].events, EPOLLIN);
}

static void one_that_is_not_used_is_not_resumed(void **state)
{
    (void)state;
    loop_watch(&loop, &process->out[0], 0);
    process->used = false;
    process_resume(&processes);
    assert_int_equal(process->out[0].events, 0);
}

static void a_connections_window_is_closed_and_opened(void **state)
{
    (void)state;
    process->flags = REQUEST_PROCESS_CONNECTION;
    print(0, "out");
    process->untaken = LIMITS_CONNECTION_WINDOW - LIMITS_STREAM_CHUNK + 1;
    read_stream(0);
    assert_int_equal(process->out[0].events, 0);
    assert_true(is_quiet());
    process_output_taken(process, 1);
    assert_int_equal(process->untaken, LIMITS_CONNECTION_WINDOW - LIMITS_STREAM_CHUNK);
    assert_int_equal(process->out[0].events, EPOLLIN);
    read_stream(0);
    need_output(EVENT_STDOUT, "out");
    assert_int_equal(process->untaken, LIMITS_CONNECTION_WINDOW - LIMITS_STREAM_CHUNK + 3);
    print(0, "out");
    process->orphaned = true; /* nobody takes any of it */
    read_stream(0);
    assert_int_equal(process->out[0].events, EPOLLIN);
    process_output_taken(process, process->untaken);
    assert_int_equal(process->untaken, 0);
}

/* What was in the pipe at the exit is taken in any case. */
static void after_the_exit_there_is_an_end(void **state)
{
    const uint64_t longest_ns = INIT_STREAMS_LONGEST_MS * CLOCK_NS_PER_MS;

    (void)state;
    print(0, "owed");
    process->exited = true;
    process->exited_ns = clock_now_ns() - longest_ns;
    process->owed[1] = 77;
    process_stream_note_owed(process);
    assert_int_equal(process->owed[0], 4);
    assert_int_equal(process->owed[1], 0);
    process->owed[0] = 5; /* a byte more than is read */
    read_stream(0);
    assert_int_equal(process->after_exit[0], 4);
    assert_int_equal(ended, 0);
    process_stream_close_quiet(process); /* both: nothing is there */
    assert_int_equal(process->out[0].fd, -1);
    assert_int_equal(process->out[1].fd, -1);
    process_stream_note_owed(process);
    assert_int_equal(process->owed[0], 0);
}

static void one_that_was_heard_out_is_closed_late(void **state)
{
    const uint64_t longest_ns = INIT_STREAMS_LONGEST_MS * CLOCK_NS_PER_MS;

    (void)state;
    process->exited = true;
    process->exited_ns = clock_now_ns();
    print(0, "more");
    process_stream_close_quiet(process);
    assert_true(process->out[0].fd >= 0); /* it is not quiet */
    assert_int_equal(process->out[1].fd, -1);
    read_stream(0);
    assert_true(process->out[0].fd >= 0); /* and there is time */
    process->exited_ns = clock_now_ns() - longest_ns;
    print(0, "more");
    read_stream(0);
    assert_int_equal(process->out[0].fd, -1);
    assert_int_equal(ended, 1);
}

static void no_more_than_so_much_is_taken_after_the_exit(void **state)
{
    (void)state;
    process->exited = true;
    process->exited_ns = clock_now_ns();
    process->after_exit[0] = INIT_AFTER_EXIT - 1;
    print(0, "x");
    read_stream(0);
    assert_true(process->out[0].fd >= 0);
    print(0, "xy");
    process->after_exit[1] = INIT_AFTER_EXIT + 1;
    process->owed[1] = INIT_AFTER_EXIT + 3;
    print(1, "xy");
    process_stream_close_quiet(process);
    assert_true(process->out[0].fd >= 0);
    assert_true(process->out[1].fd >= 0); /* those are owed */
    read_stream(0);
    assert_int_equal(process->out[0].fd, -1);
    read_stream(1);
    assert_int_equal(process->out[1].fd, -1);
    assert_int_equal(ended, 2);
}

static void a_connection_is_hung_up_whatever_its_window(void **state)
{
    (void)state;
    process->flags = REQUEST_PROCESS_CONNECTION;
    process->untaken = LIMITS_CONNECTION_WINDOW;
    print(0, "out");
    process_stream_hang_up(process);
    need_output(EVENT_STDOUT, "");
    assert_int_equal(process->out[0].fd, -1);
    assert_int_equal(process->in.fd, -1);
    assert_int_equal(ended, 1);
}

static void a_command_without_a_terminal_is_not_hung_up(void **state)
{
    (void)state;
    process_stream_hang_up(process);
    assert_true(process->out[0].fd >= 0 && process->in.fd >= 0);
    process->flags = REQUEST_PROCESS_PTY;
    process_stream_hang_up(process);
    need_output(EVENT_STDOUT, "");
    assert_int_equal(process->out[0].fd, -1);
    assert_int_equal(process->in.fd, -1);
    assert_int_equal(ended, 1);
    process_stream_hang_up(process); /* once */
    assert_true(is_quiet());
    assert_int_equal(ended, 1);
}

/* @return what process_input() says to that many bytes for that request */
static int feed(size_t size, uint32_t id)
{
    const struct request_process_input input = {.process = 7, .data = {data, size}};
    struct report report = {0};

    return process_input(process, &input, id, 3, &report);
}

static void input_is_answered_when_all_of_it_is_taken(void **state)
{
    size_t room = 0;
    ssize_t n;

    (void)state;
    assert_int_equal(feed(sizeof(data), 20), EAGAIN);
    assert_int_equal(feed(5, 21), 0);
    assert_int_equal(answers, 1);
    assert_int_equal(answered_id, 21);
    assert_int_equal(answered_error, 0);
    assert_int_equal(process->in.events, 0); /* nothing waits */
    assert_int_equal(feed(5, 0), 0);         /* nobody asks */
    assert_int_equal(answers, 1);
    assert_int_equal(read(in_end, data, sizeof(data)), 10);
    while ((n = write(process->in.fd, data, 4096)) > 0)
        room += (size_t)n;
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(feed(INIT_INPUT_SIZE, 22), 0);
    assert_int_equal(answers, 1);
    assert_int_equal(process->in.events, EPOLLOUT);
    assert_int_equal(feed(1, 23), EAGAIN);
    while ((n = read(in_end, data, 4096)) > 0)
        room -= (size_t)n;
    assert_int_equal(room, 0);
    loop_turn(&loop);
    assert_int_equal(answers, 2);
    assert_int_equal(answered_id, 22);
    assert_int_equal(process->input_size, 0);
    assert_int_equal(feed(0, 24), 0);
    assert_int_equal(answered_id, 24);
    assert_int_equal(answered_error, 0);
    assert_int_equal(process->in.fd, -1);
    assert_int_equal(feed(1, 25), EPIPE);
    assert_int_equal(answers, 3);
}

static void input_that_nobody_reads_is_epipe(void **state)
{
    (void)state;
    in_end = fd_close(in_end);
    assert_int_equal(feed(5, 21), 0);
    assert_int_equal(answers, 1);
    assert_int_equal(answered_id, 21);
    assert_int_equal(answered_error, EPIPE);
    assert_int_equal(process->in.fd, -1);
    process_stream_close_input(process); /* nobody waits */
    assert_int_equal(answers, 1);
}

static void a_process_without_streams_has_none(void **state)
{
    const struct spawned none = {.out_fd = {-1, -1}, .in_fd = -1};

    (void)tear_down(state);
    (void)set_up(state);
    loop_close(&loop, &process->in);
    loop_close(&loop, &process->out[0]);
    loop_close(&loop, &process->out[1]);
    process_stream_open(process, &none);
    assert_int_equal(process->out[0].events + process->out[1].events, 0);
    assert_int_equal(feed(1, 21), EPIPE);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(each_stream_is_told_and_its_end),
        LIVE(an_orphans_output_is_read_and_dropped),
        LIVE(a_stream_waits_for_room_in_the_link),
        LIVE(one_that_is_not_used_is_not_resumed),
        LIVE(a_connections_window_is_closed_and_opened),
        LIVE(after_the_exit_there_is_an_end),
        LIVE(one_that_was_heard_out_is_closed_late),
        LIVE(no_more_than_so_much_is_taken_after_the_exit),
        LIVE(a_command_without_a_terminal_is_not_hung_up),
        LIVE(a_connection_is_hung_up_whatever_its_window),
        LIVE(input_is_answered_when_all_of_it_is_taken),
        LIVE(input_that_nobody_reads_is_epipe),
        LIVE(a_process_without_streams_has_none),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
