/* exec: a command that runs in a guest for somebody on the host. */
#include "exec.h"

#include "base/limits.h"
#include "exec_input.h"
#include "exec_parts.h"
#include "guest/connection.h"
#include "guest/guest.h"
#include "guest/process_request.h"
#include "payload.h"
#include "vm_parts.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

struct exec {
    LIST_ENTRY(exec) of_vm;
    struct vm *vm; /* NULL: it is gone, and this has ended */
    uint32_t process;
    bool running; /* START_PROCESS was answered well, CHILD_EXITED has not come */
    bool ended;
    bool paused;
    bool terminal;
    bool connection;
    struct exec_input input;
    const struct exec_events *events;
    void *userdata;
};

static struct exec *find(struct vm *vm, uint32_t process)
{
    struct exec *exec;

    LIST_FOREACH(exec, &vm->execs, of_vm)
        if (exec->process == process)
            break;
    return exec;
}

static void fail(struct exec *exec, int error, uint32_t status, const char *text)
{
    if (exec->ended)
        return;
    exec->ended = true;
    exec->running = false;
    exec_input_done(&exec->input);
    exec->events->failed(exec->userdata, error, status, text);
}

static void on_started(void *userdata, const struct guest_answer *answer)
{
    struct exec *exec = userdata;

    if (answer->error != 0) {
        fail(exec, answer->error,
             answer->error == ECONNRESET ? 125 : payload_status_of_error(answer->error),
             answer->text);
        return;
    }
    exec->running = true;
    exec->events->started(exec->userdata);
}

static void on_input_changed(void *userdata)
{
    const struct exec *exec = userdata;

    if (!exec->ended)
        exec->events->input_changed(exec->userdata);
}

/* A number that no command of this or an earlier daemon is likely to have in this guest. */
static uint32_t new_number(struct vm *vm)
{
    do
        vm->exec_next++;
    while (vm->exec_next <= LIMITS_PAYLOAD_PROCESS || find(vm, vm->exec_next));
    return vm->exec_next;
}

/* @return 0, -EOPNOTSUPP or -EUSERS */
static int may_connect(const struct vm *vm)
{
    const struct exec *exec;
    unsigned count = 0;

    if (vm->connection && (vm->boot.capabilities.features & CAPABILITIES_CONNECTIONS) == 0)
        return -EOPNOTSUPP;
    LIST_FOREACH(exec, &vm->execs, of_vm)
        count += exec->connection;
    return count < LIMITS_CONNECTIONS ? 0 : -EUSERS;
}

int vm_exec(struct vm *vm, const struct exec_command *command, const struct exec_events *events,
            void *userdata, struct exec **ret_exec)
{
    struct process_request request = {
        .head = {.role = REQUEST_ROLE_COMMAND,
                 .restart = REQUEST_RESTART_NEVER,
                 .flags = REQUEST_PROCESS_OUTPUT | (command->input ? REQUEST_PROCESS_INPUT : 0) |
                          (command->terminal ? REQUEST_PROCESS_PTY : 0) |
                          (command->connection ? REQUEST_PROCESS_CONNECTION : 0),
                 .rows = command->size.rows,
                 .columns = command->size.columns,
                 .uid = command->uid,
                 .gid = command->gid,
                 .directory = wire_text_of(command->directory)},
        .argv = &command->argv,
        .environment = &command->environment};
    struct exec *exec;
    int r = command->connection ? may_connect(vm) : 0;

    if (r < 0)
        return r;
    if (vm->exec_count >= LIMITS_EXECS)
        return -ENOBUFS;
    /* An older guest would start it without one. */
    if (command->terminal && vm->connection &&
        (vm->boot.capabilities.features & CAPABILITIES_TERMINAL) == 0)
        return -EOPNOTSUPP;
    exec = calloc(1, sizeof(*exec));
    if (!exec)
        return -ENOMEM;
    *exec = (struct exec){.vm = vm,
                          .process = new_number(vm),
                          .terminal = command->terminal,
                          .connection = command->connection,
                          .input = {.guest = vm->guest,
                                    .changed = on_input_changed,
                                    .userdata = exec,
                                    .closed = !command->input},
                          .events = events,
                          .userdata = userdata};
    request.head.process = exec->input.process = exec->process;
    r = process_request_send(vm->guest, &request, vm->config->timeouts.payload, on_started, exec);
    if (r < 0) {
        free(exec);
        return r;
    }
    LIST_INSERT_HEAD(&vm->execs, exec, of_vm);
    vm->exec_count++;
    *ret_exec = exec;
    return 0;
}

int exec_input(struct exec *exec, const void *data, size_t size)
{
    if (exec->ended)
        return -EPIPE;
    if (!exec->vm->connection)
        return -ENOTCONN;
    return exec_input_give(&exec->input, data, size);
}

bool exec_takes_input(const struct exec *exec)
{
    return !exec->ended && !exec->input.closed;
}

void exec_taken(struct exec *exec, size_t bytes)
{
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    if (exec->ended || !exec->vm->connection)
        return;
    request_output_taken_pack(&writer, &(struct request_output_taken){.process = exec->process,
                                                                      .bytes = (uint32_t)bytes});
    /* A guest that does not read is closed for that. */
    (void)connection_send(exec->vm->connection, FRAME_OUTPUT_TAKEN, 0, 0, payload, writer.size);
}

static int send_signal(struct vm *vm, uint32_t process, uint32_t number)
{
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    request_send_signal_pack(&writer,
                             &(struct request_send_signal){.process = process, .signal = number});
    return guest_ask(vm->guest, FRAME_SEND_SIGNAL, payload, writer.size, LIMITS_ANSWER_MS, NULL,
                     NULL);
}

int exec_signal(struct exec *exec, uint32_t number)
{
    int r;

    if (exec->ended)
        return -ENOTCONN;
    r = send_signal(exec->vm, exec->process, number);
    return r == -ENOBUFS ? -EAGAIN : r;
}

int exec_resize(struct exec *exec, struct exec_size size)
{
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    int r;

    if (exec->ended)
        return -ENOTCONN;
    if (!exec->terminal)
        return -ENOTTY;
    request_resize_terminal_pack(
        &writer, &(struct request_resize_terminal){
                     .process = exec->process, .rows = size.rows, .columns = size.columns});
    r = guest_ask(exec->vm->guest, FRAME_RESIZE_TERMINAL, payload, writer.size, LIMITS_ANSWER_MS,
                  NULL, NULL);
    return r == -ENOBUFS ? -EAGAIN : r;
}

/* The guest is read only while nobody's output is held back. */
static void update_pause(struct vm *vm)
{
    const struct exec *e;
    bool pause = false;

    LIST_FOREACH(e, &vm->execs, of_vm)
        pause = pause || e->paused;
    if (vm->connection)
        connection_pause(vm->connection, pause);
}

void exec_pause(struct exec *exec, bool pause)
{
    if (exec->ended)
        return;
    exec->paused = pause;
    update_pause(exec->vm);
}

struct exec *exec_free(struct exec *exec)
{
    struct vm *vm;

    if (!exec)
        return NULL;
    vm = exec->vm;
    if (!vm) {
        free(exec);
        return NULL;
    }
    if (!exec->ended)
        (void)send_signal(vm, exec->process, SIGHUP);
    guest_forget(vm->guest, exec);
    exec_input_done(&exec->input);
    LIST_REMOVE(exec, of_vm);
    vm->exec_count--;
    if (exec->paused)
        update_pause(vm);
    free(exec);
    return NULL;
}

bool exec_take_output(struct vm *vm, const struct event_process_output *output)
{
    struct exec *exec = find(vm, output->process);

    if (!exec || exec->ended)
        return false;
    exec->events->output(exec->userdata, output->stream, output->data.data, output->data.size);
    return true;
}

void exec_take_exit(struct vm *vm, const struct event_child_exited *exited)
{
    struct exec *exec = find(vm, exited->process);

    if (!exec || exec->ended)
        return;
    exec->ended = true;
    exec->running = false;
    if (exec->paused) { /* by output in front of this: nobody else resumes */
        exec->paused = false;
        update_pause(vm);
    }
    exec_input_done(&exec->input);
    exec->events->exited(exec->userdata, exited->status, exited->signal);
}

/* The callee may free any of them, so the list is walked again after each. */
void execs_fail(struct vm *vm, const char *text)
{
    struct exec *exec = LIST_FIRST(&vm->execs);

    while (exec) {
        if (exec->ended) {
            exec = LIST_NEXT(exec, of_vm);
            continue;
        }
        exec->paused = false;
        fail(exec, ECONNRESET, 125, text);
        exec = LIST_FIRST(&vm->execs);
    }
}

void execs_orphan(struct vm *vm)
{
    execs_fail(vm, "the VM was removed from the configuration");
    while (!LIST_EMPTY(&vm->execs)) {
        struct exec *exec = LIST_FIRST(&vm->execs);

        LIST_REMOVE(exec, of_vm);
        exec_input_done(&exec->input);
        exec->input.guest = NULL;
        exec->vm = NULL;
    }
}
