/* adapter: a virtio-net adapter on its way to a configured interface in the guest. */
#include "adapter.h"

#include "base/clock.h"
#include "base/limits.h"
#include "guest/network_request.h"
#include "report.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Frees one that is on no list any more. */
static void destroy(struct adapter *adapter)
{
    guest_forget(adapter->vm->guest, adapter);
    (void)sd_event_source_disable_unref(adapter->timer);
    (void)settings_unref(adapter->settings);
    free(adapter->error);
    free(adapter);
}

static void adapter_free(struct adapter *adapter)
{
    struct adapter **position = &adapter->vm->adapters.first;

    while (*position != adapter)
        position = &(*position)->next;
    *position = adapter->next;
    adapter->vm->adapters.count--;
    destroy(adapter);
}

int adapter_new(struct vm *vm, struct settings *settings, const struct config_network *config)
{
    struct adapter **last = &vm->adapters.first;
    struct adapter *adapter = calloc(1, sizeof(*adapter));

    if (!adapter)
        return -ENOMEM;
    while (*last)
        last = &(*last)->next;
    *last = adapter;
    vm->adapters.count++;
    adapter->vm = vm;
    adapter->settings = settings_ref(settings);
    adapter->config = config;
    adapter->wanted = true;
    return 0;
}

struct adapter *adapter_find(struct vm *vm, const char *id)
{
    struct adapter *adapter = vm->adapters.first;

    while (adapter && (!adapter->wanted || strcmp(adapter->config->id, id) != 0))
        adapter = adapter->next;
    return adapter;
}

static bool is_settled(const struct adapter *adapter)
{
    return !adapter->wanted || adapter->failed || adapter->state == VM_DEVICE_IN_USE;
}

static void fail(struct adapter *adapter, const char *phase, int error, const char *text)
{
    if (adapter->failed)
        return;
    clock_disarm(adapter->timer);
    adapter->failed = true;
    adapter->state = VM_DEVICE_FAILED;
    free(adapter->error);
    adapter->error = strdup(text);
    report_device_failed(adapter->vm, "adapter", adapter->config->id, phase, error, text);
    bringup_check(adapter->vm);
}

static int on_device_late(sd_event_source *source, uint64_t at_us, void *userdata)
{
    struct adapter *adapter = userdata;
    uint32_t given_ms = adapter->vm->config->timeouts.device;
    char text[LIMITS_TEXT];

    (void)source;
    (void)at_us;
    if (is_settled(adapter) || adapter->asked)
        return 0;
    (void)snprintf(text, sizeof(text), "the device was not there within %u ms", given_ms);
    report_timeout(adapter->vm, "device", given_ms, adapter->config->id);
    fail(adapter, "device", ETIMEDOUT, text);
    return 0;
}

static void await_device(struct adapter *adapter, enum vm_device_state state)
{
    struct vm *vm = adapter->vm;
    int enabled = SD_EVENT_OFF;

    adapter->state = state;
    if (adapter->timer)
        (void)sd_event_source_get_enabled(adapter->timer, &enabled);
    if (enabled == SD_EVENT_OFF)
        (void)clock_arm(vm->services->event, &adapter->timer, vm->config->timeouts.device,
                        on_device_late, adapter);
}

static void on_added(void *userdata, const struct device_outcome *outcome)
{
    struct adapter *adapter = userdata;
    struct vm *vm = adapter->vm;

    if (outcome->error == ECANCELED)
        return;
    latency_add(&vm->services->latencies.device, clock_now_us() - adapter->asked_us);
    vm_save_now(vm);
    if (outcome->error != 0) {
        adapter->device = ADAPTER_DEVICE_ABSENT;
        if (adapter->wanted) {
            fail(adapter, "device", outcome->error, outcome->text);
            return;
        }
    } else {
        bringup_note_device(vm);
        adapter->device = ADAPTER_DEVICE_THERE;
        adapter->iommu_platform = outcome->iommu_platform;
        report_adapter_added(adapter, outcome->created, outcome->text);
    }
    adapter_step(adapter);
}

static void on_removed(void *userdata, const struct device_outcome *outcome)
{
    struct adapter *adapter = userdata;

    if (outcome->error == ECANCELED)
        return;
    if (outcome->error != 0)
        report_device_failed(adapter->vm, "adapter", adapter->config->id, "device", outcome->error,
                             outcome->text);
    else
        report_adapter_removed(adapter);
    adapter->device = ADAPTER_DEVICE_ABSENT;
    adapter->stale = false;
    vm_save_now(adapter->vm);
    adapter_step(adapter);
}

static void add_device(struct adapter *adapter)
{
    struct vm *vm = adapter->vm;
    struct device_adapter device = {.network = adapter->config,
                                    .iommu_platform = boot_has_token(&vm->boot),
                                    .options = adapter->options};
    int r = boot_join_options(&vm->boot, false, vm->config->id, adapter->options);

    adapter->asked_us = clock_now_us();
    if (r >= 0)
        r = device_host_add_adapter(vm->host, &device, on_added, adapter);
    if (r < 0) {
        fail(adapter, "device", -r, "the device host cannot be asked for it");
        return;
    }
    adapter->device = ADAPTER_DEVICE_ADDING;
    await_device(adapter, VM_DEVICE_ADDING);
    vm_save_now(vm);
}

/* @return true if the removal is under way */
static bool remove_device(struct adapter *adapter)
{
    if (device_host_remove_adapter(adapter->vm->host, adapter->config->id, on_removed, adapter) <
        0) {
        adapter->device = ADAPTER_DEVICE_ABSENT;
        return false;
    }
    adapter->device = ADAPTER_DEVICE_REMOVING;
    adapter->state = VM_DEVICE_REMOVING;
    vm_save_now(adapter->vm);
    return true;
}

static void on_configured(void *userdata, const struct guest_answer *answer)
{
    struct adapter *adapter = userdata;
    struct vm *vm = adapter->vm;

    adapter->asked = false;
    if (answer->error == ECONNRESET) {
        adapter->state = VM_DEVICE_WAITING;
        if (!adapter->wanted)
            adapter_step(adapter);
        return;
    }
    adapter->configured = answer->error == 0;
    latency_add(&vm->services->latencies.network, clock_now_us() - adapter->asked_us);
    report_network(adapter, answer->error, answer->text);
    if (answer->error == ETIMEDOUT)
        report_timeout(vm, "network", vm->config->timeouts.network, adapter->config->id);
    if (answer->error != 0 && adapter->wanted)
        fail(adapter, "network", answer->error, answer->text);
    else
        adapter_step(adapter);
}

static void on_given_up(void *userdata, const struct guest_answer *answer)
{
    struct adapter *adapter = userdata;

    (void)answer;
    adapter->asked = false;
    adapter->configured = false;
    adapter_step(adapter);
}

/* @return 0 or -errno */
static int ask(struct adapter *adapter, bool remove)
{
    struct vm *vm = adapter->vm;
    uint32_t timeout_ms = vm->config->timeouts.network;
    int r;

    r = network_request_send(vm->guest, adapter->config, remove, timeout_ms,
                             remove ? on_given_up : on_configured, adapter);
    if (r < 0)
        return r;
    clock_disarm(adapter->timer);
    adapter->asked = true;
    adapter->asked_us = clock_now_us();
    adapter->state = remove ? VM_DEVICE_RELEASING : VM_DEVICE_SETTING;
    return 0;
}

static void settle(struct adapter *adapter)
{
    clock_disarm(adapter->timer);
    adapter->state = VM_DEVICE_IN_USE;
    bringup_check(adapter->vm);
}

/* What networking the policy left: virtio-net devices are made for virtioproxy alone; with nat the
 * VMM's own interface of that MAC is configured. */
static void step_up(struct adapter *adapter)
{
    struct vm *vm = adapter->vm;
    bool device = vm->policy.networking == CONFIG_NETWORKING_VIRTIOPROXY;
    int r;

    if (adapter->failed || adapter->asked || !vm->boot.known || !guest_is_attached(vm->guest))
        return;
    if (vm->policy.networking == CONFIG_NETWORKING_NONE) {
        settle(adapter);
        return;
    }
    if (adapter->device == ADAPTER_DEVICE_ADDING || adapter->device == ADAPTER_DEVICE_REMOVING)
        return;
    if (adapter->device == ADAPTER_DEVICE_THERE && adapter->stale && remove_device(adapter)) {
        await_device(adapter, VM_DEVICE_REMOVING);
        return;
    }
    if (device && adapter->device == ADAPTER_DEVICE_ABSENT) {
        if (device_host_is_up(vm->host))
            add_device(adapter);
        else if (vm->host_error)
            fail(adapter, "device", ENOTCONN, vm->host_error);
        else
            await_device(adapter, VM_DEVICE_WAITING);
        return;
    }
    if (adapter->configured) {
        settle(adapter);
        return;
    }
    r = ask(adapter, false);
    if (r < 0)
        fail(adapter, "network", -r, "the guest cannot be asked to configure it");
}

static void step_down(struct adapter *adapter)
{
    struct vm *vm = adapter->vm;

    if (adapter->asked || adapter->device == ADAPTER_DEVICE_ADDING ||
        adapter->device == ADAPTER_DEVICE_REMOVING)
        return;
    if (adapter->configured && ask(adapter, true) == 0)
        return;
    if (adapter->device == ADAPTER_DEVICE_THERE && remove_device(adapter))
        return;
    adapter_free(adapter);
    /* a changed adapter has a successor with the same id, which waited for this */
    adapters_step(vm);
    vm_check_left(vm);
}

/* True if a predecessor with the same id has not gone yet. */
static bool must_wait(const struct adapter *adapter)
{
    for (const struct adapter *a = adapter->vm->adapters.first; a != adapter; a = a->next) {
        if (strcmp(a->config->id, adapter->config->id) == 0)
            return true;
    }
    return false;
}

void adapter_step(struct adapter *adapter)
{
    if (!adapter->wanted)
        step_down(adapter);
    else if (!must_wait(adapter))
        step_up(adapter);
}

void adapter_drop(struct adapter *adapter)
{
    adapter->wanted = false;
    clock_disarm(adapter->timer);
    adapter_step(adapter);
}

void adapters_step(struct vm *vm)
{
    struct adapter *next;

    for (struct adapter *adapter = vm->adapters.first; adapter; adapter = next) {
        next = adapter->next;
        if (adapter->wanted)
            adapter_step(adapter);
    }
}

void adapters_begin(struct vm *vm, bool same_boot)
{
    for (struct adapter *a = vm->adapters.first; a; a = a->next) {
        a->failed = false;
        if (same_boot)
            continue;
        a->configured = false;
        a->state = VM_DEVICE_WAITING;
        a->stale = a->device != ADAPTER_DEVICE_ABSENT &&
                   boot_options_are_stale(&vm->boot, false, vm->config->id, a->options);
        free(a->error);
        a->error = NULL;
    }
}

void adapters_forget_devices(struct vm *vm)
{
    for (struct adapter *a = vm->adapters.first; a; a = a->next) {
        if (a->device == ADAPTER_DEVICE_THERE)
            a->device = ADAPTER_DEVICE_ABSENT;
    }
}

bool adapters_are_settled(const struct vm *vm)
{
    for (const struct adapter *a = vm->adapters.first; a; a = a->next) {
        if (!is_settled(a))
            return false;
    }
    return true;
}

void adapters_done(struct vm *vm)
{
    struct adapter *adapter = vm->adapters.first, *next;

    vm->adapters = (struct adapters){0};
    for (; adapter; adapter = next) {
        next = adapter->next;
        destroy(adapter);
    }
}
