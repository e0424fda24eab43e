/* config equal: do two configurations of a VM say the same? A reload changes only what does not. */
#include "config.h"
#include "config_strings.h"

#include <string.h>

static bool share_equal(const struct config_share *a, const struct config_share *b)
{
    return config_text_equal(a->tag, b->tag) && config_text_equal(a->path, b->path) &&
           config_text_equal(a->target, b->target) && a->read_only == b->read_only &&
           a->transport == b->transport;
}

bool config_network_equal(const struct config_network *a, const struct config_network *b)
{
    return config_text_equal(a->id, b->id) && memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 &&
           config_strings_equal(&a->address, &b->address) &&
           config_strings_equal(&a->gateway, &b->gateway) &&
           config_strings_equal(&a->routes, &b->routes) && config_strings_equal(&a->dns, &b->dns) &&
           /* Not host_loopback: the device is the same, and the VM's unit looks at its start. */
           a->mtu == b->mtu && a->backend == b->backend &&
           config_text_equal(a->interface, b->interface) &&
           config_text_equal(a->socket_path, b->socket_path);
}

static bool payload_equal(const struct config_payload *a, const struct config_payload *b)
{
    return config_strings_equal(&a->argv, &b->argv) &&
           config_strings_equal(&a->environment, &b->environment) &&
           config_text_equal(a->directory, b->directory) && a->uid == b->uid && a->gid == b->gid &&
           a->restart == b->restart && a->terminal == b->terminal && a->output == b->output;
}

static bool device_host_equal(const struct config_device_host *a,
                              const struct config_device_host *b)
{
    return a->type == b->type && config_text_equal(a->qmp, b->qmp) &&
           config_text_equal(a->virtiofsd, b->virtiofsd) &&
           config_strings_equal(&a->argv, &b->argv) && a->timeout_ms == b->timeout_ms;
}

static bool timeouts_equal(const struct config_timeouts *a, const struct config_timeouts *b)
{
    return a->connect == b->connect && a->capabilities == b->capabilities &&
           a->device == b->device && a->mount == b->mount && a->network == b->network &&
           a->payload == b->payload && a->shut_down == b->shut_down && a->silence == b->silence;
}

static bool lists_equal(const struct config_vm *a, const struct config_vm *b)
{
    if (a->share_count != b->share_count || a->network_count != b->network_count)
        return false;
    for (size_t i = 0; i < a->share_count; i++)
        if (!share_equal(&a->shares[i], &b->shares[i]))
            return false;
    for (size_t i = 0; i < a->network_count; i++)
        if (!config_network_equal(&a->networks[i], &b->networks[i]))
            return false;
    return true;
}

bool config_vm_equal(const struct config_vm *a, const struct config_vm *b)
{
    return config_text_equal(a->name, b->name) && strcmp(a->id, b->id) == 0 && a->cid == b->cid &&
           config_text_equal(a->socket, b->socket) && a->memory == b->memory &&
           a->bundled_kernel == b->bundled_kernel && a->virtio == b->virtio &&
           a->virtiofs == b->virtiofs && a->networking == b->networking &&
           a->networking_is_default == b->networking_is_default && a->swiotlb == b->swiotlb &&
           a->swiotlb_size == b->swiotlb_size && config_text_equal(a->hostname, b->hostname) &&
           lists_equal(a, b) && payload_equal(&a->payload, &b->payload) &&
           device_host_equal(&a->device_host, &b->device_host) &&
           timeouts_equal(&a->timeouts, &b->timeouts);
}
