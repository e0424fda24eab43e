/* payload: the one program that the VM is for. */
#include "payload.h"

#include "base/clock.h"
#include "base/limits.h"
#include "guest/process_request.h"
#include "report.h"
#include "services.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint32_t payload_status_of_error(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return 127;
    case EACCES:
    case ENOEXEC:
    case EISDIR:
    case ELIBBAD:
    case ETXTBSY:
    case ELOOP:
    case ENAMETOOLONG:
    case EPERM:
        return 126;
    default:
        return 125;
    }
}

static void fail(struct vm *vm, int error, const char *text)
{
    struct payload *payload = &vm->payload;

    payload->state = VM_PAYLOAD_FAILED;
    payload->status = payload_status_of_error(error);
    free(payload->error);
    payload->error = strdup(text);
}

static void on_started(void *userdata, const struct guest_answer *answer)
{
    struct vm *vm = userdata;

    if (answer->error == ECONNRESET) {
        vm->payload.state = VM_PAYLOAD_NONE;
        return;
    }
    latency_add(&vm->services->latencies.payload, clock_now_us() - vm->payload.asked_us);
    if (answer->error == 0 || answer->error == EALREADY)
        vm->payload.state = VM_PAYLOAD_RUNNING;
    else
        fail(vm, answer->error, answer->text);
    /* one that was there already was told by who started it */
    if (answer->error != EALREADY)
        report_payload(vm, answer->error, answer->text);
    vm->boot.payload_started = true;
    saver_now(&vm->saver);
    vm_wake(vm);
}

static uint16_t restart_of(enum config_restart restart)
{
    switch (restart) {
    case CONFIG_RESTART_ON_FAILURE:
        return REQUEST_RESTART_ON_FAILURE;
    case CONFIG_RESTART_ALWAYS:
        return REQUEST_RESTART_ALWAYS;
    case CONFIG_RESTART_NEVER:
    default:
        return REQUEST_RESTART_NEVER;
    }
}

/* The minor version from which on a guest knows what asks_for_more() is about. */
#define BOUNDS_MINOR 1u

static bool asks_for_more(const struct config_payload *config)
{
    return config->limits.count > 0 || config->umask != 0 || config->stop_signal != 0 ||
           config->stop_timeout_ms != 0 || config->memory_max != 0 || config->pids_max != 0;
}

void payload_start(struct vm *vm)
{
    const struct config_payload *config = &vm->config->payload;
    struct process_request request = {
        .head = {.process = LIMITS_PAYLOAD_PROCESS,
                 .role = REQUEST_ROLE_PAYLOAD,
                 .restart = restart_of(config->restart),
                 .flags = (config->output ? REQUEST_PROCESS_OUTPUT : 0) |
                          (config->terminal ? REQUEST_PROCESS_TERMINAL : 0) |
                          (config->umask ? REQUEST_PROCESS_UMASK : 0),
                 .umask = (uint16_t)(config->umask & 0777u),
                 .stop_signal = (uint16_t)config->stop_signal,
                 .stop_timeout_ms = config->stop_timeout_ms,
                 .memory_max = config->memory_max,
                 .pids_max = config->pids_max,
                 .uid = config->uid,
                 .gid = config->gid,
                 .directory = wire_text_of(config->directory)},
        .argv = &config->argv,
        .environment = &config->environment,
        .limits = &config->limits};
    int r;

    if (config->argv.count == 0 || vm->boot.payload_started)
        return;
    if (asks_for_more(config) && vm->boot.capabilities.minor < BOUNDS_MINOR)
        report_line(vm, ALLOWANCE_DEVICE, LOG_WARNING,
                    "the guest's guestlink-init %s does not support limits, umask, stop_signal, "
                    "stop_timeout_ms, memory_max and pids_max of a payload; starting the "
                    "payload without them; put a newer guestlink-init in the guest's image",
                    vm->boot.capabilities.init_version);
    vm->payload.asked_us = clock_now_us();
    r = process_request_send(vm->guest, &request, vm->config->timeouts.payload, on_started, vm);
    if (r < 0) {
        fail(vm, -r, strerrordesc_np(-r));
        report_payload(vm, -r, "cannot ask the guest to start the payload");
        return;
    }
    vm->payload.state = VM_PAYLOAD_WAITING;
}

uint32_t payload_stop_ms(const struct vm *vm, uint32_t grace_ms)
{
    const struct config_payload *config = &vm->config->payload;

    if (config->stop_timeout_ms != 0)
        return config->stop_timeout_ms;
    return config->stop_signal != 0 ? grace_ms : 0;
}

void payload_exited(struct vm *vm, const struct event_child_exited *exited)
{
    struct payload *payload = &vm->payload;

    payload->status = exited->status;
    payload->signal = exited->signal;
    payload->restarts = exited->restarts;
    payload->state = exited->again_ms == EVENT_NOT_AGAIN ? VM_PAYLOAD_EXITED : VM_PAYLOAD_RUNNING;
    saver_soon(&vm->saver);
}

void payload_reset(struct vm *vm)
{
    free(vm->payload.error);
    output_tail_clear(&vm->payload.output);
    vm->payload = (struct payload){0};
}
