/* config vm networks: the adapters of a VM: the list, and what must hold between them. */
#include "vm_networks.h"

#include "publish.h"
#include "vm.h"

#include <string.h>

void config_vm_read_networks(struct config_reader *reader, const struct config_json *node,
                             const struct config_field *field, void *to)
{
    struct config_vm *vm = to;
    void *networks;

    (void)field;
    if (!config_reader_list(reader, node, CONFIG_VM_ADAPTERS, sizeof(*vm->networks), &networks))
        return;
    vm->networks = networks;
    vm->network_count = node->count;
    for (const struct config_json *one = node->first; one != NULL; one = one->next) {
        struct config_network *network = &vm->networks[one->index];

        config_network_read(reader, one, network);
        for (size_t i = 0; i < one->index; i++) {
            const struct config_network *other = &vm->networks[i];

            if (network->id != NULL && other->id != NULL && strcmp(network->id, other->id) == 0)
                config_reader_error(reader, config_json_find(one, "id"),
                                    "\"%s\" is already used by network[%zu], expected a unique "
                                    "id",
                                    network->id, i);
            if (memcmp(network->mac, other->mac, 6) == 0 && config_json_find(one, "mac") != NULL &&
                memcmp(network->mac, (uint8_t[6]){0}, 6) != 0)
                config_reader_error(reader, config_json_find(one, "mac"),
                                    "already used by network[%zu], expected a unique MAC address",
                                    i);
        }
    }
}

/* Only a QEMU that the daemon drives gets them, and only with the networking virtioproxy. */
static void check_publish(struct config_reader *reader, const struct config_json *list,
                          const struct config_vm *vm)
{
    const struct config_json *one = list != NULL ? list->first : NULL;
    size_t count = 0;

    for (size_t i = 0; i < vm->network_count && one != NULL; i++, one = one->next) {
        const struct config_json *publish =
            one->type == CONFIG_JSON_OBJECT ? config_json_find(one, "publish") : NULL;

        if (publish == NULL)
            continue;
        count += vm->networks[i].publish.count;
        if (vm->device_host.type != CONFIG_DEVICE_HOST_QEMU)
            config_reader_error(reader, publish, "expected only with device_host.type \"qemu\"");
        else if (!vm->virtio || vm->networking != CONFIG_NETWORKING_VIRTIOPROXY)
            config_reader_error(reader, publish,
                                "expected only with `networking` \"virtioproxy\" and `virtio`: the "
                                "adapter is not the daemon's to make");
        else if (count > CONFIG_PUBLISH_VM_MAX)
            config_reader_error(reader, publish, "%zu ports of one VM, expected at most %u", count,
                                CONFIG_PUBLISH_VM_MAX);
    }
}

/* An adapter of a backend that its device host has not. */
static void check_backends(struct config_reader *reader, const struct config_json *list,
                           const struct config_vm *vm)
{
    const struct config_json *one = list != NULL ? list->first : NULL;
    bool is_libvirt = vm->device_host.type == CONFIG_DEVICE_HOST_LIBVIRT;

    for (size_t i = 0; i < vm->network_count && one != NULL; i++, one = one->next) {
        enum config_backend backend = vm->networks[i].backend;

        if (!is_libvirt && (backend == CONFIG_BACKEND_NETWORK || backend == CONFIG_BACKEND_BRIDGE))
            config_reader_error(reader, one,
                                "the backend \"%s\" needs a device_host of the type libvirt",
                                config_backend_names[backend]);
        if (is_libvirt && backend == CONFIG_BACKEND_STREAM)
            config_reader_error(reader, one,
                                "libvirt has no backend \"stream\", expected \"user\", \"tap\", "
                                "\"passt\", \"network\" or \"bridge\"");
    }
}

void config_vm_check_networks(struct config_reader *reader, const struct config_json *node,
                              const struct config_vm *vm)
{
    const struct config_json *list =
        node->type == CONFIG_JSON_OBJECT ? config_json_find(node, "network") : NULL;

    check_backends(reader, list, vm);
    check_publish(reader, list, vm);
}

bool config_vm_has_user_network(const struct config_vm *vm)
{
    for (size_t i = 0; i < vm->network_count; i++)
        if (vm->networks[i].backend == CONFIG_BACKEND_USER)
            return true;
    return false;
}

uint32_t config_vm_metric(const struct config_vm *vm, const char *id)
{
    for (size_t i = 0; i < vm->network_count; i++)
        if (strcmp(vm->networks[i].id, id) == 0)
            return vm->networks[i].metric ? vm->networks[i].metric
                                          : CONFIG_METRIC_FIRST + (uint32_t)i;
    return 0;
}

bool config_vm_has_host_loopback(const struct config_vm *vm)
{
    for (size_t i = 0; i < vm->network_count; i++)
        if (vm->networks[i].backend == CONFIG_BACKEND_USER && vm->networks[i].host_loopback)
            return true;
    return false;
}

void config_vm_name_ports(const struct config_vm *vm, char *text, size_t capacity)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < vm->network_count; i++) {
        const struct config_network *network = &vm->networks[i];

        if (network->backend == CONFIG_BACKEND_USER)
            used += config_publish_name_ports(&network->publish, text + used, capacity - used);
    }
}
