/*
 * passt server: passt behind its relay for an adapter, as every device host that has QEMU connect
 * to a socket starts it.
 */
#ifndef GUESTLINK_HOSTD_PASST_SERVER_H
#define GUESTLINK_HOSTD_PASST_SERVER_H

#include "device_host.h"
#include "device_name.h"
#include "device_server.h"
#include "share_server.h"

#define PASST_SERVER_TEXT_SIZE 2048u

/* DEVICE_SERVER_PASST and a hash. */
#define PASST_SERVER_NAME_SIZE (sizeof(DEVICE_SERVER_PASST) - 1 + DEVICE_NAME_HASH_SIZE)

/*
 * Names the passt of an adapter by all that would make it another one.
 *
 * @param vm    its device_host says which passt
 * @param text  why there is none, and what to do
 * @return 0 or a positive errno
 */
int passt_server_name(const struct config_vm *vm, const struct device_adapter *adapter,
                      char name[PASST_SERVER_NAME_SIZE], char text[PASST_SERVER_TEXT_SIZE]);

/* True if it can be such a name. */
bool passt_server_is_name(const char *name);

/*
 * Starts it.
 *
 * @param text  why it could not be started, and what to do
 * @return 0 or a positive errno
 */
int passt_server_start(sd_event *event, const struct config_vm *vm,
                       const struct share_server_place *place, const char *name,
                       const struct device_adapter *adapter,
                       const struct device_server_events *events, void *userdata,
                       struct device_server **ret_server, char text[PASST_SERVER_TEXT_SIZE]);

#endif
