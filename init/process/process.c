/* process: the programs that PID 1 starts and reports on. */
#include "process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kmsg_log.h"
#include "cgroup.h"
#include "process_stream.h"
#include "protocol/event.h"
#include "protocol/limits.h"
#include "spawn.h"
#include "terminal.h"

static int run(struct process *process, const struct request_start_process *request);

static const char *role_name(const struct process *process)
{
    if (process->flags & REQUEST_PROCESS_CONNECTION)
        return "connection";
    return process->role == REQUEST_ROLE_PAYLOAD ? "payload" : "command";
}

/* A connection costs a host nothing that it did not ask for a hundred times a second. */
static int log_level(const struct process *process)
{
    return process->flags & REQUEST_PROCESS_CONNECTION ? LOG_DEBUG : LOG_INFO;
}

/* Its control group: a payload has the same each time that it is started. */
static const char *group_of(const struct process *process, char name[CGROUP_NAME_SIZE])
{
    if (process->role == REQUEST_ROLE_PAYLOAD)
        (void)snprintf(name, CGROUP_NAME_SIZE, "payload");
    else
        (void)snprintf(name, CGROUP_NAME_SIZE, "exec-%u", process->number);
    return name;
}

/* To all that it started, where there are control groups; else to its process group. */
static int signal_all(const struct process *process, int number)
{
    char name[CGROUP_NAME_SIZE];
    int tree = process->owner->cgroups;

    if (tree > 0 && number == SIGKILL)
        (void)cgroup_kill(tree, group_of(process, name));
    else if (tree > 0)
        cgroup_signal(tree, group_of(process, name), process->pid, number);
    /* Before its setsid() it is not the leader of a group yet. */
    if (kill(-process->pid, number) < 0 && kill(process->pid, number) < 0)
        return -errno;
    return 0;
}

static void release(struct process *process)
{
    char name[CGROUP_NAME_SIZE];
    struct loop *loop = process->owner->loop;

    loop_disarm(loop, &process->timer);
    loop_close(loop, &process->exec);
    process_stream_close_input(process);
    for (size_t i = 0; i < 2; i++)
        loop_close(loop, &process->out[i]);
    if (process->owner->cgroups > 0)
        cgroup_remove(process->owner->cgroups, group_of(process, name));
    process->used = false;
    process->pid = 0;
}

static unsigned status_of(const struct process *process)
{
    return WIFSIGNALED(process->wait_status) ? 128u + (unsigned)WTERMSIG(process->wait_status)
                                             : (unsigned)WEXITSTATUS(process->wait_status);
}

static bool is_started_again(const struct process *process)
{
    return !process->owner->stopping && process->restart != REQUEST_RESTART_NEVER &&
           (process->restart != REQUEST_RESTART_ON_FAILURE || status_of(process) != 0);
}

/* @return the pause before it is started again, or EVENT_NOT_AGAIN */
static uint32_t pause_before_restart(struct process *process)
{
    uint32_t pause = process->pause_ms;

    if (!is_started_again(process))
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

    kmsg_log(log_level(process), "%s %u (pid %u): %s %u%s", role_name(process), event.process,
             event.pid, event.signal ? "killed by signal" : "exit status",
             event.signal ? event.signal : event.status,
             event.again_ms == EVENT_NOT_AGAIN ? "" : "; restarting it");
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
        kmsg_log(LOG_ERR, "cannot restart the payload: %s; will retry in %u ms", strerror(-r),
                 process->pause_ms);
        loop_arm(process->owner->loop, &process->timer, clock_in_ms(process->pause_ms));
    }
}

/* Is there something in a stream, or has it ended, and was not read yet? */
static bool has_more(const struct loop_source *stream)
{
    struct pollfd poll_stream = {.fd = stream->fd, .events = POLLIN};

    return poll(&poll_stream, 1, 0) > 0;
}

static void on_timer(struct loop_timer *timer)
{
    struct process *process = LOOP_OWNER(timer, struct process, timer);

    if (!process->exited) {
        start_again(process);
        return;
    }
    /* Somebody else holds the pipes open, or we were held up: what came is still taken. */
    for (size_t i = 0; i < 2; i++)
        if (!has_more(&process->out[i]) || process_stream_is_over(process, i))
            loop_close(process->owner->loop, &process->out[i]);
    if (process->out[0].fd >= 0 || process->out[1].fd >= 0)
        loop_arm(process->owner->loop, timer, clock_in_ms(INIT_STREAMS_MS));
    conclude_if_over(process);
}

/* What a host shows as 127 or 126 is said of the program alone, not of its directory or user. */
static int error_of(const struct spawn_failure *failure)
{
    return failure->status == SPAWN_NOT_STARTED ? EINVAL : failure->error;
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
        (void)report_fail(&report, error_of(&failure), "cannot start %s %u: %s: %s",
                          role_name(process), process->number, failure.where,
                          strerror(failure.error));
        kmsg_log(process->flags & REQUEST_PROCESS_CONNECTION ? LOG_DEBUG : LOG_ERR, "%s",
                 report.text);
        if (process->role == REQUEST_ROLE_PAYLOAD && process->restarts == 0)
            process->owner->payload_ns = 0; /* none was started yet */
    } else {
        kmsg_log(log_level(process), "started %s %u (pid %d)", role_name(process), process->number,
                 process->pid);
    }
    if (process->id == 0)
        return;
    link_answer(process->owner->link, process->id, process->generation, &report);
    process->id = 0;
    /* The answer said it all: there is no exit of what never began. */
    process->orphaned = process->orphaned || report.error != 0;
    if (report.error != 0)
        process->restart = REQUEST_RESTART_NEVER;
}

static int run(struct process *process, const struct request_start_process *request)
{
    char name[CGROUP_NAME_SIZE];
    const struct spawn_group group = {.tree = process->owner->cgroups > 0 ? process->owner->cgroups
                                                                          : -1,
                                      .name = group_of(process, name)};
    struct spawned spawned;
    int r = spawn(request, &group, &spawned);

    if (r < 0)
        return r;
    process->pid = spawned.pid;
    process->exited = false;
    memset(process->after_exit, 0, sizeof(process->after_exit));
    process->started_ns = clock_now_ns();
    process->exec.fd = spawned.exec_fd;
    (void)loop_add(process->owner->loop, &process->exec, EPOLLIN);
    process_stream_open(process, &spawned);
    if (process->role == REQUEST_ROLE_PAYLOAD)
        process->owner->payload_ns = process->started_ns;
    return 0;
}

struct process *process_find(struct processes *processes, uint32_t number)
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
    processes->payload.limits.data = writer.data + writer.size;
    wire_put_bytes(&writer, request->limits.data, request->limits.size);
}

static int judge(struct processes *processes, const struct request_start_process *request,
                 struct report *report)
{
    int error = spawn_check(request);

    if (error != 0)
        return report_fail(report, error,
                           "process %u: expected 1 to %u words, at most %u NAME=VALUE, "
                           "limits as \"nofile 1024 524288\", and a terminal for a command "
                           "alone",
                           request->process, INIT_WORDS, INIT_VARIABLES);
    if (request->role > REQUEST_ROLE_COMMAND || request->restart > REQUEST_RESTART_ALWAYS ||
        (request->role == REQUEST_ROLE_COMMAND && request->restart != REQUEST_RESTART_NEVER) ||
        request->directory.size >= LIMITS_PATH || request->stop_signal > SIGRTMAX)
        return report_fail(report, EINVAL,
                           "process %u: role %u, restart %u: expected a payload, or a command "
                           "without restarts",
                           request->process, request->role, request->restart);
    if (processes->stopping)
        return report_fail(report, ESHUTDOWN, "process %u: shutting down", request->process);
    if (request->role == REQUEST_ROLE_PAYLOAD && process_has_payload(processes))
        return report_fail(report, EALREADY, "process %u: a payload is running", request->process);
    if (process_find(processes, request->process))
        return report_fail(report, EEXIST, "process %u: this number is already used",
                           request->process);
    return 0;
}

/* Not the errno of a terminal's device: a host shows ENOENT as a program that is not there. */
static int fail_spawn(const struct request_start_process *request, int error, struct report *report)
{
    bool terminal = (request->flags & REQUEST_PROCESS_PTY) != 0;

    if (error == ENOMEM || error == EAGAIN)
        return report_fail(report, EAGAIN, "process %u: cannot fork: %s", request->process,
                           strerror(error));
    return report_fail(report, terminal ? EINVAL : error, "process %u: cannot %s: %s",
                       request->process, terminal ? "open a terminal (devpts)" : "fork",
                       strerror(error));
}

static void open_groups(struct processes *processes)
{
    int r = cgroup_open();

    processes->cgroups = r < 0 ? -1 : r;
    if (r < 0)
        kmsg_log(LOG_NOTICE,
                 "cannot use cgroup2: %s; programs have no control groups, and signals reach "
                 "only their process groups",
                 r == -ENODEV || r == -ENOSYS ? "this kernel has none" : strerror(-r));
}

int process_start(struct processes *processes, const struct request_start_process *request,
                  uint32_t id, uint32_t generation, struct report *report)
{
    struct process *process = find_free(processes);
    int r = judge(processes, request, report);

    if (r != 0)
        return r;
    if (!process)
        return report_fail(report, EAGAIN, "process %u: %u are already running", request->process,
                           INIT_PROCESSES);
    if (processes->cgroups == 0)
        open_groups(processes);
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
        return fail_spawn(request, -r, report);
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
    struct process *process = process_find(processes, number);
    int r;

    if (signal == 0 || signal > (uint32_t)SIGRTMAX)
        return report_fail(report, EINVAL, "signal %u: expected 1 to %d", signal, SIGRTMAX);
    if (!process || process->exited || process->pid == 0)
        return report_fail(report, ESRCH, "process %u is not running", number);
    r = signal_all(process, (int)signal);
    if (signal == SIGHUP)
        process_stream_hang_up(process);
    return r < 0 ? report_fail(report, -r, "process %u: %s", number, strerror(-r)) : 0;
}

int process_resize(struct processes *processes, const struct request_resize_terminal *request,
                   struct report *report)
{
    const struct process *process = process_find(processes, request->process);
    int r;

    if (!process)
        return report_fail(report, ESRCH, "process %u is not running", request->process);
    if (!(process->flags & REQUEST_PROCESS_PTY) || process->out[0].fd < 0)
        return report_fail(report, ENOTTY, "cannot resize the terminal of process %u: it has none",
                           request->process);
    r = terminal_resize(process->out[0].fd, request->rows, request->columns);
    return r < 0 ? report_fail(report, -r, "process %u: %s", request->process, strerror(-r)) : 0;
}

static const struct process *running_payload(const struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++) {
        const struct process *process = &processes->table[i];

        if (process->used && process->role == REQUEST_ROLE_PAYLOAD && process->pid > 0 &&
            !process->exited)
            return process;
    }
    return NULL;
}

bool processes_payload_runs(const struct processes *processes)
{
    return running_payload(processes) != NULL;
}

uint32_t processes_stop_payload(struct processes *processes, uint32_t grace_ms)
{
    const struct process *payload = running_payload(processes);
    const struct request_start_process *request = &processes->payload;
    uint32_t stop_ms = request->stop_timeout_ms != 0 ? request->stop_timeout_ms : grace_ms;

    if (!payload || (request->stop_signal == 0 && request->stop_timeout_ms == 0))
        return 0;
    if (request->stop_signal != 0)
        (void)signal_all(payload, request->stop_signal);
    else
        (void)signal_all(payload, SIGTERM);
    if (request->stop_signal == 0 && (payload->flags & REQUEST_PROCESS_TERMINAL))
        (void)signal_all(payload, SIGHUP);
    (void)signal_all(payload, SIGCONT); /* what is stopped could not see it */
    return stop_ms > INIT_GRACE_LONGEST_MS ? INIT_GRACE_LONGEST_MS : stop_ms;
}

void processes_kill_payload(struct processes *processes)
{
    const struct process *payload = running_payload(processes);

    if (payload)
        (void)signal_all(payload, SIGKILL);
}

void processes_hang_up_terminals(struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++) {
        const struct process *process = &processes->table[i];

        if (process->used && process->pid > 0 && !process->exited &&
            (process->flags & (REQUEST_PROCESS_TERMINAL | REQUEST_PROCESS_PTY)))
            (void)kill(-process->pid, SIGHUP);
    }
}

bool process_has_payload(const struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++)
        if (processes->table[i].used && processes->table[i].role == REQUEST_ROLE_PAYLOAD)
            return true;
    return false;
}

/* What a payload left would be in the way of the next one. Its own number may be another's by now.
 */
static void end_what_is_left(const struct process *process)
{
    char name[CGROUP_NAME_SIZE];

    if (process->owner->cgroups > 0)
        (void)cgroup_kill(process->owner->cgroups, group_of(process, name));
    else
        (void)kill(-process->pid, SIGKILL);
}

static void note_what_is_owed(struct process *process)
{
    for (size_t i = 0; i < 2; i++) {
        int size = 0;

        process->owed[i] = 0;
        if (process->out[i].fd >= 0 && ioctl(process->out[i].fd, FIONREAD, &size) == 0 && size > 0)
            process->owed[i] = (size_t)size;
    }
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
        process_stream_close_input(process);
        note_what_is_owed(process);
        if (is_started_again(process))
            end_what_is_left(process);
        loop_arm(processes->loop, &process->timer, clock_in_ms(INIT_STREAMS_MS));
        conclude_if_over(process);
        return true;
    }
    return false;
}

void process_lost(struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++) {
        struct process *process = &processes->table[i];

        if (!process->used || process->role != REQUEST_ROLE_COMMAND || process->orphaned)
            continue;
        process->orphaned = true;
        if (!process->exited && process->pid > 0)
            (void)signal_all(process, SIGHUP);
        process_stream_hang_up(process);
    }
    process_resume(processes);
}

void processes_init(struct processes *processes)
{
    processes->stream_ended = conclude_if_over;
    for (size_t i = 0; i < INIT_PROCESSES; i++) {
        struct process *process = &processes->table[i];

        process->owner = processes;
        process->input = processes->input[i];
        process->exec = (struct loop_source){.fd = -1, .ready = on_exec};
        process_stream_init(process);
        process->timer.expired = on_timer;
    }
}
