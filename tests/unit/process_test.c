/* process: what is started, what comes out of it, and how its end is told. */
#include "descriptors.h"
#include "init/base/clock.h"
#include "init/base/fd.h"
#include "init/process/payload.h"
#include "init/process/process.h"
#include "link_support.h"
#include "protocol/event.h"
#include "protocol/limits.h"

#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop loop;
static struct link connection;
static struct exit_reports exits;
static struct processes processes;
static int host;
static struct report answered;
static uint32_t answered_id;
static char chunk[LIMITS_STREAM_CHUNK];

int __wrap_cgroup_open(void);
int __wrap_cgroup_open(void)
{
    return -ENODEV; /* not this machine's */
}

/* Another user's child keeps its groups, which only root may drop. */
int __real_setgroups(size_t count, const gid_t *groups);
int __wrap_setgroups(size_t count, const gid_t *groups);
int __wrap_setgroups(size_t count, const gid_t *groups)
{
    assert_int_equal(count, 0);
    return geteuid() == 0 ? __real_setgroups(count, groups) : 0;
}

void __wrap_link_answer(struct link *link, uint32_t id, uint32_t generation,
                        const struct report *report);
void __wrap_link_answer(struct link *link, uint32_t id, uint32_t generation,
                        const struct report *report)
{
    assert_ptr_equal(link, &connection);
    (void)generation;
    answered_id = id;
    answered = *report;
}

static int set_up(void **state)
{
    (void)state;
    memset(&processes, 0, sizeof(processes));
    memset(&exits, 0, sizeof(exits));
    answered_id = 0;
    assert_int_equal(loop_init(&loop), 0);
    host = link_support_up(&connection, &loop);
    processes.loop = &loop;
    processes.link = &connection;
    processes.exits = &exits;
    processes_init(&processes);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    link_support_down(&connection, host);
    (void)fd_close(loop.epoll_fd);
    return 0;
}

/* Starts `/bin/sh -c COMMAND` as process 7. */
static int start(const char *path, const char *command, uint16_t role, uint16_t restart,
                 uint32_t flags)
{
    uint8_t bytes[1024];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    struct request_start_process request = {.process = 7,
                                            .role = role,
                                            .restart = restart,
                                            .flags = flags | REQUEST_PROCESS_OUTPUT,
                                            .uid = geteuid(),
                                            .gid = getegid(),
                                            .rows = 24,
                                            .columns = 80,
                                            .argv = {.data = bytes, .count = 3}};
    struct report report = {0};

    wire_put_list_item(&writer, wire_text_of(path));
    wire_put_list_item(&writer, wire_text_of("-c"));
    wire_put_list_item(&writer, wire_text_of(command));
    request.argv.size = writer.size;
    return process_start(&processes, &request, 21, 1, &report);
}

struct outcome {
    char out[2][256]; /* stdout, stderr */
    unsigned ends[2];
    struct event_child_exited event;
    bool over;
};

static void take_frames(struct outcome *outcome)
{
    struct event_process_output output;
    struct frame frame;

    while (link_support_take(host, &frame)) {
        if (frame.type == FRAME_PROCESS_OUTPUT) {
            assert_int_equal(event_process_output_unpack(frame.payload, frame.length, &output), 0);
            assert_int_equal(output.process, 7);
            if (output.data.size == 0)
                outcome->ends[output.stream - 1]++;
            else if (strlen(outcome->out[output.stream - 1]) + output.data.size < 256)
                (void)strncat(outcome->out[output.stream - 1], output.data.data, output.data.size);
        } else if (frame.type == FRAME_CHILD_EXITED) {
            assert_int_equal(
                event_child_exited_unpack(frame.payload, frame.length, &outcome->event), 0);
            outcome->over = true;
        }
    }
}

static void on_tick(struct loop_timer *timer)
{
    (void)timer;
}

/* Turns the loop, and reaps, until the end of process 7 was told, or its stdout has @p text. */
static void run_until(const char *text, struct outcome *outcome)
{
    struct loop_timer tick = {.expired = on_tick};
    uint64_t end = clock_in_ms(60000);

    while (!outcome->over && (!text || !strstr(outcome->out[0], text)) && clock_now_ns() < end) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid > 0)
            assert_true(process_reaped(&processes, pid, status));
        loop_arm(&loop, &tick, clock_in_ms(2));
        loop_turn(&loop);
        take_frames(outcome);
    }
    loop_disarm(&loop, &tick);
    assert_true(text ? strstr(outcome->out[0], text) != NULL : outcome->over);
}

static struct outcome run_to_end(void)
{
    struct outcome outcome = {0};

    run_until(NULL, &outcome);
    return outcome;
}

/* Waits for the end of process 7, and tells it to PID 1. @return its wait status */
static int reap(void)
{
    int status;
    pid_t pid = waitpid(-1, &status, 0);

    assert_true(process_reaped(&processes, pid, status));
    return status;
}

static void output_comes_before_the_end_and_each_stream_ends_once(void **state)
{
    struct outcome outcome;

    (void)state;
    assert_int_equal(start("/bin/sh", "echo out; echo err >&2; exit 3", REQUEST_ROLE_COMMAND, 0, 0),
                     0);
    outcome = run_to_end();
    assert_int_equal(answered_id, 21);
    assert_int_equal(answered.error, 0);
    assert_string_equal(outcome.out[0], "out\n");
    assert_string_equal(outcome.out[1], "err\n");
    assert_int_equal(outcome.ends[0], 1);
    assert_int_equal(outcome.ends[1], 1);
    assert_int_equal(outcome.event.status, 3);
    assert_int_equal(outcome.event.signal, 0);
    assert_int_equal(outcome.event.again_ms, EVENT_NOT_AGAIN);
}

/* On a machine that stood still meanwhile, the time for the streams is over before they are read.
 */
static void streams_that_were_not_read_in_time_are_read_and_ended(void **state)
{
    struct outcome outcome;

    (void)state;
    assert_int_equal(start("/bin/sh", "exit 3", REQUEST_ROLE_COMMAND, 0, 0), 0);
    (void)reap();
    loop_arm(&loop, &processes.table[0].timer, clock_now_ns());
    outcome = run_to_end();
    assert_int_equal(outcome.ends[0], 1);
    assert_int_equal(outcome.ends[1], 1);
    assert_int_equal(outcome.event.status, 3);
}

static void a_signal_is_told_as_such(void **state)
{
    struct report report = {0};
    struct outcome outcome;

    (void)state;
    assert_int_equal(start("/bin/sh", "echo up; exec sleep 60", REQUEST_ROLE_COMMAND, 0, 0), 0);
    assert_int_equal(process_signal(&processes, 7, 0, &report), EINVAL);
    assert_int_equal(process_signal(&processes, 7, 4096, &report), EINVAL);
    assert_int_equal(process_signal(&processes, 8, SIGTERM, &report), ESRCH);
    assert_int_equal(process_signal(&processes, 7, SIGKILL, &report), 0);
    outcome = run_to_end();
    assert_int_equal(outcome.event.signal, SIGKILL);
    assert_int_equal(outcome.event.status, 128 + SIGKILL);
    assert_int_equal(process_signal(&processes, 7, SIGKILL, &report), ESRCH);
}

static void a_number_is_used_once_and_one_payload_runs(void **state)
{
    struct report report = {0};

    (void)state;
    assert_int_equal(start("/bin/sh", "exec sleep 60", REQUEST_ROLE_PAYLOAD, 0, 0), 0);
    assert_true(payload_exists(&processes));
    assert_int_equal(start("/bin/sh", "true", REQUEST_ROLE_PAYLOAD, 0, 0), EALREADY);
    assert_int_equal(start("/bin/sh", "true", REQUEST_ROLE_COMMAND, 0, 0), EEXIST);
    assert_int_equal(start("/bin/sh", "true", REQUEST_ROLE_COMMAND, REQUEST_RESTART_ALWAYS, 0),
                     EINVAL);
    assert_int_equal(start("/bin/sh", "true", 9, 0, 0), EINVAL);
    assert_int_equal(process_signal(&processes, 7, SIGKILL, &report), 0);
    (void)run_to_end();
    assert_false(payload_exists(&processes));
}

static void input_is_fed_and_ended(void **state)
{
    struct request_process_input input = {.process = 7, .data = wire_text_of("hello")};
    struct report report = {0};
    struct outcome outcome;

    (void)state;
    assert_int_equal(start("/bin/sh", "exec cat", REQUEST_ROLE_COMMAND, 0, REQUEST_PROCESS_INPUT),
                     0);
    assert_int_equal(process_input(process_find(&processes, 7), &input, 31, 0, &report), 0);
    assert_int_equal(answered_id, 31);
    assert_int_equal(answered.error, 0);
    input.data.size = 0;
    assert_int_equal(process_input(process_find(&processes, 7), &input, 32, 0, &report), 0);
    assert_int_equal(answered_id, 32);
    assert_int_equal(process_input(process_find(&processes, 7), &input, 33, 0, &report), EPIPE);
    outcome = run_to_end();
    assert_string_equal(outcome.out[0], "hello");
    assert_int_equal(outcome.event.status, 0);
    assert_null(process_find(&processes, 7));
}

/* Feeds @p input until it is not answered at once: the pipe is full. @return the id that waits */
static uint32_t fill(const struct request_process_input *input)
{
    struct report report = {0};
    uint32_t id = 100;

    do {
        assert_int_equal(
            process_input(process_find(&processes, input->process), input, ++id, 0, &report), 0);
        assert_in_range(id, 0, 199);
    } while (answered_id == id);
    return id;
}

static void input_is_answered_when_it_is_taken(void **state)
{
    struct request_process_input input = {.process = 7,
                                          .data = {.data = chunk, .size = sizeof(chunk)}};
    char held[] = "/tmp/guestlink-held-XXXXXX"; /* it reads when this file is gone */
    struct report report = {0};
    char command[128];
    uint32_t id;

    (void)state;
    assert_int_equal(fd_close(mkstemp(held)), -1);
    (void)snprintf(command, sizeof(command),
                   "while [ -e %s ]; do sleep 0.01; done; exec cat >/dev/null", held);
    assert_int_equal(start("/bin/sh", command, REQUEST_ROLE_COMMAND, 0, REQUEST_PROCESS_INPUT), 0);
    id = fill(&input);
    assert_int_equal(process_input(process_find(&processes, 7), &input, 999, 0, &report), EAGAIN);
    assert_int_equal(unlink(held), 0);
    while (answered_id != id)
        loop_turn(&loop);
    assert_int_equal(answered.error, 0);
    input.data.size = 0;
    assert_int_equal(process_input(process_find(&processes, 7), &input, 201, 0, &report), 0);
    (void)run_to_end();
}

/* What a pipe takes is a part of it: the rest follows, in order. */
static void input_arrives_whole_and_in_order(void **state)
{
    struct request_process_input input = {.process = 7,
                                          .data = {.data = chunk, .size = sizeof(chunk)}};
    const unsigned odd = 7; /* so that no part ends where a write does */
    struct report report = {0};
    char wanted[64];
    struct outcome outcome;
    unsigned long sum = 0, at = 0;
    uint32_t id = 100;
    bool waits = false;

    (void)state;
    assert_int_equal(start("/bin/sh",
                           "exec od -v -An -w1 -tu1 | awk '{s=(s*31+$1)%1000003} "
                           "END{print NR, s}'",
                           REQUEST_ROLE_COMMAND, 0, REQUEST_PROCESS_INPUT),
                     0);
    for (unsigned i = 0; i < 40; i++) {
        input.data.size = sizeof(chunk) - odd;
        for (size_t k = 0; k < input.data.size; k++, at++) {
            chunk[k] = (char)(at * at % 251);
            sum = (sum * 31 + (unsigned char)chunk[k]) % 1000003;
        }
        assert_int_equal(process_input(process_find(&processes, 7), &input, ++id, 0, &report), 0);
        waits = waits || answered_id != id;
        while (answered_id != id)
            loop_turn(&loop);
        assert_int_equal(answered.error, 0);
    }
    input.data.size = 0;
    assert_int_equal(process_input(process_find(&processes, 7), &input, ++id, 0, &report), 0);
    outcome = run_to_end();
    (void)snprintf(wanted, sizeof(wanted), "%lu %lu\n", at, sum);
    assert_string_equal(outcome.out[0], wanted);
    assert_true(waits);
}

static void input_that_nobody_takes_any_more_is_answered_too(void **state)
{
    struct request_process_input input = {.process = 7,
                                          .data = {.data = chunk, .size = sizeof(chunk)}};
    struct report report = {0};
    uint32_t id;

    (void)state;
    assert_int_equal(
        start("/bin/sh", "exec sleep 100", REQUEST_ROLE_COMMAND, 0, REQUEST_PROCESS_INPUT), 0);
    id = fill(&input);
    assert_int_not_equal(answered_id, id);
    assert_int_equal(process_signal(&processes, 7, SIGKILL, &report), 0);
    (void)run_to_end();
    assert_int_equal(answered_id, id);
    assert_int_equal(answered.error, EPIPE);
}

static void one_that_is_not_there_or_asked_for_no_input_takes_none(void **state)
{
    struct request_process_input input = {.process = 7, .data = wire_text_of("hello")};
    struct report report = {0};

    (void)state;
    assert_int_equal(start("/bin/sh", "cat", REQUEST_ROLE_COMMAND, 0, 0), 0);
    assert_int_equal(process_input(process_find(&processes, 7), &input, 31, 0, &report), EPIPE);
    assert_int_equal(answered_id, 0); /* the caller answers what was refused */
    (void)run_to_end();
}

static void more_input_than_there_is_room_for_is_refused(void **state)
{
    static const char data[INIT_INPUT_SIZE + 1];
    struct request_process_input input = {.process = 7,
                                          .data = {.data = data, .size = sizeof(data)}};
    struct report report = {0};

    (void)state;
    assert_int_equal(start("/bin/sh", "exec wc -c", REQUEST_ROLE_COMMAND, 0, REQUEST_PROCESS_INPUT),
                     0);
    assert_int_equal(process_input(process_find(&processes, 7), &input, 31, 0, &report), EAGAIN);
    input.data.size--;
    assert_int_equal(process_input(process_find(&processes, 7), &input, 32, 0, &report), 0);
    while (answered_id != 32)
        loop_turn(&loop);
    input.data.size = 0;
    assert_int_equal(process_input(process_find(&processes, 7), &input, 33, 0, &report), 0);
    assert_int_equal(strtoul(run_to_end().out[0], NULL, 10), INIT_INPUT_SIZE);
}

/* Reads as the host, and turns the loop, until process 7 was told to be over.
 * @return how much its stdout was */
static size_t count_output(void)
{
    struct loop_timer tick = {.expired = on_tick};
    struct event_process_output output;
    struct frame frame;
    uint64_t end = clock_in_ms(60000);
    size_t size = 0;
    bool over = false;

    while (!over && clock_now_ns() < end) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid > 0)
            assert_true(process_reaped(&processes, pid, status));
        loop_arm(&loop, &tick, clock_in_ms(2));
        loop_turn(&loop);
        while (link_support_take(host, &frame)) {
            over = over || frame.type == FRAME_CHILD_EXITED;
            if (frame.type == FRAME_PROCESS_OUTPUT &&
                event_process_output_unpack(frame.payload, frame.length, &output) == 0)
                size += output.data.size;
        }
        if (link_begin(&connection, FRAME_PING, 0, 1)) /* sends what waits, too */
            (void)link_end(&connection);
        process_resume(&processes);
    }
    loop_disarm(&loop, &tick);
    assert_true(over);
    return size;
}

/* Its child goes on, and prints without end. */
static void output_after_the_end_is_bounded(void **state)
{
    (void)state;
    assert_int_equal(start("/bin/sh", "yes & exit 0", REQUEST_ROLE_COMMAND, 0, 0), 0);
    assert_in_range(count_output(), INIT_AFTER_EXIT,
                    3 * INIT_AFTER_EXIT); /* with what came before the end */
}

/* A host that does not read holds the stream up; what is read then is all that was written. */
static void output_waits_for_its_host(void **state)
{
    (void)state;
    assert_int_equal(start("/bin/sh", "head -c 500000 /dev/zero", REQUEST_ROLE_COMMAND, 0, 0), 0);
    while (processes.table[0].out[0].events != 0)
        loop_turn(&loop);
    assert_in_range(link_room(&connection), INIT_OUTPUT_RESERVE,
                    INIT_OUTPUT_RESERVE + FRAME_HEADER_SIZE + LIMITS_STREAM_CHUNK + 64 - 1);
    assert_false(processes.table[0].exited);
    process_resume(&processes);
    assert_int_equal(processes.table[0].out[0].events, EPOLLIN);
    assert_int_equal(count_output(), 500000);
}

/* Starts process 7 as a connection. @return the service's end of it */
static int connect_service(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), service;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/guestlink-window-%d",
                   (int)getpid());
    (void)unlink(address.sun_path); /* of one that was killed */
    assert_int_equal(bind(listening, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(start(address.sun_path, "", REQUEST_ROLE_COMMAND, 0,
                           REQUEST_PROCESS_INPUT | REQUEST_PROCESS_CONNECTION),
                     0);
    service = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(service >= 0);
    (void)close(listening);
    (void)unlink(address.sun_path);
    return service;
}

/* The service writes until the connection's window is full. @return what was not taken then */
static uint32_t fill_window(int service)
{
    struct loop_timer tick = {.expired = on_tick};

    for (unsigned i = 0; i < 300 && (i == 0 || processes.table[0].out[0].events != 0); i++) {
        (void)!write(service, chunk, sizeof(chunk));
        loop_arm(&loop, &tick, clock_in_ms(10));
        loop_turn(&loop);
    }
    loop_disarm(&loop, &tick);
    assert_int_equal(processes.table[0].out[0].events, 0);
    return processes.table[0].untaken;
}

/* Of a connection's output no more comes than the host has taken, whatever it could take. */
static void a_connection_s_output_has_a_window(void **state)
{
    struct loop_timer tick = {.expired = on_tick};
    int service = connect_service();
    uint32_t untaken = fill_window(service);

    (void)state;
    assert_in_range(untaken, LIMITS_CONNECTION_WINDOW - LIMITS_STREAM_CHUNK + 1,
                    LIMITS_CONNECTION_WINDOW);
    for (unsigned i = 0; i < 20; i++) {
        (void)!write(service, chunk, sizeof(chunk));
        loop_arm(&loop, &tick, clock_in_ms(5));
        loop_turn(&loop);
    }
    assert_int_equal(processes.table[0].untaken, untaken);
    assert_int_equal(processes.table[0].out[0].events, 0);
    process_output_taken(&processes.table[0], untaken + 1); /* more than there was: all of it */
    assert_int_equal(processes.table[0].untaken, 0);
    assert_int_equal(processes.table[0].out[0].events, EPOLLIN);
    loop_disarm(&loop, &tick);
    process_lost(&processes);
    assert_int_equal(WTERMSIG(reap()), SIGHUP);
    while (processes.table[0].used)
        loop_turn(&loop);
    (void)close(service);
}

/* Nobody is going to take what is in its pipe: without that it would be waited for without end. */
static void a_connection_with_a_full_window_is_hung_up(void **state)
{
    struct report report = {0};

    (void)state;
    for (int late = 0; late < 2; late++) { /* before its end, and after it */
        int service = connect_service();

        (void)fill_window(service);
        if (late) {
            (void)kill(processes.table[0].pid, SIGKILL);
            (void)reap();
            assert_true(processes.table[0].used);
        }
        assert_int_equal(process_signal(&processes, 7, SIGHUP, &report), late ? ESRCH : 0);
        if (!late)
            assert_int_equal(WTERMSIG(reap()), SIGHUP);
        assert_false(processes.table[0].used);
        (void)close(service);
        assert_int_equal(run_to_end().event.signal, late ? SIGKILL : SIGHUP);
    }
}

static void what_cannot_be_executed_is_answered_and_never_ended(void **state)
{
    struct frame frame;
    int status;

    (void)state;
    assert_int_equal(start("/no/such/program", "", REQUEST_ROLE_COMMAND, 0, 0), 0);
    status = reap();
    assert_int_equal(WEXITSTATUS(status), 127);
    assert_int_equal(answered_id, 21);
    assert_int_equal(answered.error, ENOENT);
    while (processes.table[0].used)
        loop_turn(&loop);
    while (link_support_take(host, &frame))
        assert_int_not_equal(frame.type, FRAME_CHILD_EXITED);
}

static void a_payload_is_started_again_with_growing_pauses(void **state)
{
    struct outcome first, second;

    (void)state;
    assert_int_equal(
        start("/bin/sh", "exit 1", REQUEST_ROLE_PAYLOAD, REQUEST_RESTART_ON_FAILURE, 0), 0);
    first = run_to_end();
    assert_int_equal(first.event.again_ms, INIT_RESTART_FIRST_MS);
    assert_int_equal(first.event.restarts, 0);
    assert_true(payload_exists(&processes));
    second = run_to_end();
    assert_int_equal(second.event.again_ms, 2 * INIT_RESTART_FIRST_MS);
    assert_int_equal(second.event.restarts, 1);
    processes.table[0].pause_ms = INIT_RESTART_LAST_MS - 1;
    assert_int_equal(run_to_end().event.again_ms, INIT_RESTART_LAST_MS - 1);
    assert_int_equal(processes.table[0].pause_ms, INIT_RESTART_LAST_MS);
    processes.stopping = true;
    loop_arm(&loop, &processes.table[0].timer, clock_now_ns());
    while (processes.table[0].used)
        loop_turn(&loop);
}

/* The words of its request are gone by then. */
static void a_payload_is_started_again_with_its_words_variables_and_directory(void **state)
{
    uint8_t bytes[1024];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    struct request_start_process request = {.process = 7,
                                            .role = REQUEST_ROLE_PAYLOAD,
                                            .restart = REQUEST_RESTART_ALWAYS,
                                            .flags = REQUEST_PROCESS_OUTPUT,
                                            .uid = geteuid(),
                                            .gid = getegid(),
                                            .argv = {.data = bytes, .count = 3}};
    char directory[] = "/usr/lib";
    struct report report = {0};
    struct outcome outcome;

    (void)state;
    wire_put_list_item(&writer, wire_text_of("/bin/sh"));
    wire_put_list_item(&writer, wire_text_of("-c"));
    wire_put_list_item(&writer, wire_text_of("echo $A-$B-$(pwd)"));
    request.argv.size = writer.size;
    request.environment = (struct wire_list){.data = bytes + writer.size, .count = 2};
    wire_put_list_item(&writer, wire_text_of("A=first"));
    wire_put_list_item(&writer, wire_text_of("B=second"));
    request.environment.size = writer.size - request.argv.size;
    request.directory = wire_text_of(directory);
    assert_int_equal(process_start(&processes, &request, 21, 1, &report), 0);
    memset(bytes, 'x', sizeof(bytes));
    memset(directory, 'x', sizeof(directory) - 1);
    for (unsigned i = 0; i < 3; i++) {
        outcome = run_to_end();
        assert_string_equal(outcome.out[0], "first-second-/usr/lib\n");
        assert_int_equal(outcome.event.restarts, i);
        loop_arm(&loop, &processes.table[0].timer, clock_now_ns());
    }
    processes.stopping = true;
    while (processes.table[0].used)
        loop_turn(&loop);
}

/* PID 1's own variables but those for PID 1, then what the host says; and the defaults. */
static void a_command_has_path_home_and_what_pid_1_has(void **state)
{
    const char *const home = geteuid() == 0 && access("/root", X_OK) == 0 ? "/root" : "/";
    const char *const before = getenv("PATH");
    char path[4096], wanted[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s", before ? before : "");
    assert_int_equal(unsetenv("PATH") + unsetenv("HOME"), 0);
    assert_int_equal(setenv("INHERITED", "words", 1), 0);
    assert_int_equal(setenv("swiotlb", "force", 1), 0);
    assert_int_equal(start("/bin/sh", "echo $PATH; echo $HOME; echo $INHERITED ${swiotlb-none}",
                           REQUEST_ROLE_COMMAND, 0, 0),
                     0);
    (void)snprintf(wanted, sizeof(wanted),
                   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                   "%s\nwords none\n",
                   home);
    assert_string_equal(run_to_end().out[0], wanted);
    assert_int_equal(setenv("PATH", "/bin", 1), 0);
    assert_int_equal(
        start("/bin/sh", "echo $PATH; env | grep -c ^PATH=", REQUEST_ROLE_COMMAND, 0, 0), 0);
    assert_string_equal(run_to_end().out[0], "/bin\n1\n");
    assert_int_equal(setenv("PATH", path, 1) + unsetenv("INHERITED") + unsetenv("swiotlb"), 0);
}

static void the_payload_does_not_notice_that_its_host_is_gone(void **state)
{
    struct report report = {0};

    (void)state;
    assert_int_equal(start("/bin/sh", "exec sleep 60", REQUEST_ROLE_PAYLOAD, 0, 0), 0);
    process_lost(&processes);
    assert_false(processes.table[0].orphaned);
    assert_int_equal(process_signal(&processes, 7, SIGKILL, &report), 0);
    assert_int_equal(run_to_end().event.signal, SIGKILL);
}

static void a_command_is_hung_up_on_when_its_host_is_gone(void **state)
{
    int status;

    (void)state;
    assert_int_equal(start("/bin/sh", "exec sleep 60", REQUEST_ROLE_COMMAND, 0, 0), 0);
    while (answered_id == 0)
        loop_turn(&loop);
    process_lost(&processes);
    status = reap();
    assert_int_equal(WTERMSIG(status), SIGHUP);
    while (processes.table[0].used)
        loop_turn(&loop);
    assert_int_equal(exits.count, 0);
}

#define TERMINAL (REQUEST_PROCESS_PTY | REQUEST_PROCESS_INPUT)

/* Types into process 7. */
static void type(const char *keys)
{
    struct request_process_input input = {.process = 7, .data = wire_text_of(keys)};
    struct report report = {0};

    assert_int_equal(process_input(process_find(&processes, 7), &input, 0, 0, &report), 0);
}

static void a_terminal_is_all_of_a_command_s_streams(void **state)
{
    struct outcome outcome;

    (void)state;
    assert_int_equal(
        start("/bin/sh",
              "test -t 0 && test -t 1 && echo both; echo err >&2; stty size </dev/tty; "
              "stty -a | grep -o ' iutf8'; exit 3",
              REQUEST_ROLE_COMMAND, 0, TERMINAL),
        0);
    outcome = run_to_end();
    assert_string_equal(outcome.out[0], "both\r\nerr\r\n24 80\r\n iutf8\r\n");
    assert_string_equal(outcome.out[1], "");
    assert_int_equal(outcome.ends[0], 1);
    assert_int_equal(outcome.ends[1], 0);
    assert_int_equal(outcome.event.status, 3);
}

static void keys_are_bytes_of_its_input(void **state)
{
    struct outcome outcome = {0};

    (void)state;
    assert_int_equal(start("/bin/sh",
                           "trap 'exit 5' INT; read line; echo \"<$line>\"; "
                           "while :; do sleep 0.02; done",
                           REQUEST_ROLE_COMMAND, 0, TERMINAL),
                     0);
    type("words\r");
    run_until("<words>", &outcome);
    type("\003");
    run_until(NULL, &outcome);
    assert_int_equal(outcome.event.status, 5);
    assert_non_null(strstr(outcome.out[0], "^C"));
}

static void a_terminal_has_another_size_when_it_is_told(void **state)
{
    struct request_resize_terminal size = {.process = 7, .rows = 50, .columns = 132};
    struct report report = {0};
    struct outcome outcome = {0};

    (void)state;
    assert_int_equal(start("/bin/sh",
                           "trap 'stty size; exit 4' WINCH; echo up; while :; do sleep 0.02; done",
                           REQUEST_ROLE_COMMAND, 0, TERMINAL),
                     0);
    run_until("up", &outcome);
    assert_int_equal(process_resize(&processes, &size, &report), 0);
    run_until(NULL, &outcome);
    assert_non_null(strstr(outcome.out[0], "50 132\r\n"));
    assert_int_equal(outcome.event.status, 4);
    assert_int_equal(process_resize(&processes, &size, &report), ESRCH);
    assert_int_equal(start("/bin/sh", "read line", REQUEST_ROLE_COMMAND, 0, 0), 0);
    assert_int_equal(process_resize(&processes, &size, &report), ENOTTY);
    (void)run_to_end();
}

static void the_end_of_the_input_is_typed(void **state)
{
    struct report report = {0};
    struct outcome outcome;

    (void)state;
    assert_int_equal(
        start("/bin/sh", "stty eof ^G; echo up; cat; echo over", REQUEST_ROLE_COMMAND, 0, TERMINAL),
        0);
    memset(&outcome, 0, sizeof(outcome));
    run_until("up", &outcome);
    type("");
    assert_int_equal(process_input(process_find(&processes, 7),
                                   &(struct request_process_input){.process = 7}, 0, 0, &report),
                     EPIPE);
    run_until(NULL, &outcome);
    assert_non_null(strstr(outcome.out[0], "over\r\n"));
}

/* It ignores the signal: what ends it is that its terminal is gone. */
static void a_terminal_is_hung_up_when_its_host_is_gone(void **state)
{
    struct outcome outcome = {0};
    int status;

    (void)state;
    assert_int_equal(
        start("/bin/sh", "trap '' HUP; echo up; cat; exit 6", REQUEST_ROLE_COMMAND, 0, TERMINAL),
        0);
    run_until("up", &outcome);
    (void)alarm(60);
    process_lost(&processes);
    status = reap();
    (void)alarm(0);
    assert_int_equal(WEXITSTATUS(status), 6);
    assert_false(processes.table[0].used);
}

static void a_terminal_is_hung_up_by_the_signal_of_that_name(void **state)
{
    struct report report = {0};
    struct outcome outcome = {0};

    (void)state;
    assert_int_equal(
        start("/bin/sh", "trap '' HUP; echo up; cat; exit 6", REQUEST_ROLE_COMMAND, 0, TERMINAL),
        0);
    run_until("up", &outcome);
    assert_int_equal(process_signal(&processes, 7, SIGHUP, &report), 0);
    run_until(NULL, &outcome);
    assert_int_equal(outcome.event.status, 6);
    assert_int_equal(outcome.ends[0], 1);
}

/* What still has it open may write for a while, as into a pipe. */
static void a_terminal_that_is_held_open_does_not_keep_the_end_back(void **state)
{
    struct outcome outcome;

    (void)state;
    assert_int_equal(start("/bin/sh", "trap '' HUP; sleep 60 & echo up; exit 2",
                           REQUEST_ROLE_COMMAND, 0, TERMINAL),
                     0);
    outcome = run_to_end();
    assert_string_equal(outcome.out[0], "up\r\n");
    assert_int_equal(outcome.event.status, 2);
}

static void a_terminal_is_a_command_s_alone(void **state)
{
    (void)state;
    assert_int_equal(start("/bin/sh", "true", REQUEST_ROLE_PAYLOAD, 0, TERMINAL), EINVAL);
    assert_int_equal(
        start("/bin/sh", "true", REQUEST_ROLE_COMMAND, 0, TERMINAL | REQUEST_PROCESS_TERMINAL),
        EINVAL);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(output_comes_before_the_end_and_each_stream_ends_once),
        LIVE(streams_that_were_not_read_in_time_are_read_and_ended),
        LIVE(a_signal_is_told_as_such),
        LIVE(a_number_is_used_once_and_one_payload_runs),
        LIVE(input_is_fed_and_ended),
        LIVE(input_is_answered_when_it_is_taken),
        LIVE(input_arrives_whole_and_in_order),
        LIVE(one_that_is_not_there_or_asked_for_no_input_takes_none),
        LIVE(more_input_than_there_is_room_for_is_refused),
        LIVE(output_after_the_end_is_bounded),
        LIVE(output_waits_for_its_host),
        LIVE(a_connection_s_output_has_a_window),
        LIVE(a_connection_with_a_full_window_is_hung_up),
        LIVE(input_that_nobody_takes_any_more_is_answered_too),
        LIVE(what_cannot_be_executed_is_answered_and_never_ended),
        LIVE(a_payload_is_started_again_with_growing_pauses),
        LIVE(a_payload_is_started_again_with_its_words_variables_and_directory),
        LIVE(a_command_has_path_home_and_what_pid_1_has),
        LIVE(the_payload_does_not_notice_that_its_host_is_gone),
        LIVE(a_command_is_hung_up_on_when_its_host_is_gone),
        LIVE(a_terminal_is_all_of_a_command_s_streams),
        LIVE(keys_are_bytes_of_its_input),
        LIVE(a_terminal_has_another_size_when_it_is_told),
        LIVE(the_end_of_the_input_is_typed),
        LIVE(a_terminal_is_hung_up_when_its_host_is_gone),
        LIVE(a_terminal_is_hung_up_by_the_signal_of_that_name),
        LIVE(a_terminal_that_is_held_open_does_not_keep_the_end_back),
        LIVE(a_terminal_is_a_command_s_alone),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
