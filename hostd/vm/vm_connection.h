/*
 * vm connection: the one connection that the VM's guest has. See vm_owner.h for how it gets it.
 */
#ifndef GUESTLINK_HOSTD_VM_CONNECTION_H
#define GUESTLINK_HOSTD_VM_CONNECTION_H

#include <stdbool.h>

struct vm;

/* Tells, once, why the device host cannot be reached, if it cannot. */
void vm_tell_host_error(struct vm *vm);

/* Closes the guest's connection. @p reason a word for telemetry; @p error an errno or 0 */
void vm_drop_connection(struct vm *vm, const char *reason, int error);

/* Notes that nothing of this boot runs any more, or that something may. */
void vm_set_ended(struct vm *vm, bool ended);

/* Waits for a guest to connect, for as long as that phase is given. */
void vm_await_guest(struct vm *vm);

#endif
