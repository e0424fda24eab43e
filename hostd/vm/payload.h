/*
 * payload: the one program that the VM is for, if its configuration names one. It is started once
 * in a boot.
 */
#ifndef GUESTLINK_HOSTD_PAYLOAD_H
#define GUESTLINK_HOSTD_PAYLOAD_H

#include "output_tail.h"
#include "vm.h"

#include "protocol/event.h"

#include <stdint.h>

struct payload {
    enum vm_payload_state state; /* VM_PAYLOAD_NONE: not asked for yet; …WAITING: it is */
    uint32_t status;
    uint32_t signal;
    uint32_t restarts;
    uint64_t asked_us;
    char *error; /* why it could not be started, or NULL */
    struct output_tail output;
};

/* Asks for it, unless there is none or it was started in this boot. vm_wake() when that is
 * answered. */
void payload_start(struct vm *vm);

/* How long the guest waits for the payload alone when it shuts down, at most, before it stops all
 * else for @p grace_ms. */
uint32_t payload_stop_ms(const struct vm *vm, uint32_t grace_ms);

/* The guest says that it ended. */
void payload_exited(struct vm *vm, const struct event_child_exited *exited);

/* Another boot began. */
void payload_reset(struct vm *vm);

/* The exit status by which a shell tells that a program could not be started. */
uint32_t payload_status_of_error(int error);

#endif
