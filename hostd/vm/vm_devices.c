/* vm devices: what a VM makes of its device host's coming and going. */
#include "base/limits.h"
#include "report.h"
#include "vm_life.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Everything that failed for want of it gets another try. */
static void on_up(void *userdata)
{
    struct vm *vm = userdata;

    free(vm->host_error);
    vm->host_error = NULL;
    vm->unvouched_told = false;
    if (vm->services->vm_vouched)
        vm->services->vm_vouched(vm);
    vm_await_guest(vm);
    if (!guest_is_attached(vm->guest))
        return;
    shares_begin(vm, true);
    adapters_begin(vm, true);
    shares_step(vm);
    adapters_step(vm);
}

static void on_down(void *userdata, bool ended, const char *text)
{
    struct vm *vm = userdata;

    free(vm->host_error);
    vm->host_error = strdup(text);
    vm->host_error_told = false;
    if (!ended) {
        report_line(vm, ALLOWANCE_DEVICE, LOG_INFO, "%s", text);
        if (vm->connection)
            vm_tell_host_error(vm);
    } else {
        report_line(vm, ALLOWANCE_DEVICE, LOG_NOTICE, "the VM ended: %s", text);
        vm->ended = true;
        vm_drop_connection(vm, "vm-ended", 0);
    }
    shares_forget_devices(vm);
    adapters_forget_devices(vm);
    /* what waited for it learns that it waits in vain */
    shares_step(vm);
    adapters_step(vm);
    vm_save_now(vm);
}

static void on_reset(void *userdata)
{
    struct vm *vm = userdata;

    report_line(vm, ALLOWANCE_RESET, LOG_INFO, "the guest was reset");
    vm_drop_connection(vm, "reset", 0);
    vm_await_guest(vm);
}

static void on_share_lost(void *userdata, const char *tag, bool restored, const char *text)
{
    shares_lost(userdata, tag, restored, text);
}

const struct device_host_events vm_device_host_events = {
    .up = on_up, .down = on_down, .reset = on_reset, .share_lost = on_share_lost};
