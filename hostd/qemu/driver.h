/*
 * qemu driver: hot-plugs devices into QEMU over QMP, and runs virtiofsd for the shares.
 *
 * All of its ids in QEMU follow from the configuration, so that a later daemon finds them with
 * nothing but QMP (name.h).
 */
#ifndef GUESTLINK_HOSTD_QEMU_DRIVER_H
#define GUESTLINK_HOSTD_QEMU_DRIVER_H

#include "device/device_host.h"

/* As device_host_new(). */
int qemu_driver_new(sd_event *event, const struct config_vm *vm, const char *state_dir,
                    struct json_object *memory, const struct device_host_events *events,
                    void *userdata, struct device_host **ret_host);

#endif
