/* device aperture: how much of the guest's memory the process behind a virtio device can reach. */
#include "device_aperture.h"

#include "attachment.h"
#include "device/device_host.h"
#include "guest/guest.h"
#include "report.h"
#include "virtio_device.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REQUIRED "\"aperture\" of the VM is \"require\", but "

#define NO_QEMU                                                                                    \
    REQUIRED "its \"device_host\" is of neither type qemu nor libvirt, the only ones that "        \
             "confine devices; use one of those, or set \"aperture\": \"auto\""
#define NO_TOKEN                                                                                   \
    REQUIRED "the VM has no token, because its guest has no usable pool (guestlinkctl show "       \
             "says why); boot the guest with what guestlinkctl cmdline prints, or set "            \
             "\"aperture\": \"auto\""
#define DYNAMIC                                                                                    \
    "the guest's kernel uses memory outside the pool once the pool is full; boot a kernel "        \
    "without CONFIG_SWIOTLB_DYNAMIC"

bool device_aperture_applies(const struct virtio_device *device)
{
    return (device->path || device->network->backend == CONFIG_BACKEND_PASST) &&
           config_vm_has_qemu(device->vm->config);
}

/* As device_host_get_aperture(). */
static int ask(const struct virtio_device *device, struct aperture_status *ret_status)
{
    const struct device_host *host = device->vm->host;

    return device->path ? device_host_get_aperture(host, device->name, ret_status)
                        : device_host_get_adapter_aperture(host, device->name, ret_status);
}

enum config_aperture device_aperture_mode(const struct vm *vm)
{
    return boot_pool_is_dynamic(&vm->boot) ? CONFIG_APERTURE_OFF : vm->config->aperture;
}

const char *device_aperture_obstacle(const struct vm *vm)
{
    if (vm->config->aperture != CONFIG_APERTURE_REQUIRE)
        return NULL;
    if (!config_vm_has_qemu(vm->config))
        return NO_QEMU;
    if (!boot_has_token(&vm->boot))
        return NO_TOKEN;
    return boot_pool_is_dynamic(&vm->boot) ? REQUIRED DYNAMIC ", or set \"aperture\": \"auto\""
                                           : NULL;
}

bool device_aperture_look(struct virtio_device *device)
{
    const struct vm *vm = device->vm;
    struct aperture_status status = {.state = APERTURE_NONE};
    bool changed;

    if (device_aperture_applies(device) && ask(device, &status) < 0)
        return false;
    device->question = status.state == APERTURE_WAITING ? status.bytes : 0;
    if (device->question != 0) {
        vm_wake(device->vm);
        return false;
    }
    if (device_aperture_applies(device) && status.state == APERTURE_NONE &&
        boot_pool_is_dynamic(&vm->boot))
        (void)snprintf(status.reason, sizeof(status.reason), DYNAMIC);
    changed = !device->aperture_known || status.state != device->aperture.state ||
              status.bytes != device->aperture.bytes ||
              strcmp(status.reason, device->aperture.reason) != 0;
    device->aperture = status;
    device->aperture_known = true;
    return changed;
}

bool device_aperture_await(struct virtio_device *device)
{
    (void)device_aperture_look(device);
    device->aperture_awaited = device_aperture_applies(device) && !device->aperture_known &&
                               boot_has_token(&device->vm->boot) &&
                               device_aperture_mode(device->vm) != CONFIG_APERTURE_OFF;
    return device->aperture_awaited;
}

void device_aperture_told(struct virtio_device *device)
{
    struct vm *vm = device->vm;

    device->aperture_told = true;
    device->aperture_awaited = false;
    if (!device_aperture_applies(device) || !device->aperture_known || !boot_has_token(&vm->boot) ||
        vm->config->aperture == CONFIG_APERTURE_OFF ||
        strcmp(vm->aperture_reason, device->aperture.reason) == 0)
        return;
    memcpy(vm->aperture_reason, device->aperture.reason, sizeof(vm->aperture_reason));
    if (device->aperture.state != APERTURE_ENFORCED || device->aperture.reason[0])
        report_aperture(device);
}

bool device_aperture_is_kept(const struct virtio_device *device)
{
    return !device_aperture_applies(device) ||
           device->vm->config->aperture != CONFIG_APERTURE_REQUIRE || !device->aperture_known ||
           device->aperture.state == APERTURE_ENFORCED;
}

void device_aperture_refuse(struct virtio_device *device)
{
    char reason[APERTURE_REASON_SIZE];

    memcpy(reason, device->aperture.reason, sizeof(reason)); /* the device may go */
    device->kind->refuse(device->vm, device->name, reason);
}

void device_aperture_changed(struct virtio_device *device)
{
    if (device->state != VIRTIO_DEVICE_THERE || !device_aperture_look(device))
        return;
    /* It grows from the pool by one ring at a time; how it is in the end is told with the mount. */
    if (!device->aperture_told && !device->aperture_awaited &&
        device->aperture.state != APERTURE_REFUSED && device_aperture_is_kept(device)) {
        device->aperture_known = false;
        return;
    }
    if (device->aperture_told && device->aperture.state != APERTURE_REFUSED &&
        device_aperture_is_kept(device))
        report_aperture(device);
    vm_wake(device->vm);
}

/* ---- whether it is still the guest that reported the token */

static void confirm(struct virtio_device *device, uint64_t number)
{
    const struct device_host *host = device->vm->host;
    int r = device->path ? device_host_confirm_aperture(host, device->name, number)
                         : device_host_confirm_adapter_aperture(host, device->name, number);

    if (r < 0 && r != -ENOENT)
        report_line(device->vm, ALLOWANCE_DEVICE, LOG_ERR,
                    "cannot confirm the pool to the device of %s %s: %s; the device stays "
                    "stopped; remove it and add it again",
                    device->kind->name, device->name, strerrordesc_np(-r));
}

/* Whatever it answers, it lives. The answer is of the connection on which it was asked. */
static void on_alive(void *userdata, const struct guest_answer *answer)
{
    struct virtio_device *device = userdata;
    uint64_t number = device->question_put;

    device->question_put = 0;
    if (answer->error == ECONNRESET) /* the next one is asked again */
        return;
    if (device->state == VIRTIO_DEVICE_THERE && !device->stale && device->question == number) {
        device->question = 0;
        confirm(device, number);
    }
    vm_wake(device->vm);
}

void device_apertures_confirm(struct vm *vm)
{
    if (!vm->boot.known || !guest_is_attached(vm->guest))
        return;
    for (struct virtio_device *device = vm->devices; device; device = device->next)
        if (device->question != 0 && device->question_put == 0 && !device->stale &&
            device->state == VIRTIO_DEVICE_THERE &&
            guest_ask(vm->guest, FRAME_PING, NULL, 0, 0, on_alive, device) == 0)
            device->question_put = device->question;
}
