/* process_run: one run of a program: its start, its exit, and the pause before a restart. */
#include "process_run.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kmsg_log.h"
#include "process_group.h"
#include "process_stream.h"
#include "protocol/event.h"
#include "protocol/limits.h"
#include "spawn.h"

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

static void release(struct process *process)
{
    struct loop *loop = process->owner->loop;

    loop_disarm(loop, &process->timer);
    loop_close(loop, &process->exec);
    process_stream_close_input(process);
    for (size_t i = 0; i < 2; i++)
        loop_close(loop, &process->out[i]);
    process_group_remove(process);
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
    r = process_run_start(process, &process->owner->payload);
    if (r < 0) {
        kmsg_log(LOG_ERR, "cannot restart the payload: %s; will retry in %u ms", strerror(-r),
                 process->pause_ms);
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
    /* Somebody else holds the pipes open, or we were held up: what came is still taken. */
    process_stream_close_quiet(process);
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

int process_run_start(struct process *process, const struct request_start_process *request)
{
    char name[CGROUP_NAME_SIZE];
    const struct spawn_group group = {.tree = process->owner->cgroups > 0 ? process->owner->cgroups
                                                                          : -1,
                                      .name = process_group_name(process, name)};
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

void process_run_ended(struct process *process, int status)
{
    process->exited = true;
    process->wait_status = status;
    process->exited_ns = clock_now_ns();
    if (process->exec.fd >= 0)
        on_exec(&process->exec, EPOLLIN);
    process_stream_close_input(process);
    process_stream_note_owed(process);
    if (is_started_again(process))
        process_group_end(process);
    loop_arm(process->owner->loop, &process->timer, clock_in_ms(INIT_STREAMS_MS));
    conclude_if_over(process);
}

void process_run_init(struct process *process)
{
    process->owner->stream_ended = conclude_if_over;
    process->exec = (struct loop_source){.fd = -1, .ready = on_exec};
    process->timer.expired = on_timer;
}
