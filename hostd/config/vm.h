/*
 * config vm: one entry of "vms" and the parts of it, each in its own .c.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_VM_H
#define GUESTLINK_HOSTD_CONFIG_VM_H

#include "reader.h"

/* More would not fit the slots that a VM has for devices; each costs the host a process. */
#define CONFIG_VM_SHARES   128u
#define CONFIG_VM_ADAPTERS 32u

/* One hot-plug, with the start of its virtiofsd, takes far less, even on an emulated machine. */
#define CONFIG_DEVICE_HOST_TIMEOUT_MS 30000u

#define CONFIG_LIBVIRT_URI "qemu:///system"

/* Reads one VM; @p vm has the defaults of config_vm_init() and is config_vm_done()'s to free. */
void config_vm_read(struct config_reader *reader, const struct config_json *node,
                    struct config_vm *vm);

/* As config_vm_read(), of an object that need not say what @p vm has already: name, id, CID and
 * device host. */
void config_vm_read_found(struct config_reader *reader, const struct config_json *node,
                          struct config_vm *vm);

/* @param timeouts  the defaults of the whole file */
void config_vm_init(struct config_vm *vm, const struct config_timeouts *timeouts);
void config_vm_done(struct config_vm *vm);

/* "timeouts_ms": a config_read_fn into a struct config_timeouts. */
void config_vm_read_timeouts(struct config_reader *reader, const struct config_json *node,
                             const struct config_field *field, void *to);

/* Each reads into a struct that is all zero and is the _done() function's to free; _equal() is as
 * config_vm_equal(). */
void config_share_read(struct config_reader *reader, const struct config_json *node,
                       struct config_share *share);
bool config_share_equal(const struct config_share *a, const struct config_share *b);
void config_share_done(struct config_share *share);

void config_network_read(struct config_reader *reader, const struct config_json *node,
                         struct config_network *network);
void config_network_done(struct config_network *network);

/* A config_read_fn: the words of a command, or an object with more about it. */
void config_payload_read(struct config_reader *reader, const struct config_json *node,
                         const struct config_field *field, void *to);
bool config_payload_equal(const struct config_payload *a, const struct config_payload *b);
void config_payload_done(struct config_payload *payload);

/* A config_read_fn. */
void config_device_host_read(struct config_reader *reader, const struct config_json *node,
                             const struct config_field *field, void *to);
/* One of libvirt's that names no domain has the one of the VM's name. */
void config_device_host_name_domain(struct config_reader *reader, struct config_device_host *host,
                                    const char *name);
bool config_device_host_equal(const struct config_device_host *a,
                              const struct config_device_host *b);
void config_device_host_done(struct config_device_host *host);

#endif
