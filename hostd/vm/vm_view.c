/* vm view: what others see of a VM. */
#include "adapter.h"
#include "device/device_host.h"
#include "guest/connection.h"
#include "share.h"
#include "virtio_device.h"
#include "vm_parts.h"

#define NAME_OF(names, index)                                                                      \
    ((size_t)(index) < sizeof(names) / sizeof((names)[0]) ? (names)[index] : "unknown")

const char *vm_state_name(enum vm_state state)
{
    static const char *const names[] = {"never-seen",    "connected", "ready",
                                        "shutting-down", "lost",      "ended"};

    return NAME_OF(names, state);
}

const char *vm_device_state_name(enum vm_device_state state)
{
    static const char *const names[] = {"waiting", "adding",    "added",    "setting",
                                        "in-use",  "releasing", "removing", "failed"};

    return NAME_OF(names, state);
}

const char *vm_payload_state_name(enum vm_payload_state state)
{
    static const char *const names[] = {"none", "waiting", "running", "exited", "failed"};

    return NAME_OF(names, state);
}

static enum vm_state state_of(const struct vm *vm)
{
    if (vm->connection && vm->shutting_down)
        return VM_SHUTTING_DOWN;
    if (vm->connection)
        return vm->boot.ready ? VM_READY : VM_CONNECTED;
    if (!vm->boot.known)
        return VM_NEVER_SEEN;
    return vm->ended ? VM_ENDED : VM_LOST;
}

static struct vm_payload_view payload_of(const struct vm *vm)
{
    const struct payload *payload = &vm->payload;
    enum vm_payload_state before =
        vm->config->payload.argv.count > 0 ? VM_PAYLOAD_WAITING : VM_PAYLOAD_NONE;

    return (struct vm_payload_view){
        .state = payload->state < VM_PAYLOAD_RUNNING ? before : payload->state,
        .config = &vm->config->payload,
        .status = payload->status,
        .signal = payload->signal,
        .restarts = payload->restarts,
        .error = payload->error ? payload->error : "",
    };
}

void vm_get_view(const struct vm *vm, struct vm_view *ret_view)
{
    *ret_view = (struct vm_view){
        .config = vm->config,
        .policy = &vm->policy,
        .state = state_of(vm),
        .device_host_error = vm->host_error ? vm->host_error : "",
        .device_host_up = device_host_is_up(vm->host),
        .device_host_version = device_host_version(vm->host),
        .boot_known = vm->boot.known,
        .boot_id = vm->boot.id,
        .capabilities = &vm->boot.capabilities,
        .verdict = vm->boot.verdict,
        .token = vm->boot.token,
        .timings = vm->boot.timings,
        .payload = payload_of(vm),
        .share_count = attachment_count(vm, &share_kind),
        .adapter_count = attachment_count(vm, &adapter_kind),
        .connections = vm->connections,
        .exhausted = vm->exhausted,
        .dropped = allowance_dropped(&vm->allowances),
        .bytes_held = vm->connection ? connection_held(vm->connection) : 0,
        .last_seen_us = vm->last_seen_us,
    };
}

static const struct aperture_status *aperture_of(const struct attachment *a)
{
    const struct virtio_device *device = a->device;

    return device && device->aperture_known && device->aperture.state != APERTURE_REFUSED
               ? &device->aperture
               : NULL;
}

static struct attachment *nth(const struct vm *vm, const struct attachment_kind *kind, size_t index)
{
    struct attachment *a = attachment_next(vm, kind, NULL);

    while (index-- > 0)
        a = attachment_next(vm, kind, a);
    return a;
}

void vm_get_share(const struct vm *vm, size_t index, struct vm_share_view *ret_view)
{
    struct attachment *a = nth(vm, &share_kind, index);
    const struct share *share = share_of(a);
    const char *trouble = a->state != VM_DEVICE_IN_USE ? NULL
                          : a->device
                              ? shared_folder_trouble(share->config.path, &a->device->folder)
                              : p9_share_folder_trouble(share->p9);

    *ret_view = (struct vm_share_view){
        .tag = share->config.tag,
        .path = share->config.path,
        .target = share->config.target,
        .read_only = share->config.read_only,
        .transport = share->transport,
        .device = a->device ? a->device->name : "",
        .port = p9_share_port(share->p9),
        .options = a->device ? a->device->options : "",
        .state = a->state,
        .iommu_platform = a->device && a->device->iommu_platform,
        .aperture = aperture_of(a),
        .configured = share->configured,
        .error = trouble    ? trouble
                 : a->error ? a->error
                            : "",
    };
}

void vm_get_adapter(const struct vm *vm, size_t index, struct vm_adapter_view *ret_view)
{
    struct attachment *a = nth(vm, &adapter_kind, index);

    *ret_view = (struct vm_adapter_view){
        .network = adapter_of(a)->config,
        .options = a->device ? a->device->options : "",
        .state = a->state,
        .iommu_platform = a->device && a->device->iommu_platform,
        .aperture = aperture_of(a),
        .error = a->error ? a->error : "",
    };
}
