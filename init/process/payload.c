/* payload: the one program that PID 1 may restart, and stops first at a shutdown. */
#include "payload.h"

#include <signal.h>

#include "process_group.h"
#include "protocol/limits.h"

void payload_keep(struct processes *processes, const struct request_start_process *request)
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

bool payload_exists(const struct processes *processes)
{
    for (size_t i = 0; i < INIT_PROCESSES; i++)
        if (processes->table[i].used && processes->table[i].role == REQUEST_ROLE_PAYLOAD)
            return true;
    return false;
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

bool payload_runs(const struct processes *processes)
{
    return running_payload(processes) != NULL;
}

uint32_t payload_stop(struct processes *processes, uint32_t grace_ms)
{
    const struct process *payload = running_payload(processes);
    const struct request_start_process *request = &processes->payload;
    uint32_t stop_ms = request->stop_timeout_ms != 0 ? request->stop_timeout_ms : grace_ms;

    if (!payload || (request->stop_signal == 0 && request->stop_timeout_ms == 0))
        return 0;
    if (request->stop_signal != 0)
        (void)process_group_signal(payload, request->stop_signal);
    else
        (void)process_group_signal(payload, SIGTERM);
    if (request->stop_signal == 0 && (payload->flags & REQUEST_PROCESS_TERMINAL))
        (void)process_group_signal(payload, SIGHUP);
    (void)process_group_signal(payload, SIGCONT); /* what is stopped could not see it */
    return stop_ms > INIT_GRACE_LONGEST_MS ? INIT_GRACE_LONGEST_MS : stop_ms;
}

void payload_kill(struct processes *processes)
{
    const struct process *payload = running_payload(processes);

    if (payload)
        (void)process_group_signal(payload, SIGKILL);
}
