/* network request: the configuration of an adapter as the request that the guest gets. */
#include "network_request.h"

#include "base/limits.h"
#include "string_list.h"

#include "protocol/request.h"

#include <errno.h>
#include <string.h>

/* Addresses, routes and name servers of one adapter: hundreds of them. */
#define LISTS_SIZE 16384u

static uint32_t flags_of(const struct config_vm *vm, const struct config_network *network)
{
    return (network->ignores_ra ? REQUEST_NETWORK_NO_RA : 0) |
           (vm->leaves_resolv_conf ? REQUEST_NETWORK_NO_RESOLV : 0);
}

int network_request_send(struct guest *guest, const struct config_vm *vm,
                         const struct config_network *network, bool remove, guest_done_fn done,
                         void *userdata)
{
    uint8_t lists[LISTS_SIZE], payload[LISTS_SIZE + 256u];
    struct wire_writer items = {.data = lists, .capacity = sizeof(lists)};
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    struct request_configure_network request = {.flags = flags_of(vm, network) |
                                                         (remove ? REQUEST_NETWORK_REMOVE : 0),
                                                .mtu = network->mtu,
                                                .timeout_ms = vm->timeouts.network,
                                                .metric = config_vm_metric(vm, network->id)};

    memcpy(request.mac, network->mac, sizeof(request.mac));
    request.addresses = string_list_pack(&items, &network->address);
    request.gateways = string_list_pack(&items, &network->gateway);
    request.routes = string_list_pack(&items, &network->routes);
    request.dns = string_list_pack(&items, &network->dns);
    if (!items.overflow)
        request_configure_network_pack(&writer, &request);
    if (items.overflow || writer.overflow)
        return -EMSGSIZE;
    return guest_ask(guest, FRAME_CONFIGURE_NETWORK, payload, writer.size,
                     vm->timeouts.network + LIMITS_ANSWER_SLACK_MS, done, userdata);
}
