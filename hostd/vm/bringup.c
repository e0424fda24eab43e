/* bringup: what the host asks of a guest that just connected, and in which order. */
#include "bringup.h"

#include "adapter.h"
#include "base/clock.h"
#include "base/limits.h"
#include "guest/guest.h"
#include "report.h"
#include "share.h"
#include "vm_parts.h"

#include "protocol/request.h"

#include <errno.h>

/* Of what only matters if it fails. */
static void on_hostname(void *userdata, const struct guest_answer *answer)
{
    struct vm *vm = userdata;

    if (answer->error != 0 && answer->error != ECONNRESET)
        report_step_failed(vm, "set-hostname", answer->error, answer->text);
}

void bringup_set_hostname(struct vm *vm)
{
    uint8_t payload[LIMITS_HOSTNAME + 64u];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    if (!vm->config->hostname || !guest_is_attached(vm->guest))
        return;
    request_set_hostname_pack(
        &writer, &(struct request_set_hostname){.name = wire_text_of(vm->config->hostname)});
    if (!writer.overflow)
        (void)guest_ask(vm->guest, FRAME_SET_HOSTNAME, payload, writer.size, LIMITS_ANSWER_MS,
                        on_hostname, vm);
}

static void on_complete(void *userdata, const struct guest_answer *answer)
{
    struct vm *vm = userdata;

    if (answer->error == ECONNRESET)
        return;
    if (answer->error != 0)
        report_step_failed(vm, "complete-boot", answer->error, answer->text);
    vm->bringup = BRINGUP_DONE;
}

static void complete(struct vm *vm)
{
    vm->bringup = BRINGUP_COMPLETE;
    (void)guest_ask(vm->guest, FRAME_COMPLETE_BOOT, NULL, 0, LIMITS_ANSWER_MS, on_complete, vm);
}

/* The last moments of shares and adapters, for the timeline. */
static void note_timings(struct vm *vm)
{
    struct vm_timings *timings = &vm->boot.timings;
    uint32_t now_ms = boot_age_ms(&vm->boot, clock_now_us());

    if (vm->boot.ready) /* what comes later is no part of the boot */
        return;
    if (timings->mounts_ms == 0 && attachment_next(vm, &share_kind, NULL) &&
        attachments_are_settled(vm, &share_kind))
        timings->mounts_ms = now_ms;
    if (timings->network_ms == 0 && attachment_next(vm, &adapter_kind, NULL) &&
        attachments_are_settled(vm, &adapter_kind))
        timings->network_ms = now_ms;
}

void bringup_check(struct vm *vm)
{
    if (vm->bringup == BRINGUP_DEVICES) {
        note_timings(vm);
        if (!attachments_are_settled(vm, NULL))
            return;
        vm->bringup = BRINGUP_PAYLOAD;
        payload_start(vm);
    }
    if (vm->bringup == BRINGUP_PAYLOAD && vm->payload.state != VM_PAYLOAD_WAITING) {
        if (vm->boot.payload_started && vm->boot.timings.payload_ms == 0 && !vm->boot.ready)
            vm->boot.timings.payload_ms = boot_age_ms(&vm->boot, clock_now_us());
        complete(vm);
    }
}

void bringup_begin(struct vm *vm, bool same_boot)
{
    vm->bringup = BRINGUP_DEVICES;
    bringup_set_hostname(vm);
    attachments_begin(vm, same_boot ? ATTACHMENTS_BACK : ATTACHMENTS_BOOT);
}

void bringup_end(struct vm *vm)
{
    vm->bringup = BRINGUP_IDLE;
}
