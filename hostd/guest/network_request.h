/*
 * network request: the configuration of an adapter as the request that the guest gets.
 */
#ifndef GUESTLINK_HOSTD_NETWORK_REQUEST_H
#define GUESTLINK_HOSTD_NETWORK_REQUEST_H

#include "config/config.h"
#include "guest.h"

#include <stdbool.h>

/*
 * Sends CONFIGURE_NETWORK; the guest has the VM's timeout for it.
 *
 * @param vm      whose adapter it is
 * @param remove  the interface is to be given up
 * @return as guest_ask(); -EMSGSIZE: the lists do not fit into a frame
 */
int network_request_send(struct guest *guest, const struct config_vm *vm,
                         const struct config_network *network, bool remove, guest_done_fn done,
                         void *userdata);

#endif
