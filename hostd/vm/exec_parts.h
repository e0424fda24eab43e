/*
 * exec parts: what the VM tells its commands; see exec.h for their owners' side.
 */
#ifndef GUESTLINK_HOSTD_EXEC_PARTS_H
#define GUESTLINK_HOSTD_EXEC_PARTS_H

#include "exec.h"

#include "protocol/event.h"

#include <stdbool.h>

struct vm;

/* @return false if no command of the VM's has that number */
bool exec_take_output(struct vm *vm, const struct event_process_output *output);
void exec_take_exit(struct vm *vm, const struct event_child_exited *exited);
/* The guest is gone. */
void execs_fail(struct vm *vm, const char *text);
/* The VM goes, and its commands stay with their owners. */
void execs_orphan(struct vm *vm);

#endif
