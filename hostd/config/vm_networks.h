/*
 * config vm networks: the adapters of a VM: the list, and what must hold between them.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_VM_NETWORKS_H
#define GUESTLINK_HOSTD_CONFIG_VM_NETWORKS_H

#include "reader.h"

/* "network": a config_read_fn into a struct config_vm. */
void config_vm_read_networks(struct config_reader *reader, const struct config_json *node,
                             const struct config_field *field, void *to);

/* What must hold between the adapters, the device host and the rest of @p vm, which is read. */
void config_vm_check_networks(struct config_reader *reader, const struct config_json *node,
                              const struct config_vm *vm);

#endif
