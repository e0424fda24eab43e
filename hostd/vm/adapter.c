/* adapter: a virtio-net adapter on its way to a configured interface in the guest. */
#include "adapter.h"

#include "base/clock.h"
#include "config/settings.h"
#include "guest/network_request.h"
#include "report.h"
#include "services.h"
#include "virtio_device.h"
#include "vm_parts.h"

#include <errno.h>
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
    return virtio_device_take(
        a, &(struct virtio_device){.settings = adapter->settings, .network = adapter->config});
}

static void on_configured(void *userdata, const struct guest_answer *answer)
{
    struct attachment *a = userdata;
    struct vm *vm = a->vm;

    a->asked = false;
    a->is_set = answer->error == 0;
    vm_wake(vm);
    if (answer->error == ECONNRESET) {
        a->state = VM_DEVICE_WAITING;
        return;
    }
    latency_add(&vm->services->latencies.network, clock_now_us() - a->asked_us);
    report_network(adapter_of(a), answer->error, answer->text);
    if (answer->error == ETIMEDOUT)
        report_timeout(vm, "network", vm->config->timeouts.network, a->name);
    if (answer->error != 0 && a->wanted)
        attachment_fail(a, "network", answer->error, answer->text);
}

static int configure(struct attachment *a)
{
    const struct vm *vm = a->vm;

    if (vm->policy.networking == CONFIG_NETWORKING_NONE)
        return 1;
    return network_request_send(vm->guest, adapter_of(a)->config, false,
                                vm->config->timeouts.network, on_configured, a);
}

static void on_given_up(void *userdata, const struct guest_answer *answer)
{
    struct attachment *a = userdata;

    (void)answer;
    a->asked = false;
    a->is_set = false;
    vm_wake(a->vm);
}

static int give_up(struct attachment *a)
{
    return network_request_send(a->vm->guest, adapter_of(a)->config, true,
                                a->vm->config->timeouts.network, on_given_up, a);
}

static int add_device(struct virtio_device *device, device_done_fn done)
{
    return device_host_add_adapter(
        device->vm->host,
        &(struct device_adapter){.network = device->network,
                                 .iommu_platform = boot_has_token(&device->vm->boot),
                                 .options = device->options},
        done, device);
}

const struct attachment_kind adapter_kind = {.name = "adapter",
                                             .phase = "network",
                                             .collides = collides,
                                             .prepare = prepare,
                                             .set_up = configure,
                                             .release = give_up,
                                             .free = adapter_free,
                                             .add_device = add_device,
                                             .remove_device = device_host_remove_adapter,
                                             .report_added = report_adapter_added,
                                             .report_removed = report_adapter_removed};
