/*
 * dispatch: what is for a process reaches that one, and what is an answer acknowledges. The
 * processes are the test's: no child is made (CMakeLists.txt).
 */
#include "descriptors.h"
#include "dispatch_support.h"
#include "init/base/fd.h"
#include "init/dispatch.h"
#include "protocol/request.h"
#include "protocol/result.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define OTHER_CHILD 4242 /* no process of this machine's: kill() is taken */

static pid_t forked;          /* what fork() gives; -1: no memory */
static int failing;           /* errno of kill(); 0: none */
static uint32_t acknowledged; /* what may be the farewell's */

static int outcome(void)
{
    errno = failing;
    return failing ? -1 : 0;
}

pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    errno = ENOMEM;
    return forked;
}

int __wrap_kill(pid_t pid, int signal);
int __wrap_kill(pid_t pid, int signal)
{
    (void)signal;
    assert_in_range(pid < 0 ? -pid : pid, OTHER_CHILD, OTHER_CHILD);
    return outcome();
}

int __wrap_cgroup_open(void);
int __wrap_cgroup_open(void)
{
    return -ENODEV; /* not this machine's */
}

void __wrap_shutdown_acknowledged(struct shutdown *shutdown, uint32_t id);
void __wrap_shutdown_acknowledged(struct shutdown *shutdown, uint32_t id)
{
    assert_ptr_equal(shutdown, &dispatch_guest.shutdown);
    acknowledged = id;
}

static int set_up(void **state)
{
    forked = -1;
    failing = 0;
    acknowledged = 0;
    return dispatch_set_up(state);
}

static void start_process(uint32_t number)
{
    uint8_t list[64];
    struct wire_writer words = {.data = list, .capacity = sizeof(list)};
    struct request_start_process request = {.process = number, .role = REQUEST_ROLE_COMMAND};

    wire_put_list_item(&words, wire_text_of("/bin/true"));
    request.argv = (struct wire_list){.data = list, .size = words.size, .count = 1};
    request_start_process_pack(&dispatch_writer, &request);
    dispatch_send(FRAME_START_PROCESS);
}

static void a_start_is_answered_once_the_program_runs(void **state)
{
    (void)state;
    start_process(5);
    assert_int_equal(dispatch_answer(), EAGAIN); /* no child is to be had */
    start_process(0);
    assert_int_equal(dispatch_answer(), EINVAL); /* PID 1's own words are process 0 */
    forked = OTHER_CHILD;
    start_process(5);
    assert_true(dispatch_is_quiet());
    assert_int_equal(dispatch_guest.processes.table[0].id, 77);
    assert_int_equal(dispatch_guest.processes.table[0].generation, dispatch_guest.link.generation);
    start_process(5);
    assert_int_equal(dispatch_answer(), EEXIST);
}

/* Makes process 5 up. */
static struct process *play_process(void)
{
    struct process *process = &dispatch_guest.processes.table[0];

    process->used = true;
    process->number = 5;
    process->pid = OTHER_CHILD;
    process->role = REQUEST_ROLE_COMMAND;
    dispatch_guest.processes.cgroups = -1;
    return process;
}

static int send_signal(uint32_t number)
{
    request_send_signal_pack(&dispatch_writer,
                             &(struct request_send_signal){.process = number, .signal = 15});
    dispatch_send(FRAME_SEND_SIGNAL);
    return dispatch_answer();
}

static int send_input(uint32_t number)
{
    const struct request_process_input request = {.process = number, .data = {"input", 5}};

    request_process_input_pack(&dispatch_writer, &request);
    dispatch_send(FRAME_PROCESS_INPUT);
    return dispatch_answer();
}

static int take_output(uint32_t number, uint32_t size)
{
    request_output_taken_pack(&dispatch_writer,
                              &(struct request_output_taken){.process = number, .bytes = size});
    dispatch_send(FRAME_OUTPUT_TAKEN);
    return dispatch_answer();
}

static void what_is_for_a_process_reaches_that_one(void **state)
{
    struct process *process = play_process();
    char data[16];
    int pipe_fds[2];

    (void)state;
    assert_int_equal(send_signal(5), 0);
    assert_int_equal(send_signal(6), ESRCH);
    failing = EPERM;
    assert_int_equal(send_signal(5), EPERM);

    assert_int_equal(send_input(6), ESRCH);
    assert_int_equal(send_input(5), EPIPE); /* it has none */
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
    process->in.fd = pipe_fds[1];
    assert_int_equal(send_input(5), 0); /* taken at once */
    assert_int_equal(read(pipe_fds[0], data, sizeof(data)), 5);
    assert_memory_equal(data, "input", 5);
    (void)fd_close(pipe_fds[0]);

    process->untaken = 100;
    assert_int_equal(take_output(6, 40), 0); /* of one that has ended meanwhile */
    assert_int_equal(process->untaken, 100);
    assert_int_equal(take_output(5, 40), 0);
    assert_int_equal(process->untaken, 60);
}

static const char *take_result(uint32_t id, size_t size)
{
    const struct frame frame = {.type = FRAME_RESULT,
                                .flags = FRAME_FLAG_ANSWER,
                                .id = id,
                                .payload = dispatch_writer.data,
                                .length = (uint32_t)size};

    return dispatch_frame(&dispatch_guest, &frame);
}

static void an_answer_acknowledges_an_exit_or_the_farewell(void **state)
{
    const struct frame other = {.type = FRAME_POOL_USAGE, .flags = FRAME_FLAG_ANSWER, .id = 8};

    (void)state;
    dispatch_guest.exits.count = 2;
    dispatch_guest.exits.table[0].id = 8;
    dispatch_guest.exits.table[1].id = 9;
    result_pack(&dispatch_writer, &(struct result){0});
    /* Of a type that we ask for nothing with. */
    assert_null(dispatch_frame(&dispatch_guest, &other));
    assert_string_equal(take_result(9, 1), "a malformed result");
    assert_int_equal(dispatch_guest.exits.count, 2);
    assert_null(take_result(9, dispatch_writer.size));
    assert_int_equal(dispatch_guest.exits.count, 1);
    assert_int_equal(dispatch_guest.exits.table[0].id, 8);
    assert_int_equal(acknowledged, 0);
    assert_null(take_result(10, dispatch_writer.size));
    assert_int_equal(dispatch_guest.exits.count, 1);
    assert_int_equal(acknowledged, 10);
    assert_true(dispatch_is_quiet());
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, dispatch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(a_start_is_answered_once_the_program_runs),
        LIVE(what_is_for_a_process_reaches_that_one),
        LIVE(an_answer_acknowledges_an_exit_or_the_farewell),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
