/*
 * qemu adapter: a virtio-net device in QEMU with its netdev, added, taken over, removed.
 */
#ifndef GUESTLINK_HOSTD_QEMU_ADAPTER_H
#define GUESTLINK_HOSTD_QEMU_ADAPTER_H

#include "task.h"

/* As their namesakes in device_host.h. */
int qemu_adapter_add(struct device_host *host, const struct device_adapter *adapter,
                     struct device_operation *operation);
int qemu_adapter_remove(struct device_host *host, const char *id,
                        struct device_operation *operation);

/* Passes on that QEMU connected the `stream` netdev of that id. */
void qemu_adapter_on_stream(struct device_qemu *qemu, const char *netdev);

#endif
