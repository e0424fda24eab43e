/*
 * config device host: a VM's "device_host", who gives it its devices.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_DEVICE_HOST_H
#define GUESTLINK_HOSTD_CONFIG_DEVICE_HOST_H

#include "config_reader.h"

/* One hot-plug, with the start of its virtiofsd, takes far less, even on an emulated machine. */
#define CONFIG_DEVICE_HOST_TIMEOUT_MS 30000u

/* A config_read_fn into a struct config_device_host, config_device_host_done()'s to free. */
void config_device_host_read(struct config_reader *reader, const struct config_json *node,
                             const struct config_field *field, void *to);
void config_device_host_done(struct config_device_host *host);

#endif
