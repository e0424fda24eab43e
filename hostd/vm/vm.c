/* vm: one virtual machine: its birth and end. */
#include "vm.h"

#include "base/clock.h"
#include "base/limits.h"
#include "exec_parts.h"
#include "report.h"
#include "vm_life.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void on_warning(void *userdata, const char *remark)
{
    report_config_warning(userdata, remark, true);
}

static int add_devices(struct vm *vm)
{
    struct share *share;
    int r;

    for (size_t i = 0; i < vm->config->share_count; i++) {
        r = share_new(vm, &vm->config->shares[i], true, &share);
        if (r < 0 && r != -EEXIST)
            return r;
        /* one that was added at runtime has become the file's */
        if (r == -EEXIST)
            share_find(vm, vm->config->shares[i].tag)->configured = true;
    }
    for (size_t i = 0; i < vm->config->network_count; i++) {
        r = adapter_new(vm, vm->settings, &vm->config->networks[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int start(struct vm *vm)
{
    struct json_object *memory;
    int r;

    r = guest_new(vm->services->event, &vm->guest);
    if (r < 0)
        return r;
    vm->policy = policy_decide(vm->settings->config, vm->config, on_warning, vm);
    memory = vm_recall(vm);
    r = device_host_new(vm->services->event, vm->config, vm->services->config->state_dir, memory,
                        &vm_device_host_events, vm, &vm->host);
    (void)json_object_put(memory);
    if (r < 0)
        return r;
    r = add_devices(vm);
    if (r < 0)
        return r;
    vm_await_guest(vm);
    return 0;
}

int vm_new(struct services *services, struct settings *settings, const struct config_vm *config,
           struct vm **ret_vm)
{
    struct vm *vm = calloc(1, sizeof(*vm));
    int r;

    if (!vm)
        return -ENOMEM;
    vm->services = services;
    vm->settings = settings_ref(settings);
    vm->host_settings = settings_ref(settings);
    vm->config = config;
    TAILQ_INIT(&vm->handshakes.queue);
    if (getrandom(&vm->exec_next, sizeof(vm->exec_next), GRND_NONBLOCK) < 0)
        vm->exec_next = (uint32_t)clock_real_us();
    r = start(vm);
    if (r < 0) {
        (void)vm_free(vm);
        return r;
    }
    *ret_vm = vm;
    return 0;
}

struct vm *vm_free(struct vm *vm)
{
    if (!vm)
        return NULL;
    execs_orphan(vm);
    if (vm->connection) {
        vm->connection = connection_free(vm->connection);
        guest_attach(vm->guest, NULL);
    }
    vm_save_flush(vm);
    vm->refused = connection_free(vm->refused);
    report_dropped(vm);
    while (vm->operations)
        operation_finish(vm->operations, ECANCELED, "the daemon lets go of the VM");
    vm->host = device_host_free(vm->host);
    shares_done(vm);
    adapters_done(vm);
    vm->guest = guest_free(vm->guest);
    payload_reset(vm);
    warned_done(&vm->warned);
    silence_done(&vm->silence);
    (void)sd_event_source_disable_unref(vm->connect_timer);
    (void)sd_event_source_disable_unref(vm->refused_timer);
    (void)sd_event_source_disable_unref(vm->dropped_timer);
    (void)sd_event_source_disable_unref(vm->save_timer);
    (void)sd_event_source_disable_unref(vm->leave_timer);
    free(vm->host_error);
    (void)settings_unref(vm->settings);
    (void)settings_unref(vm->host_settings);
    free(vm);
    return NULL;
}

const struct config_vm *vm_config(const struct vm *vm)
{
    return vm->config;
}
