/* process_stream: standard input and output of a process, over the link. */
#include "process_stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "protocol/event.h"
#include "protocol/limits.h"
#include "terminal.h"

/* @return false: there is no room, the stream waits */
static bool send_output(struct process *process, size_t stream, struct wire_text data)
{
    struct event_process_output event = {.process = process->number,
                                         .stream = stream == 0 ? EVENT_STDOUT : EVENT_STDERR,
                                         .data = data};
    struct wire_writer *writer;

    if (process->orphaned)
        return true;
    writer = link_begin(process->owner->link, FRAME_PROCESS_OUTPUT, 0, 0);
    if (!writer)
        return true;
    event_process_output_pack(writer, &event);
    return link_end(process->owner->link) == 0;
}

/* Has the process exited, and is no more of that stream to be taken, though somebody else may still
 * write? limits.h, INIT_STREAMS_MS. */
static bool is_over(const struct process *process, size_t stream)
{
    return process->exited && process->after_exit[stream] >= process->owed[stream] &&
           (process->after_exit[stream] > INIT_AFTER_EXIT ||
            clock_now_ns() - process->exited_ns >= INIT_STREAMS_LONGEST_MS * CLOCK_NS_PER_MS);
}

/* A connection's reader may be slow, which is to hold up nobody else. */
static bool has_window(const struct process *process)
{
    return (process->flags & REQUEST_PROCESS_CONNECTION) == 0 || process->orphaned ||
           process->untaken + LIMITS_STREAM_CHUNK <= LIMITS_CONNECTION_WINDOW;
}

static void on_output(struct process *process, size_t stream)
{
    struct loop *loop = process->owner->loop;
    struct link *link = process->owner->link;
    char data[LIMITS_STREAM_CHUNK];
    ssize_t n;

    if (!has_window(process)) {
        loop_watch(loop, &process->out[stream], 0); /* until process_output_taken() */
        return;
    }
    if (link->state == LINK_UP && !process->orphaned &&
        link_room(link) < INIT_OUTPUT_RESERVE + FRAME_HEADER_SIZE + LIMITS_STREAM_CHUNK + 64) {
        loop_watch(loop, &process->out[stream], 0); /* until process_resume() */
        return;
    }
    n = read(process->out[stream].fd, data, sizeof(data));
    if (n > 0 && (process->flags & REQUEST_PROCESS_CONNECTION))
        process->untaken += (uint32_t)n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    /* A terminal that nobody has open any more is EIO. */
    (void)send_output(process, stream,
                      (struct wire_text){.data = data, .size = n > 0 ? (size_t)n : 0});
    if (process->exited && n > 0)
        process->after_exit[stream] += (size_t)n;
    if (n <= 0 || is_over(process, stream)) {
        loop_close(loop, &process->out[stream]);
        process->owner->stream_ended(process);
    }
}

static void on_stdout(struct loop_source *source, uint32_t events)
{
    (void)events;
    on_output(LOOP_OWNER(source, struct process, out[0]), 0);
}

static void on_stderr(struct loop_source *source, uint32_t events)
{
    (void)events;
    on_output(LOOP_OWNER(source, struct process, out[1]), 1);
}

static void answer_input(struct process *process, const struct report *report)
{
    uint32_t id = process->input_id;

    process->input_id = 0;
    if (id != 0)
        link_answer(process->owner->link, id, process->input_generation, report);
}

static int fail_input(const struct process *process, struct report *report)
{
    return report_fail(report, EPIPE, "process %u takes no input", process->number);
}

void process_stream_close_input(struct process *process)
{
    struct report report = {0};

    loop_close(process->owner->loop, &process->in);
    (void)fail_input(process, &report);
    answer_input(process, &report);
}

void process_stream_hang_up(struct process *process)
{
    if (!(process->flags & (REQUEST_PROCESS_PTY | REQUEST_PROCESS_CONNECTION)) ||
        process->out[0].fd < 0)
        return;
    process_stream_close_input(process);
    (void)send_output(process, 0, (struct wire_text){0});
    loop_close(process->owner->loop, &process->out[0]);
    process->owner->stream_ended(process);
}

/* A terminal has no end: who reads lines from it is told by a character. */
static void end_input(struct process *process)
{
    process->input_ended = true;
    if (process->flags & REQUEST_PROCESS_PTY)
        process->input[process->input_size++] = terminal_end_of_file(process->in.fd);
}

static void write_input(struct process *process)
{
    struct loop *loop = process->owner->loop;
    ssize_t n = 0;

    if (process->input_size > 0)
        n = write(process->in.fd, process->input, process->input_size);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        process_stream_close_input(process); /* it does not want more */
        return;
    }
    if (n > 0) {
        process->input_size -= (size_t)n;
        memmove(process->input, process->input + n, process->input_size);
    }
    if (process->input_size == 0 && process->input_ended)
        loop_close(loop, &process->in);
    else
        loop_watch(loop, &process->in, process->input_size > 0 ? EPOLLOUT : 0);
    if (process->input_size == 0)
        answer_input(process, &(struct report){0});
}

static void on_input(struct loop_source *source, uint32_t events)
{
    (void)events;
    write_input(LOOP_OWNER(source, struct process, in));
}

int process_input(struct process *process, const struct request_process_input *input, uint32_t id,
                  uint32_t generation, struct report *report)
{
    if (process->in.fd < 0 || process->input_ended)
        return fail_input(process, report);
    if (process->input_size > 0 || input->data.size > INIT_INPUT_SIZE)
        return report_fail(report, EAGAIN, "process %u: %zu bytes of input are already waiting",
                           input->process, process->input_size);
    memcpy(process->input, input->data.data, input->data.size);
    process->input_size = input->data.size;
    if (input->data.size == 0)
        end_input(process);
    process->input_id = id;
    process->input_generation = generation;
    write_input(process);
    return 0;
}

void process_output_taken(struct process *process, uint32_t bytes)
{
    process->untaken -= bytes < process->untaken ? bytes : process->untaken;
    for (size_t stream = 0; stream < 2; stream++)
        loop_watch(process->owner->loop, &process->out[stream], EPOLLIN);
}

void process_resume(struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++)
        for (size_t stream = 0; processes->table[i].used && stream < 2; stream++)
            loop_watch(processes->loop, &processes->table[i].out[stream], EPOLLIN);
}

void process_stream_init(struct process *process)
{
    process->out[0] = (struct loop_source){.fd = -1, .ready = on_stdout};
    process->out[1] = (struct loop_source){.fd = -1, .ready = on_stderr};
    process->in = (struct loop_source){.fd = -1, .ready = on_input};
}

void process_stream_open(struct process *process, const struct spawned *spawned)
{
    process->input_size = 0;
    process->input_ended = false;
    process->input_id = 0;
    process->untaken = 0;
    process->in.fd = spawned->in_fd;
    for (size_t i = 0; i < 2; i++) {
        process->out[i].fd = spawned->out_fd[i];
        if (process->out[i].fd >= 0)
            (void)loop_add(process->owner->loop, &process->out[i], EPOLLIN);
    }
}

/* Is there something in a stream, or has it ended, and was not read yet? */
static bool has_more(const struct loop_source *stream)
{
    struct pollfd poll_stream = {.fd = stream->fd, .events = POLLIN};

    return poll(&poll_stream, 1, 0) > 0;
}

void process_stream_close_quiet(struct process *process)
{
    for (size_t i = 0; i < 2; i++)
        if (!has_more(&process->out[i]) || is_over(process, i))
            loop_close(process->owner->loop, &process->out[i]);
}

void process_stream_note_owed(struct process *process)
{
    for (size_t i = 0; i < 2; i++) {
        int size = 0;

        process->owed[i] = 0;
        if (process->out[i].fd >= 0 && ioctl(process->out[i].fd, FIONREAD, &size) == 0 && size > 0)
            process->owed[i] = (size_t)size;
    }
}
