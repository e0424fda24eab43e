/*
 * config vm: one entry of "vms".
 */
#ifndef GUESTLINK_HOSTD_CONFIG_VM_H
#define GUESTLINK_HOSTD_CONFIG_VM_H

#include "config_reader.h"

/* More would not fit the slots that a VM has for devices; each costs the host a process. */
#define CONFIG_VM_SHARES   128u
#define CONFIG_VM_ADAPTERS 32u

/* Reads one VM; @p vm has the defaults of config_vm_init() and is config_vm_done()'s to free. */
void config_vm_read(struct config_reader *reader, const struct config_json *node,
                    struct config_vm *vm);

/* @param timeouts  the defaults of the whole file */
void config_vm_init(struct config_vm *vm, const struct config_timeouts *timeouts);
void config_vm_done(struct config_vm *vm);

/* "timeouts_ms": a config_read_fn into a struct config_timeouts. */
void config_vm_read_timeouts(struct config_reader *reader, const struct config_json *node,
                             const struct config_field *field, void *to);

#endif
