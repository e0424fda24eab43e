/*
 * device none: the device host of a VM whose devices somebody else makes. It says yes to
 * everything; that the operations were asked for is in telemetry.
 */
#ifndef GUESTLINK_HOSTD_DEVICE_NONE_H
#define GUESTLINK_HOSTD_DEVICE_NONE_H

#include "device_host.h"

/* As device_host_new(). */
int device_none_new(sd_event *event, const struct config_vm *vm,
                    const struct device_host_events *events, void *userdata,
                    struct device_host **ret_host);

#endif
