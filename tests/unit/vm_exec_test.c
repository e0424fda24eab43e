/* hostd exec: a command of an operator's in the guest, from its request to its end; whose output it
 * is; and how its input is fed. */
#include "base/limits.h"
#include "vm/exec.h"
#include "vm/exec_input.h"
#include "vm/vm_parts.h"
#include "vm_support.h"

#include "protocol/event.h"
#include "protocol/limits.h"
#include "protocol/request.h"
#include "protocol/result.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define POOL UINT64_C(67108864)

/* What was told of one command. */
struct told {
    unsigned starts, outputs, changes, exits, failures;
    uint16_t stream;
    char output[64];
    uint32_t status, number;
    int error;
    char text[128];
};

static void on_started(void *userdata)
{
    ((struct told *)userdata)->starts++;
}

static void on_output(void *userdata, uint16_t stream, const void *data, size_t size)
{
    struct told *told = userdata;

    told->outputs++;
    told->stream = stream;
    assert_in_range(size, 0, sizeof(told->output) - 1);
    memcpy(told->output, data, size);
    told->output[size] = '\0';
}

static void on_changed(void *userdata)
{
    ((struct told *)userdata)->changes++;
}

static void on_exited(void *userdata, uint32_t status, uint32_t number)
{
    struct told *told = userdata;

    told->exits++;
    told->status = status;
    told->number = number;
}

static void on_failed(void *userdata, int error, uint32_t status, const char *text)
{
    struct told *told = userdata;

    told->failures++;
    told->error = error;
    told->status = status;
    (void)snprintf(told->text, sizeof(told->text), "%s", text);
}

static const struct exec_events events = {.started = on_started,
                                          .output = on_output,
                                          .input_changed = on_changed,
                                          .exited = on_exited,
                                          .failed = on_failed};

static int set_up_connected(void **state)
{
    int r = set_up(state);

    if (r == 0)
        connect_guest(*state, POOL);
    return r;
}

static int set_up_with_terminals(void **state)
{
    struct fixture *f;
    int r = set_up(state);

    if (r != 0)
        return r;
    f = *state;
    f->features = CAPABILITIES_TERMINAL;
    connect_guest(f, POOL);
    return 0;
}

/* Takes the daemon's next request of that type. @return its id; @p frame is good until the next */
static uint32_t take(struct fixture *f, uint16_t type, struct frame *frame)
{
    static uint8_t bytes[FRAME_SIZE_MAX];
    size_t size, have;

    run(f);
    assert_int_equal(recv(f->guest, bytes, FRAME_HEADER_SIZE, MSG_DONTWAIT), FRAME_HEADER_SIZE);
    for (have = FRAME_HEADER_SIZE; frame_decode(bytes, have, frame, &size) != 0; have++)
        assert_int_equal(recv(f->guest, bytes + have, 1, MSG_DONTWAIT), 1);
    assert_int_equal(frame->type, type);
    return frame->id;
}

static bool is_asked(struct fixture *f)
{
    char byte;

    run(f);
    return recv(f->guest, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0;
}

static void answer(struct fixture *f, uint32_t id, int error)
{
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    result_pack(&writer, &(struct result){.error = error, .text = wire_text_of("words")});
    say(f, FRAME_RESULT, FRAME_FLAG_ANSWER, id, payload, writer.size);
    run(f);
}

/* Asks for a command, and does not answer. */
static struct exec *ask(struct fixture *f, bool input, struct told *told, uint32_t *ret_id,
                        uint32_t *ret_process)
{
    char *words[] = {(char *)"/bin/true", (char *)"x"};
    const struct exec_command command = {
        .argv = {.items = words, .count = 2}, .uid = 5, .gid = 6, .input = input};
    struct request_start_process request;
    struct exec *exec = NULL;
    struct frame frame;

    assert_int_equal(vm_exec(f->vm, &command, &events, told, &exec), 0);
    *ret_id = take(f, FRAME_START_PROCESS, &frame);
    assert_int_equal(request_start_process_unpack(frame.payload, frame.length, &request), 0);
    assert_int_equal(request.role, REQUEST_ROLE_COMMAND);
    assert_int_equal(request.restart, REQUEST_RESTART_NEVER);
    assert_int_equal(request.flags, REQUEST_PROCESS_OUTPUT | (input ? REQUEST_PROCESS_INPUT : 0));
    assert_int_equal(request.uid, 5);
    assert_int_equal(request.gid, 6);
    assert_int_equal(request.argv.count, 2);
    assert_true(request.process > LIMITS_PAYLOAD_PROCESS);
    *ret_process = request.process;
    return exec;
}

static struct exec *start(struct fixture *f, bool input, struct told *told, uint32_t *ret_process)
{
    uint32_t id;
    struct exec *exec = ask(f, input, told, &id, ret_process);

    assert_int_equal(told->starts, 0);
    answer(f, id, 0);
    assert_int_equal(told->starts, 1);
    return exec;
}

static void say_output(struct fixture *f, uint32_t process, const char *text)
{
    uint8_t payload[128];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    event_process_output_pack(&writer, &(struct event_process_output){.process = process,
                                                                      .stream = EVENT_STDERR,
                                                                      .data = wire_text_of(text)});
    say(f, FRAME_PROCESS_OUTPUT, 0, 0, payload, writer.size);
    run(f);
}

static void say_exit(struct fixture *f, uint32_t process)
{
    uint8_t payload[128];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    event_child_exited_pack(&writer, &(struct event_child_exited){.process = process,
                                                                  .role = REQUEST_ROLE_COMMAND,
                                                                  .status = 143,
                                                                  .signal = 15,
                                                                  .again_ms = EVENT_NOT_AGAIN});
    say(f, FRAME_CHILD_EXITED, 0, 0, payload, writer.size);
    run(f);
}

static void hang_up(struct fixture *f)
{
    (void)close(f->guest);
    f->guest = -1;
    run(f);
}

static void output_and_end_are_those_of_the_command(void **state)
{
    struct told one = {0}, other = {0};
    struct fixture *f = *state;
    uint32_t number, other_number;
    struct exec *exec = start(f, false, &one, &number);
    struct exec *other_exec = start(f, false, &other, &other_number);

    assert_int_not_equal(number, other_number);
    say_output(f, number, "words");
    assert_int_equal(one.outputs, 1);
    assert_int_equal(one.stream, EVENT_STDERR);
    assert_string_equal(one.output, "words");
    say_output(f, number, "");
    assert_int_equal(one.outputs, 2);
    assert_string_equal(one.output, "");
    say_exit(f, number);
    assert_int_equal(one.exits, 1);
    assert_int_equal(one.status, 143);
    assert_int_equal(one.number, 15);
    /* it is over */
    say_output(f, number, "more");
    say_exit(f, number);
    assert_int_equal(one.outputs, 2);
    assert_int_equal(one.exits, 1);
    assert_int_equal(exec_signal(exec, SIGTERM), -ENOTCONN);
    assert_int_equal(exec_input(exec, "x", 1), -EPIPE);
    assert_int_equal(other.outputs + other.exits, 0);
    assert_null(exec_free(exec));
    assert_false(is_asked(f)); /* nothing runs that is to be hung up on */
    (void)exec_free(other_exec);
    assert_null(exec_free(NULL));
}

static void a_command_that_cannot_be_started_is_told_as_a_shell_would(void **state)
{
    static const struct {
        int error;
        uint32_t status;
    } cases[] = {{ENOENT, 127}, {EACCES, 126}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct told told = {0};
        uint32_t id, number;
        struct exec *exec = ask(f, true, &told, &id, &number);

        answer(f, id, cases[i].error);
        assert_int_equal(told.failures, 1);
        assert_int_equal(told.starts, 0);
        assert_int_equal(told.error, cases[i].error);
        assert_int_equal(told.status, cases[i].status);
        assert_string_equal(told.text, "words");
        (void)exec_free(exec);
    }
}

static void a_guest_that_goes_ends_its_commands(void **state)
{
    struct told waits = {0}, runs = {0}, over = {0};
    struct fixture *f = *state;
    uint32_t id, number;
    struct exec *execs[] = {ask(f, false, &waits, &id, &number), start(f, false, &runs, &number),
                            start(f, false, &over, &number)};

    say_exit(f, number);
    hang_up(f);
    assert_int_equal(waits.failures, 1);
    assert_int_equal(waits.error, ECONNRESET);
    assert_int_equal(waits.status, 125);
    assert_int_equal(runs.failures, 1);
    assert_int_equal(runs.error, ECONNRESET);
    assert_int_equal(over.failures, 0);
    for (size_t i = 0; i < 3; i++)
        (void)exec_free(execs[i]);
    assert_int_equal(f->vm->exec_count, 0);
}

static void a_vm_that_goes_leaves_them_to_their_owner(void **state)
{
    struct told told = {0};
    struct fixture *f = *state;
    uint32_t number;
    struct exec *exec = start(f, true, &told, &number);

    f->vm = vm_free(f->vm);
    assert_int_equal(told.failures, 1);
    assert_non_null(strstr(told.text, "configuration"));
    assert_int_equal(exec_input(exec, "x", 1), -EPIPE);
    assert_int_equal(exec_signal(exec, SIGTERM), -ENOTCONN);
    exec_pause(exec, true);
    assert_null(exec_free(exec));
    assert_int_equal(vm_new(&f->services, f->settings, &f->settings->config->vms[0], &f->vm), 0);
}

static void who_lets_go_of_one_that_runs_hangs_up_on_it(void **state)
{
    struct request_send_signal request;
    struct told told = {0};
    struct fixture *f = *state;
    struct frame frame;
    uint32_t number;
    struct exec *exec = start(f, false, &told, &number);

    assert_int_equal(exec_signal(exec, SIGUSR1), 0);
    (void)take(f, FRAME_SEND_SIGNAL, &frame);
    assert_int_equal(request_send_signal_unpack(frame.payload, frame.length, &request), 0);
    assert_int_equal(request.signal, SIGUSR1);
    assert_int_equal(request.process, number);
    (void)exec_free(exec);
    (void)take(f, FRAME_SEND_SIGNAL, &frame);
    assert_int_equal(request_send_signal_unpack(frame.payload, frame.length, &request), 0);
    assert_int_equal(request.signal, SIGHUP);
    assert_int_equal(request.process, number);
    say_output(f, number, "words");
    say_exit(f, number);
    assert_int_equal(told.outputs + told.exits + told.failures, 0);
}

static void a_terminal_is_asked_for_with_its_size_and_resized(void **state)
{
    char *words[] = {(char *)"/bin/sh"};
    const struct exec_command command = {.argv = {.items = words, .count = 1},
                                         .input = true,
                                         .terminal = true,
                                         .size = {.rows = 24, .columns = 80}};
    struct request_start_process request;
    struct request_resize_terminal resize;
    struct told told = {0}, other = {0};
    struct fixture *f = *state;
    struct exec *exec, *plain;
    struct frame frame;
    uint32_t id, number;

    assert_int_equal(vm_exec(f->vm, &command, &events, &told, &exec), 0);
    id = take(f, FRAME_START_PROCESS, &frame);
    assert_int_equal(request_start_process_unpack(frame.payload, frame.length, &request), 0);
    assert_int_equal(request.flags,
                     REQUEST_PROCESS_OUTPUT | REQUEST_PROCESS_INPUT | REQUEST_PROCESS_PTY);
    assert_int_equal(request.rows, 24);
    assert_int_equal(request.columns, 80);
    answer(f, id, 0);
    assert_int_equal(exec_resize(exec, (struct exec_size){.rows = 50, .columns = 132}), 0);
    (void)take(f, FRAME_RESIZE_TERMINAL, &frame);
    assert_int_equal(request_resize_terminal_unpack(frame.payload, frame.length, &resize), 0);
    assert_int_equal(resize.process, request.process);
    assert_int_equal(resize.rows, 50);
    assert_int_equal(resize.columns, 132);
    plain = start(f, false, &other, &number);
    assert_int_equal(exec_resize(plain, (struct exec_size){.rows = 1, .columns = 1}), -ENOTTY);
    say_exit(f, request.process);
    assert_int_equal(exec_resize(exec, (struct exec_size){.rows = 1, .columns = 1}), -ENOTCONN);
    (void)exec_free(exec);
    (void)exec_free(plain);
}

static void a_guest_that_has_no_terminals_is_asked_for_none(void **state)
{
    char *words[] = {(char *)"/bin/sh"};
    const struct exec_command command = {.argv = {.items = words, .count = 1}, .terminal = true};
    struct told told = {0};
    struct fixture *f = *state;
    struct exec *exec = NULL;

    assert_int_equal(vm_exec(f->vm, &command, &events, &told, &exec), -EOPNOTSUPP);
    assert_null(exec);
    assert_false(is_asked(f));
    hang_up(f);
    assert_int_equal(vm_exec(f->vm, &command, &events, &told, &exec), -ENOTCONN);
}

static void there_is_a_bound(void **state)
{
    char *words[] = {(char *)"/bin/true"};
    const struct exec_command command = {.argv = {.items = words, .count = 1}};
    struct exec *execs[LIMITS_EXECS], *more = NULL;
    struct told told = {0};
    struct fixture *f = *state;

    for (unsigned i = 0; i < LIMITS_EXECS; i++) {
        int r = vm_exec(f->vm, &command, &events, &told, &execs[i]);

        assert_int_equal(r, 0);
        run(f);
    }
    assert_int_equal(vm_exec(f->vm, &command, &events, &told, &more), -ENOBUFS);
    (void)exec_free(execs[0]);
    assert_int_equal(vm_exec(f->vm, &command, &events, &told, &execs[0]), 0);
    for (unsigned i = 0; i < LIMITS_EXECS; i++)
        (void)exec_free(execs[i]);
    hang_up(f);
    assert_int_equal(vm_exec(f->vm, &command, &events, &told, &more), -ENOTCONN);
    assert_null(more);
}

/* A number that wraps round is neither the payload's nor that of one that runs. */
static void numbers_are_used_once(void **state)
{
    struct told told = {0}, other = {0};
    struct fixture *f = *state;
    uint32_t first, number;
    struct exec *one, *two;

    f->vm->exec_next = UINT32_MAX;
    one = start(f, false, &told, &first);
    assert_int_equal(first, LIMITS_PAYLOAD_PROCESS + 1);
    f->vm->exec_next = UINT32_MAX;
    two = start(f, false, &other, &number);
    assert_int_equal(number, LIMITS_PAYLOAD_PROCESS + 2);
    (void)exec_free(one);
    (void)exec_free(two);
}

static void only_one_that_is_held_back_holds_the_guest_back(void **state)
{
    struct told one = {0}, other = {0};
    struct fixture *f = *state;
    uint32_t number, other_number;
    struct exec *exec = start(f, false, &one, &number);
    struct exec *other_exec = start(f, false, &other, &other_number);

    exec_pause(exec, true);
    say_output(f, other_number, "words");
    assert_int_equal(other.outputs, 0); /* everything of that guest waits */
    exec_pause(other_exec, true);
    exec_pause(exec, false);
    run(f);
    assert_int_equal(other.outputs, 0);
    exec_pause(other_exec, false);
    run(f);
    assert_int_equal(other.outputs, 1);
    exec_pause(exec, true);
    say_output(f, other_number, "more");
    assert_int_equal(other.outputs, 1);
    (void)exec_free(exec); /* its owner went: nobody else resumes */
    run(f);
    assert_int_equal(other.outputs, 2);
    (void)exec_free(other_exec);
}

/* Takes one piece of input. */
static uint32_t take_input(struct fixture *f, uint32_t process, char first, size_t size)
{
    struct request_process_input request;
    struct frame frame;
    uint32_t id = take(f, FRAME_PROCESS_INPUT, &frame);

    assert_int_equal(request_process_input_unpack(frame.payload, frame.length, &request), 0);
    assert_int_equal(request.process, process);
    assert_int_equal(request.data.size, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(request.data.data[i], first);
    return id;
}

static void input_goes_one_piece_at_a_time_and_ends_once(void **state)
{
    static char data[LIMITS_STREAM_CHUNK];
    struct told told = {0};
    struct fixture *f = *state;
    uint32_t number, id;
    struct exec *exec = start(f, true, &told, &number);
    unsigned given = 1;

    memset(data, 'a', sizeof(data));
    assert_int_equal(exec_input(exec, data, 3), 0);
    id = take_input(f, number, 'a', 3);
    memset(data, 'b', sizeof(data));
    while (exec_input(exec, data, sizeof(data)) == 0)
        given++;
    assert_int_equal(exec_input(exec, data, sizeof(data)), -EAGAIN);
    assert_false(is_asked(f)); /* until the first is answered */
    assert_int_equal(told.changes, 0);
    answer(f, id, 0);
    assert_int_equal(told.changes, 1);
    for (unsigned i = 1; i < given; i++) {
        id = take_input(f, number, 'b', sizeof(data));
        if (i + 1 == given) {
            assert_int_equal(exec_input(exec, NULL, 0), 0); /* its end waits behind it */
            assert_int_equal(exec_input(exec, data, 1), -EPIPE);
        }
        answer(f, id, 0);
    }
    id = take_input(f, number, 0, 0);
    answer(f, id, 0);
    assert_false(is_asked(f));
    assert_int_equal(exec_input(exec, data, 1), -EPIPE);
    assert_int_equal(exec_input(exec, NULL, 0), -EPIPE);
    (void)exec_free(exec);
}

static void input_that_nobody_takes_is_told_as_a_change(void **state)
{
    struct told told = {0}, none = {0};
    struct fixture *f = *state;
    uint32_t number;
    struct exec *exec = start(f, true, &told, &number);
    struct exec *without = start(f, false, &none, &number);

    assert_int_equal(exec_input(without, "x", 1), -EPIPE);
    assert_int_equal(exec_input(exec, "x", 1), 0);
    {
        struct frame frame;

        answer(f, take(f, FRAME_PROCESS_INPUT, &frame), EPIPE);
    }
    assert_int_equal(told.changes, 1);
    assert_int_equal(exec_input(exec, "x", 1), -EPIPE);
    assert_int_equal(told.failures + told.exits, 0);
    (void)exec_free(exec);
    (void)exec_free(without);
}

#define TEST(name)           cmocka_unit_test_setup_teardown(name, set_up_connected, tear_down)
#define WITH_TERMINALS(name) cmocka_unit_test_setup_teardown(name, set_up_with_terminals, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(output_and_end_are_those_of_the_command),
        TEST(a_command_that_cannot_be_started_is_told_as_a_shell_would),
        TEST(a_guest_that_goes_ends_its_commands),
        TEST(a_vm_that_goes_leaves_them_to_their_owner),
        TEST(who_lets_go_of_one_that_runs_hangs_up_on_it),
        WITH_TERMINALS(a_terminal_is_asked_for_with_its_size_and_resized),
        TEST(a_guest_that_has_no_terminals_is_asked_for_none),
        TEST(there_is_a_bound),
        TEST(numbers_are_used_once),
        TEST(only_one_that_is_held_back_holds_the_guest_back),
        TEST(input_goes_one_piece_at_a_time_and_ends_once),
        TEST(input_that_nobody_takes_is_told_as_a_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
