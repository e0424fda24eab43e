/*
 * device command: gives a VM its devices through a program of the operator's, run once for every
 * operation (device-host-command.md says how).
 */
#ifndef GUESTLINK_HOSTD_DEVICE_COMMAND_H
#define GUESTLINK_HOSTD_DEVICE_COMMAND_H

#include "device_host.h"

/* Bytes of the program's answer. */
#define DEVICE_COMMAND_ANSWER_MAX ((size_t)64 * 1024)

/* As device_host_new(). */
int device_command_new(sd_event *event, const struct config_vm *vm,
                       const struct device_host_events *events, void *userdata,
                       struct device_host **ret_host);

#endif
