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
    if (answer->error == ETIMEDOUT)
        report_timeout(vm, "payload", vm->config->timeouts.payload,
                       vm->config->payload.argv.items[0]);
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

void payload_start(struct vm *vm)
{
    const struct config_payload *config = &vm->config->payload;
    struct process_request request = {
        .head = {.process = LIMITS_PAYLOAD_PROCESS,
                 .role = REQUEST_ROLE_PAYLOAD,
                 .restart = restart_of(config->restart),
                 .flags = (config->output ? REQUEST_PROCESS_OUTPUT : 0) |
                          (config->terminal ? REQUEST_PROCESS_TERMINAL : 0),
                 .uid = config->uid,
                 .gid = config->gid,
                 .directory = wire_text_of(config->directory)},
        .argv = &config->argv,
        .environment = &config->environment};
    int r;

    if (config->argv.count == 0 || vm->boot.payload_started)
        return;
    vm->payload.asked_us = clock_now_us();
    r = process_request_send(vm->guest, &request, vm->config->timeouts.payload, on_started, vm);
    if (r < 0) {
        fail(vm, -r, strerrordesc_np(-r));
        report_payload(vm, -r, "the guest cannot be asked to start it");
        return;
    }
    vm->payload.state = VM_PAYLOAD_WAITING;
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
