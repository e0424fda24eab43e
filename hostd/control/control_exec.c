/*
 * control exec: a stream of output to one client, and input from another connection of the same.
 *
 * A reader that does not keep up makes us pause the whole guest for a moment at a time, so its
 * output comes slowly; a reader that does not read at all is cut off by varlink's bound.
 */
#include "control_exec.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "control_command.h"
#include "control_method.h"
#include "control_params.h"
#include "protocol/event.h"
#include "protocol/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* exec_pause() asks for less than a second: everything else of that guest waits too. */
#define PAUSE_MS 500u

struct running {
    struct control_execs *execs;
    struct varlink_call *call;
    struct exec *exec;
    uint32_t process; /* the client's number for it */
    sd_event_source *resume;
    bool paused;
    LIST_ENTRY(running) of_all;
};

struct control_execs {
    struct fleet *fleet;
    LIST_HEAD(, running) running;
    TAILQ_HEAD(, input) inputs; /* those that wait, the oldest first */
    uint32_t last;              /* number given out */
};

/* Input that its command has no room for yet. */
struct input {
    struct control_execs *execs;
    struct varlink_call *call;
    TAILQ_ENTRY(input) of_all;
    uint32_t process;
    size_t size;
    uint8_t data[LIMITS_STREAM_CHUNK];
};

struct control_execs *control_execs_new(struct fleet *fleet)
{
    struct control_execs *execs = calloc(1, sizeof(*execs));

    if (execs == NULL)
        return NULL;
    execs->fleet = fleet;
    TAILQ_INIT(&execs->inputs);
    return execs;
}

struct control_execs *control_execs_free(struct control_execs *execs)
{
    free(execs);
    return NULL;
}

static void retry_inputs(struct control_execs *execs, uint32_t process);

static struct running *running_free(struct running *running)
{
    struct control_execs *execs = running->execs;
    uint32_t process = running->process;

    LIST_REMOVE(running, of_all);
    sd_event_source_disable_unref(running->resume);
    (void)exec_free(running->exec);
    free(running);
    retry_inputs(execs, process);
    return NULL;
}

static void on_closed(void *userdata)
{
    (void)running_free(userdata);
}

static void resume(struct running *running)
{
    if (!running->paused)
        return;
    running->paused = false;
    clock_disarm(running->resume);
    exec_pause(running->exec, false);
}

static int on_resume(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    resume(userdata);
    return 0;
}

static void on_drained(void *userdata)
{
    resume(userdata);
}

static void on_started(void *userdata)
{
    struct running *running = userdata;
    struct json_object *reply = json_object_new_object();

    json_add_number(reply, "process", running->process);
    varlink_call_reply(running->call, reply, true);
}

static void on_output(void *userdata, uint16_t stream, const void *data, size_t size)
{
    struct running *running = userdata;
    struct json_object *reply = json_object_new_object();
    char *text = malloc(BASE64_SIZE(size) + 1);

    if (text == NULL) {
        json_object_put(reply);
        return;
    }
    (void)base64_encode(data, size, text);
    json_add_text(reply, "stream", stream == EVENT_STDERR ? "stderr" : "stdout");
    json_add_text(reply, "data", text);
    free(text);
    varlink_call_reply(running->call, reply, true);
    if (!running->paused && varlink_call_is_full(running->call)) {
        running->paused = true;
        exec_pause(running->exec, true);
        (void)clock_arm(running->execs->fleet->services.event, &running->resume, PAUSE_MS,
                        on_resume, running);
    }
}

static void on_input_changed(void *userdata)
{
    const struct running *running = userdata;

    retry_inputs(running->execs, running->process);
}

static void finish(struct running *running, uint32_t status, uint32_t signal, const char *error)
{
    struct varlink_call *call = running->call;
    struct json_object *reply = json_object_new_object();

    json_add_number(reply, "status", status);
    if (signal != 0)
        json_add_number(reply, "signal", signal);
    if (error != NULL)
        json_add_text(reply, "error", error);
    varlink_call_watch(call, NULL, NULL, NULL);
    (void)running_free(running);
    varlink_call_reply(call, reply, false);
}

static void on_exited(void *userdata, uint32_t status, uint32_t signal)
{
    finish(userdata, status, signal, NULL);
}

static void on_failed(void *userdata, int error, uint32_t status, const char *text)
{
    finish(userdata, status, 0, text != NULL && text[0] != '\0' ? text : strerror(error));
}

void control_exec_run(struct control_execs *execs, struct varlink_call *call,
                      struct json_object *params)
{
    static const struct exec_events events = {.started = on_started,
                                              .output = on_output,
                                              .input_changed = on_input_changed,
                                              .exited = on_exited,
                                              .failed = on_failed};
    struct vm *vm = control_method_find_vm(execs->fleet, call, params);
    struct exec_command command;
    struct running *running;
    int r;

    if (vm == NULL || !control_command_read(call, params, &command))
        return;
    running = calloc(1, sizeof(*running));
    r = running == NULL ? -ENOMEM : vm_exec(vm, &command, &events, running, &running->exec);
    control_command_done(&command);
    if (r < 0) {
        free(running);
        control_method_fail_vm(call, vm, r);
        return;
    }
    running->execs = execs;
    running->call = call;
    running->process = ++execs->last;
    LIST_INSERT_HEAD(&execs->running, running, of_all);
    varlink_call_watch(call, on_closed, on_drained, running);
}

static struct running *find(struct control_execs *execs, uint32_t process)
{
    struct running *running;

    LIST_FOREACH(running, &execs->running, of_all)
        if (running->process == process)
            break;
    return running;
}

static void fail_no_process(struct varlink_call *call, uint32_t process)
{
    struct json_object *params = json_object_new_object();

    json_add_number(params, "process", process);
    varlink_call_fail(call, "io.guestlink.NoSuchProcess", params);
}

static void input_free(void *userdata)
{
    struct input *input = userdata;

    TAILQ_REMOVE(&input->execs->inputs, input, of_all);
    free(input);
}

/* @return false if it has to wait for room */
static bool try_input(struct input *input)
{
    struct running *running = find(input->execs, input->process);
    struct varlink_call *call = input->call;
    uint32_t process = input->process;
    int r = running == NULL ? -ESRCH : exec_input(running->exec, input->data, input->size);

    if (r == -EAGAIN)
        return false;
    varlink_call_watch(call, NULL, NULL, NULL);
    input_free(input);
    if (r == -ESRCH)
        fail_no_process(call, process);
    else if (r < 0)
        control_method_fail(call, -r, NULL);
    else
        varlink_call_reply(call, NULL, false);
    return true;
}

static struct input *find_input(const struct control_execs *execs, uint32_t process)
{
    struct input *input;

    TAILQ_FOREACH(input, &execs->inputs, of_all)
        if (input->process == process)
            break;
    return input;
}

static void retry_inputs(struct control_execs *execs, uint32_t process)
{
    struct input *input;

    do
        input = find_input(execs, process);
    while (input != NULL && try_input(input));
}

/* Behind what waits already: what was given first goes in first. */
static void add_input(struct control_execs *execs, struct input *input)
{
    bool waits = find_input(execs, input->process) != NULL;

    TAILQ_INSERT_TAIL(&execs->inputs, input, of_all);
    if (!waits)
        (void)try_input(input);
}

void control_exec_write_input(struct control_execs *execs, struct varlink_call *call,
                              struct json_object *params)
{
    struct input *input;
    const char *data;
    uint32_t process;

    if (!control_params_number(call, params, "process", UINT32_MAX, &process) ||
        !control_params_text(call, params, "data", &data))
        return;
    input = calloc(1, sizeof(*input));
    if (input == NULL) {
        control_method_fail(call, ENOMEM, NULL);
        return;
    }
    if (base64_decode(data, input->data, sizeof(input->data), &input->size) < 0) {
        free(input);
        varlink_call_invalid(call, "data");
        return;
    }
    input->execs = execs;
    input->call = call;
    input->process = process;
    varlink_call_watch(call, input_free, NULL, input);
    add_input(execs, input);
}

/* @return NULL: the call is answered and gone */
static struct running *find_or_fail(struct control_execs *execs, struct varlink_call *call,
                                    uint32_t process)
{
    struct running *running = find(execs, process);

    if (running == NULL)
        fail_no_process(call, process);
    return running;
}

static void reply_done(struct varlink_call *call, int r, const char *reason)
{
    if (r < 0)
        control_method_fail(call, -r, reason);
    else
        varlink_call_reply(call, NULL, false);
}

void control_exec_send_signal(struct control_execs *execs, struct varlink_call *call,
                              struct json_object *params)
{
    const struct running *running;
    uint32_t process, signal;

    /* 64 is the highest signal of Linux */
    if (!control_params_number(call, params, "process", UINT32_MAX, &process) ||
        !control_params_number(call, params, "signal", 64, &signal))
        return;
    running = find_or_fail(execs, call, process);
    if (running != NULL)
        reply_done(call, exec_signal(running->exec, signal), NULL);
}

void control_exec_resize_terminal(struct control_execs *execs, struct varlink_call *call,
                                  struct json_object *params)
{
    const struct running *running;
    struct exec_size size;
    uint32_t process;
    int r;

    if (!control_params_number(call, params, "process", UINT32_MAX, &process) ||
        !control_command_read_size(call, params, &size))
        return;
    running = find_or_fail(execs, call, process);
    if (running == NULL)
        return;
    r = exec_resize(running->exec, size);
    reply_done(call, r,
               r == -ENOTTY ? "cannot resize the command's terminal: it was started without one"
                            : NULL);
}
