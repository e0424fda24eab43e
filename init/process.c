/* process: the programs that PID 1 starts and reports on. */
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "kmsg_log.h"
#include "protocol/event.h"
#include "protocol/limits.h"
#include "spawn.h"

static int run(struct process *process, const struct request_start_process *request);

static const char *role_name(const struct process *process)
{
    return process->role == REQUEST_ROLE_PAYLOAD ? "payload" : "command";
}

static void release(struct process *process)
{
    struct loop *loop = process->owner->loop;

    loop_disarm(loop, &process->timer);
    loop_close(loop, &process->exec);
    loop_close(loop, &process->in);
    for (size_t i = 0; i < 2; i++)
        loop_close(loop, &process->out[i]);
    process->used = false;
    process->pid = 0;
}

static unsigned status_of(const struct process *process)
{
    return WIFSIGNALED(process->wait_status) ? 128u + (unsigned)WTERMSIG(process->wait_status)
                                             : (unsigned)WEXITSTATUS(process->wait_status);
}

/* @return the pause before it is started again, or EVENT_NOT_AGAIN */
static uint32_t pause_before_restart(struct process *process)
{
    uint32_t pause = process->pause_ms;

    if (process->owner->stopping || process->restart == REQUEST_RESTART_NEVER ||
        (process->restart == REQUEST_RESTART_ON_FAILURE && status_of(process) == 0))
        return EVENT_NOT_AGAIN;
    if (process->exited_ns - process->started_ns >= INIT_RESTART_CALM_MS * CLOCK_NS_PER_MS)
        pause = INIT_RESTART_FIRST_MS;
    process->pause_ms = pause * 2 > INIT_RESTART_LAST_MS ? INIT_RESTART_LAST_MS : pause * 2;
    return pause;
}

/* The process is gone and its streams have ended: says so, once. */
static void conclude(struct process *process)
{
    struct event_child_exited event = {
        .process = process->number,
        .role = process->role,
        .signal =
            (uint16_t)(WIFSIGNALED(process->wait_status) ? WTERMSIG(process->wait_status) : 0),
        .status = status_of(process),
        .pid = (uint32_t)process->pid,
        .restarts = process->restarts,
        .again_ms = pause_before_restart(process),
        .exited_ns = process->exited_ns,
    };

    kmsg_log(LOG_INFO, "%s %u (pid %u): %s %u%s", role_name(process), event.process, event.pid,
             event.signal ? "ended by signal" : "exit status",
             event.signal ? event.signal : event.status,
             event.again_ms == EVENT_NOT_AGAIN ? "" : "; it is started again");
    if (!process->orphaned)
        exit_report_add(process->owner->exits, process->owner->link, &event);
    if (event.again_ms == EVENT_NOT_AGAIN) {
        release(process);
        return;
    }
    process->pid = 0;
    process->exited = false;
    loop_arm(process->owner->loop, &process->timer, clock_in_ms(event.again_ms));
}

static void conclude_if_over(struct process *process)
{
    if (process->exited && process->out[0].fd < 0 && process->out[1].fd < 0) {
        loop_disarm(process->owner->loop, &process->timer);
        conclude(process);
    }
}

static void start_again(struct process *process)
{
    int r;

    if (process->owner->stopping) {
        release(process);
        return;
    }
    process->restarts++;
    r = run(process, &process->owner->payload);
    if (r < 0) {
        kmsg_log(LOG_ERR, "payload: cannot be started again: %s; trying once more in %u ms",
                 strerror(-r), process->pause_ms);
        loop_arm(process->owner->loop, &process->timer, clock_in_ms(process->pause_ms));
    }
}

static void on_timer(struct loop_timer *timer)
{
    struct process *process = LOOP_OWNER(timer, struct process, timer);

    if (!process->exited) {
        start_again(process);
        return;
    }
    /* Somebody else holds the pipes open. What is in them already is still taken. */
    for (size_t i = 0; i < 2; i++) {
        int waiting = 0;

        if (process->out[i].fd >= 0 && ioctl(process->out[i].fd, FIONREAD, &waiting) == 0 &&
            waiting > 0) {
            loop_arm(process->owner->loop, timer, clock_in_ms(INIT_STREAMS_MS));
            return;
        }
    }
    for (size_t i = 0; i < 2; i++)
        loop_close(process->owner->loop, &process->out[i]);
    conclude_if_over(process);
}

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

static void on_output(struct process *process, size_t stream)
{
    struct loop *loop = process->owner->loop;
    struct link *link = process->owner->link;
    char data[LIMITS_STREAM_CHUNK];
    ssize_t n;

    if (link->state == LINK_UP && !process->orphaned &&
        link_room(link) < INIT_OUTPUT_RESERVE + FRAME_HEADER_SIZE + LIMITS_STREAM_CHUNK + 64) {
        loop_watch(loop, &process->out[stream], 0); /* until process_resume() */
        return;
    }
    n = read(process->out[stream].fd, data, sizeof(data));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    (void)send_output(process, stream,
                      (struct wire_text){.data = data, .size = n > 0 ? (size_t)n : 0});
    if (n <= 0) {
        loop_close(loop, &process->out[stream]);
        conclude_if_over(process);
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

static void write_input(struct process *process)
{
    struct loop *loop = process->owner->loop;
    ssize_t n = 0;

    if (process->input_size > 0)
        n = write(process->in.fd, process->input, process->input_size);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        loop_close(loop, &process->in); /* it does not want more */
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
}

static void on_input(struct loop_source *source, uint32_t events)
{
    (void)events;
    write_input(LOOP_OWNER(source, struct process, in));
}

/* execve(2) succeeded, or the child said why it did not. */
static void on_exec(struct loop_source *source, uint32_t events)
{
    struct process *process = LOOP_OWNER(source, struct process, exec);
    struct spawn_failure failure;
    struct report report = {0};
    ssize_t n = read(source->fd, &failure, sizeof(failure));

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    loop_close(process->owner->loop, source);
    if (n == (ssize_t)sizeof(failure)) {
        failure.where[sizeof(failure.where) - 1] = '\0';
        (void)report_fail(&report, failure.error, "%s %u cannot be started: %s: %s",
                          role_name(process), process->number, failure.where,
                          strerror(failure.error));
        kmsg_log(LOG_ERR, "%s", report.text);
    } else {
        kmsg_log(LOG_INFO, "%s %u started (pid %d)", role_name(process), process->number,
                 process->pid);
    }
    if (process->id == 0)
        return;
    process->owner->answer(process->owner, process->id, process->generation, &report);
    process->id = 0;
    /* The answer said it all: there is no exit of what never began. */
    process->orphaned = process->orphaned || report.error != 0;
    if (report.error != 0)
        process->restart = REQUEST_RESTART_NEVER;
}

static int run(struct process *process, const struct request_start_process *request)
{
    struct loop *loop = process->owner->loop;
    struct spawned spawned;
    int r = spawn(request, &spawned);

    if (r < 0)
        return r;
    process->pid = spawned.pid;
    process->exited = false;
    process->started_ns = clock_now_ns();
    process->input_size = 0;
    process->input_ended = false;
    process->exec.fd = spawned.exec_fd;
    process->out[0].fd = spawned.out_fd[0];
    process->out[1].fd = spawned.out_fd[1];
    process->in.fd = spawned.in_fd;
    (void)loop_add(loop, &process->exec, EPOLLIN);
    for (size_t i = 0; i < 2; i++)
        if (process->out[i].fd >= 0)
            (void)loop_add(loop, &process->out[i], EPOLLIN);
    if (process->role == REQUEST_ROLE_PAYLOAD)
        process->owner->payload_ns = process->started_ns;
    return 0;
}

static struct process *find(struct processes *processes, uint32_t number)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++) {
        struct process *process = &processes->table[i];

        if (process->used && !process->orphaned && process->number == number)
            return process;
    }
    return NULL;
}

static struct process *find_free(struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++)
        if (!processes->table[i].used)
            return &processes->table[i];
    return NULL;
}

/* The payload may be started again after its frame is gone: its words are copied. */
static void keep_payload(struct processes *processes, const struct request_start_process *request)
{
    struct wire_writer writer = {.data = processes->payload_bytes,
                                 .capacity = sizeof(processes->payload_bytes)};

    processes->payload = *request;
    processes->payload.argv.data = writer.data;
    wire_put_bytes(&writer, request->argv.data, request->argv.size);
    processes->payload.environment.data = writer.data + writer.size;
    wire_put_bytes(&writer, request->environment.data, request->environment.size);
    processes->payload.directory.data = (const char *)writer.data + writer.size;
    wire_put_text(&writer, request->directory);
}

static int judge(struct processes *processes, const struct request_start_process *request,
                 struct report *report)
{
    int error = spawn_check(request);

    if (error != 0)
        return report_fail(report, error,
                           "process %u: expected 1 to %u words and at most as many NAME=VALUE",
                           request->process, INIT_WORDS);
    if (request->role > REQUEST_ROLE_COMMAND || request->restart > REQUEST_RESTART_ALWAYS ||
        (request->role == REQUEST_ROLE_COMMAND && request->restart != REQUEST_RESTART_NEVER) ||
        request->directory.size >= LIMITS_PATH)
        return report_fail(report, EINVAL,
                           "process %u: role %u, restart %u: expected a payload, or a command "
                           "that is not started again",
                           request->process, request->role, request->restart);
    if (processes->stopping)
        return report_fail(report, ESHUTDOWN, "process %u: shutting down", request->process);
    if (request->role == REQUEST_ROLE_PAYLOAD && process_has_payload(processes))
        return report_fail(report, EALREADY, "process %u: a payload runs", request->process);
    if (find(processes, request->process))
        return report_fail(report, EEXIST, "process %u: this number is in use", request->process);
    return 0;
}

int process_start(struct processes *processes, const struct request_start_process *request,
                  uint32_t id, uint32_t generation, struct report *report)
{
    struct process *process = find_free(processes);
    int r = judge(processes, request, report);

    if (r != 0)
        return r;
    if (!process)
        return report_fail(report, EAGAIN, "process %u: %u run already", request->process,
                           INIT_PROCESSES);
    process->number = request->process;
    process->role = request->role;
    process->restart = request->restart;
    process->flags = request->flags;
    process->orphaned = false;
    process->restarts = 0;
    process->pause_ms = INIT_RESTART_FIRST_MS;
    process->id = id;
    process->generation = generation;
    if (request->role == REQUEST_ROLE_PAYLOAD) {
        keep_payload(processes, request);
        request = &processes->payload;
    }
    r = run(process, request);
    if (r < 0)
        return report_fail(report, r == -ENOMEM ? EAGAIN : -r, "process %u: cannot fork: %s",
                           request->process, strerror(-r));
    process->used = true;
    return 0;
}

int process_start_words(struct processes *processes, char *const *words, size_t count,
                        struct report *report)
{
    uint8_t bytes[2 * INIT_CMDLINE_SIZE];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    struct request_start_process request = {
        .role = REQUEST_ROLE_PAYLOAD,
        .flags = REQUEST_PROCESS_TERMINAL,
        .argv = {.data = bytes, .count = (uint16_t)count},
    };

    for (size_t i = 0; i < count; i++)
        wire_put_list_item(&writer, wire_text_of(words[i]));
    if (writer.overflow)
        return report_fail(report, E2BIG, "the payload's words after -- are too long");
    request.argv.size = writer.size;
    return process_start(processes, &request, 0, 0, report);
}

int process_signal(struct processes *processes, uint32_t number, uint32_t signal,
                   struct report *report)
{
    const struct process *process = find(processes, number);

    if (signal == 0 || signal > (uint32_t)SIGRTMAX)
        return report_fail(report, EINVAL, "signal %u: expected 1 to %d", signal, SIGRTMAX);
    if (!process || process->exited || process->pid == 0)
        return report_fail(report, ESRCH, "process %u does not run", number);
    if (kill(-process->pid, (int)signal) < 0 && kill(process->pid, (int)signal) < 0)
        return report_fail(report, errno, "process %u: %s", number, strerror(errno));
    return 0;
}

int process_input(struct processes *processes, const struct request_process_input *input,
                  struct report *report)
{
    struct process *process = find(processes, input->process);

    if (!process)
        return report_fail(report, ESRCH, "process %u does not run", input->process);
    if (process->in.fd < 0 || process->input_ended)
        return report_fail(report, EPIPE, "process %u takes no input", input->process);
    if (input->data.size > sizeof(process->input) - process->input_size)
        return report_fail(report, EAGAIN, "process %u: %zu bytes of input wait already",
                           input->process, process->input_size);
    memcpy(process->input + process->input_size, input->data.data, input->data.size);
    process->input_size += input->data.size;
    process->input_ended = input->data.size == 0;
    write_input(process);
    return 0;
}

bool process_has_payload(const struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++)
        if (processes->table[i].used && processes->table[i].role == REQUEST_ROLE_PAYLOAD)
            return true;
    return false;
}

bool process_reaped(struct processes *processes, pid_t pid, int status)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++) {
        struct process *process = &processes->table[i];

        if (!process->used || process->exited || process->pid != pid)
            continue;
        process->exited = true;
        process->wait_status = status;
        process->exited_ns = clock_now_ns();
        if (process->exec.fd >= 0)
            on_exec(&process->exec, EPOLLIN);
        loop_close(processes->loop, &process->in);
        loop_arm(processes->loop, &process->timer, clock_in_ms(INIT_STREAMS_MS));
        conclude_if_over(process);
        return true;
    }
    return false;
}

void process_resume(struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++)
        for (size_t stream = 0; processes->table[i].used && stream < 2; stream++)
            loop_watch(processes->loop, &processes->table[i].out[stream], EPOLLIN);
}

void process_lost(struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++) {
        struct process *process = &processes->table[i];

        if (!process->used || process->role != REQUEST_ROLE_COMMAND || process->orphaned)
            continue;
        process->orphaned = true;
        if (!process->exited)
            (void)kill(-process->pid, SIGHUP);
    }
    process_resume(processes);
}

void processes_init(struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++) {
        struct process *process = &processes->table[i];

        process->owner = processes;
        process->exec = (struct loop_source){.fd = -1, .ready = on_exec};
        process->out[0] = (struct loop_source){.fd = -1, .ready = on_stdout};
        process->out[1] = (struct loop_source){.fd = -1, .ready = on_stderr};
        process->in = (struct loop_source){.fd = -1, .ready = on_input};
        process->timer.expired = on_timer;
    }
}
