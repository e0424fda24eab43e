/*
 * vm owner: what the daemon does with a VM. See vm.h for everybody else's side.
 */
#ifndef GUESTLINK_HOSTD_VM_OWNER_H
#define GUESTLINK_HOSTD_VM_OWNER_H

#include "config/settings.h"
#include "guest/connection.h"
#include "guest/session.h"
#include "services.h"
#include "vm.h"

#include <sys/queue.h>

struct handshake;

/* A VM's connections in the handshake, the newest first: handshake.c's. */
struct vm_handshakes {
    TAILQ_HEAD(vm_handshake_queue, handshake) queue;
    uint32_t count;
};

/*
 * Makes a VM of what its configuration and the store say, with its device host. Tells policy's
 * warnings.
 *
 * @param config  lies in @p settings
 * @return 0 or -errno
 */
int vm_new(struct services *services, struct settings *settings, const struct config_vm *config,
           struct vm **ret_vm);

/* Lets go of it; its devices live on, and it is remembered. @return NULL */
struct vm *vm_free(struct vm *vm);

/*
 * Takes the VM out of service: its connection stays until its devices are taken away, the guest
 * asked first; then, or when that took too long, it is forgotten by the store too and @p left is
 * called, from the event loop, once. The callee frees it.
 */
void vm_leave(struct vm *vm, void (*left)(void *userdata, struct vm *vm), void *userdata);

/* A reload: brings shares, adapters and everything else in line with the new configuration of the
 * same VM, of which name, id, cid, socket and device host are the same. */
void vm_change(struct vm *vm, struct settings *settings, const struct config_vm *config);

/* The same configuration, in another object: retry what failed, nothing else changes. */
void vm_rebase(struct vm *vm, struct settings *settings, const struct config_vm *config);

const struct config_vm *vm_config(const struct vm *vm);

/* A connection of this VM's is open (+1) or closed (-1); 0 only asks. @return how many there are
 * now */
unsigned vm_count_connection(struct vm *vm, int change);

struct vm_handshakes *vm_handshakes(struct vm *vm);

/* False while the VM's device host is a QEMU whose QMP does not answer: who has its CID then may be
 * anybody. services.vm_vouched says when that is over. */
bool vm_is_vouched(const struct vm *vm);

/* What a session must know of the VM's current boot, or NULL. */
const struct guest_capabilities *vm_boot_report(const struct vm *vm);

/*
 * The guest's report was accepted: this connection is the VM's now, and replaces the one before.
 * WELCOME is sent and the guest is brought up.
 *
 * @param connection   consumed; counted already
 * @param id           of CAPABILITIES
 * @param accepted_us  monotonic, when the connection was accepted
 */
void vm_take_connection(struct vm *vm, struct connection *connection, uint32_t id,
                        const struct session_decision *decision, uint64_t accepted_us);

#endif
