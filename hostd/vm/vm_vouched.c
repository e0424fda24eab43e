/* vm vouched: is who has a VM's CID that VM? */
#include "vm_life.h"
#include "vm_parts.h"

bool vm_is_vouched(const struct vm *vm)
{
    return vm->config->device_host.type != CONFIG_DEVICE_HOST_QEMU || device_host_is_up(vm->host);
}
