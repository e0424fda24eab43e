/*
 * domain driver: gives a domain of libvirt's its devices, through guestlink-libvirt, and runs what
 * serves them.
 */
#ifndef GUESTLINK_HOSTD_DOMAIN_DRIVER_H
#define GUESTLINK_HOSTD_DOMAIN_DRIVER_H

#include "device/device_host.h"

/* As device_host_new(). */
int domain_driver_new(sd_event *event, const struct config_vm *vm, const char *state_dir,
                      struct json_object *memory, const struct device_host_events *events,
                      void *userdata, struct device_host **ret_host);

#endif
