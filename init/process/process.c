/* process: the programs that PID 1 starts and reports on. */
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "payload.h"
#include "process_group.h"
#include "process_run.h"
#include "process_stream.h"
#include "protocol/limits.h"
#include "spawn.h"
#include "terminal.h"

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
    if (request->role == REQUEST_ROLE_PAYLOAD && payload_exists(processes))
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
        process_group_open_tree(processes);
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
        payload_keep(processes, request);
        request = &processes->payload;
    }
    r = process_run_start(process, request);
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
    /* One that has exited may still wait for its output to be taken, which nobody does any more. */
    if (process && signal == SIGHUP)
        process_stream_hang_up(process);
    if (!process || process->exited || process->pid == 0)
        return report_fail(report, ESRCH, "process %u is not running", number);
    r = process_group_signal(process, (int)signal);
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

void processes_hang_up_terminals(struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++) {
        const struct process *process = &processes->table[i];

        if (process->used && process->pid > 0 && !process->exited &&
            (process->flags & (REQUEST_PROCESS_TERMINAL | REQUEST_PROCESS_PTY)))
            (void)kill(-process->pid, SIGHUP);
    }
}

bool process_reaped(struct processes *processes, pid_t pid, int status)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++) {
        struct process *process = &processes->table[i];

        if (!process->used || process->exited || process->pid != pid)
            continue;
        process_run_ended(process, status);
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
            (void)process_group_signal(process, SIGHUP);
        process_stream_hang_up(process);
    }
    process_resume(processes);
}

void processes_init(struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++) {
        struct process *process = &processes->table[i];

        process->owner = processes;
        process->input = processes->input[i];
        process_run_init(process);
        process_stream_init(process);
    }
}
