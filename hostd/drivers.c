/* drivers: the one place that names every kind of device host. */
#include "device/device_command.h"
#include "device/device_host.h"
#include "device/device_none.h"
#include "domain/driver.h"
#include "qemu/driver.h"

#include <errno.h>

int device_host_new(sd_event *event, const struct config_vm *vm, const char *state_dir,
                    struct json_object *memory, const struct device_host_events *events,
                    void *userdata, struct device_host **ret_host)
{
    switch (vm->device_host.type) {
    case CONFIG_DEVICE_HOST_QEMU:
        return qemu_driver_new(event, vm, state_dir, memory, events, userdata, ret_host);
    case CONFIG_DEVICE_HOST_LIBVIRT:
        return domain_driver_new(event, vm, state_dir, memory, events, userdata, ret_host);
    case CONFIG_DEVICE_HOST_COMMAND:
        return device_command_new(event, vm, events, userdata, ret_host);
    case CONFIG_DEVICE_HOST_NONE:
        return device_none_new(event, vm, events, userdata, ret_host);
    }
    return -EINVAL;
}
