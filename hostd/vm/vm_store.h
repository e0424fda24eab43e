/*
 * vm store: what of a VM outlives the daemon.
 */
#ifndef GUESTLINK_HOSTD_VM_STORE_H
#define GUESTLINK_HOSTD_VM_STORE_H

struct json_object;
struct vm;

/* Writes the VM's document; a failure is told. @param userdata  the VM */
void vm_store_save(void *userdata);

/* Reads what an earlier daemon left, but shares whose tags the VM has already: the configuration's
 * come first. @return its memory of the device host (owned), or NULL */
struct json_object *vm_store_recall(struct vm *vm);

#endif
