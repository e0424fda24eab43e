/* adapter: a virtio-net adapter on its way to a configured interface in the guest. */
#include "adapter.h"

#include "base/clock.h"
#include "config/settings.h"
#include "device_aperture.h"
#include "guest/network_request.h"
#include "report.h"
#include "services.h"
#include "virtio_device.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int adapter_new(struct vm *vm, struct settings *settings, const struct config_network *config)
{
    struct adapter *adapter = calloc(1, sizeof(*adapter));

    if (!adapter)
        return -ENOMEM;
    adapter->settings = settings_ref(settings);
    adapter->config = config;
    adapter->attachment.kind = &adapter_kind;
    adapter->attachment.name = config->id;
    attachment_begin(&adapter->attachment, vm);
    return 0;
}

static void adapter_free(struct attachment *a, bool go_on)
{
    (void)go_on;
    (void)settings_unref(adapter_of(a)->settings);
    free(a);
}

static bool collides(const struct attachment *earlier, const struct attachment *a)
{
    return strcmp(earlier->name, a->name) == 0;
}

/* What networking the policy left: virtio-net devices are made for virtioproxy alone; with nat the
 * VMM's own interface of that MAC is configured. */
static int prepare(struct attachment *a)
{
    const struct adapter *adapter = adapter_of(a);

    if (a->vm->policy.networking != CONFIG_NETWORKING_VIRTIOPROXY)
        return 0;
    if (adapter->config->backend == CONFIG_BACKEND_PASST && device_aperture_obstacle(a->vm))
        return -EPERM;
    return virtio_device_take(
        a, &(struct virtio_device){.settings = adapter->settings, .network = adapter->config});
}

static void explain(const struct attachment *a, int error, char *text, size_t capacity)
{
    const char *obstacle = device_aperture_obstacle(a->vm);

    if (error == EPERM && obstacle)
        (void)snprintf(text, capacity, "%s", obstacle);
}

/* What its process can reach is known at the latest now: the guest's driver has started it. */
static void tell_late(struct attachment *a)
{
    if (!a->device)
        return;
    if (!(device_aperture_await(a->device) && a->is_set) && !a->told &&
        a->device->aperture.state != APERTURE_REFUSED && device_aperture_is_kept(a->device))
        virtio_device_tell(a);
}

static void on_configured(void *userdata, const struct guest_answer *answer)
{
    struct attachment *a = userdata;
    struct vm *vm = a->vm;

    a->asked = false;
    a->is_set = answer->error == 0 && !a->renew;
    vm_wake(vm);
    if (a->renew || answer->error == ECONNRESET) {
        a->renew = false;
        a->state = a->failed ? VM_DEVICE_FAILED : VM_DEVICE_WAITING;
        return;
    }
    tell_late(a);
    latency_add(&vm->services->latencies.network, clock_now_us() - a->asked_us);
    report_network(adapter_of(a), answer->error, answer->text);
    if (answer->error == ETIMEDOUT)
        report_timeout(vm, "network", vm->config->timeouts.network, a->name);
    if (answer->error != 0 && a->wanted)
        attachment_fail(a, "network", answer->error, answer->text);
}

/* A guest of protocol 1.0 ignores these. */
static void tell_old_guest(const struct adapter *adapter)
{
    const struct vm *vm = adapter->attachment.vm;
    const struct config_network *config = adapter->config;
    bool ranks =
        config->metric != 0 || (config->gateway.count > 0 &&
                                config_vm_metric(vm->config, config->id) != CONFIG_METRIC_FIRST);

    if (ranks || config->ignores_ra || vm->config->leaves_resolv_conf)
        report_line(adapter->attachment.vm, ALLOWANCE_DEVICE, LOG_WARNING,
                    "adapter %s: the guest is too old for%s%s%s; update its guestlink-init",
                    config->id, ranks ? " the order of default routes" : "",
                    config->ignores_ra ? " accept_ra" : "",
                    vm->config->leaves_resolv_conf ? " resolv_conf" : "");
}

static int configure(struct attachment *a)
{
    const struct vm *vm = a->vm;

    if (vm->policy.networking == CONFIG_NETWORKING_NONE)
        return 1;
    if (vm->boot.capabilities.minor < 1)
        tell_old_guest(adapter_of(a));
    return network_request_send(vm->guest, vm->config, adapter_of(a)->config, false, on_configured,
                                a);
}

static void on_given_up(void *userdata, const struct guest_answer *answer)
{
    struct attachment *a = userdata;

    (void)answer;
    a->asked = false;
    a->is_set = false;
    a->renew = false;
    vm_wake(a->vm);
}

static int give_up(struct attachment *a)
{
    return network_request_send(a->vm->guest, a->vm->config, adapter_of(a)->config, true,
                                on_given_up, a);
}

/* The guest has it configured no more: what it may be about to answer is of the device that went,
 * or of its successor. */
static void renewed(struct attachment *a)
{
    a->is_set = false;
    a->renew = a->asked;
}

static int add_device(struct virtio_device *device, device_done_fn done)
{
    return device_host_add_adapter(
        device->vm->host,
        &(struct device_adapter){.network = device->network,
                                 .iommu_platform = boot_has_token(&device->vm->boot),
                                 .options = device->options,
                                 .aperture = device->aperture_mode},
        done, device);
}

const struct attachment_kind adapter_kind = {.name = "adapter",
                                             .phase = "network",
                                             .collides = collides,
                                             .prepare = prepare,
                                             .explain = explain,
                                             .set_up = configure,
                                             .release = give_up,
                                             .free = adapter_free,
                                             .add_device = add_device,
                                             .remove_device = device_host_remove_adapter,
                                             .renewed = renewed,
                                             .refuse = adapters_refused,
                                             .report_added = report_adapter_added,
                                             .report_removed = report_adapter_removed};

#define GIVEN_UP                                                                                   \
    "its server exited too often in a short time; will retry on reload, or when the guest "        \
    "connects again"

static void let_go(struct attachment *a)
{
    renewed(a);
    virtio_device_release(a);
}

void adapters_lost(struct vm *vm, const char *id, bool restored, const char *text)
{
    struct virtio_device *device = virtio_device_find(vm, &adapter_kind, id);
    struct attachment *a = attachment_find(vm, &adapter_kind, id, true);

    /* with a guest's end its devices' servers end, and come again with its next boot */
    if (guest_is_there(vm->guest) && !vm->boot.farewell)
        report_device_failed(vm, "adapter", id, "serve", restored ? 0 : EPIPE, text);
    else
        report_line(vm, ALLOWANCE_DEVICE, LOG_NOTICE, "adapter %s: %s", id, text);
    if (!device || restored)
        return;
    device->stale = true;
    if (a && a->device == device) {
        let_go(a);
        attachment_retry(a, GIVEN_UP);
    }
    saver_now(&vm->saver);
    vm_wake(vm);
}

void adapters_refused(struct vm *vm, const char *id, const char *reason)
{
    struct virtio_device *device = virtio_device_find(vm, &adapter_kind, id);
    struct attachment *a = attachment_find(vm, &adapter_kind, id, true);

    if (!device)
        return;
    device->stale = true;
    if (a && a->device == device) {
        let_go(a);
        attachment_fail(a, "device", EPERM, reason);
    }
    saver_now(&vm->saver);
}

void adapters_renew(struct vm *vm)
{
    for (struct attachment *a = attachment_next(vm, &adapter_kind, NULL); a;
         a = attachment_next(vm, &adapter_kind, a)) {
        if (a->wanted && a->device && device_aperture_applies(a->device) &&
            a->device->aperture_mode != device_aperture_mode(vm))
            let_go(a);
    }
    virtio_devices_mark_stale(vm);
}
