/*
 * registry: the VMs of the daemon, found by name, UUID and CID.
 */
#ifndef GUESTLINK_HOSTD_REGISTRY_H
#define GUESTLINK_HOSTD_REGISTRY_H

#include "vm/vm_owner.h"

#include <stddef.h>
#include <stdint.h>

struct registry;

/* @return NULL: no memory */
struct registry *registry_new(void);
/* Frees the VMs too. @return NULL */
struct registry *registry_free(struct registry *registry);

/*
 * Sets aside what so many VMs need, so that putting them in cannot fail.
 *
 * @return 0 or -ENOMEM (then nothing changed)
 */
int registry_reserve(struct registry *registry, size_t count);

/*
 * Puts the VMs into another order or set.
 *
 * @param vms    borrowed; the VMs in it are the registry's from now on. Those that were there
 *               before and are not now are the caller's, and may be gone already.
 * @param count  at most what was reserved
 */
void registry_replace(struct registry *registry, struct vm *const *vms, size_t count);

/*
 * Keeps a VM that leaves until it is forgotten: it is found by nothing but the calls below.
 *
 * @return 0 or -ENOMEM
 */
int registry_retire(struct registry *registry, struct vm *vm);
struct vm *registry_find_retired(const struct registry *registry, const char *id);
/* Frees it. NULL is fine. */
void registry_forget_retired(struct registry *registry, struct vm *vm);

size_t registry_count(const struct registry *registry);
struct vm *registry_get(const struct registry *registry, size_t index);

/* NULL: there is none. */
struct vm *registry_find_name(const struct registry *registry, const char *name);
struct vm *registry_find_id(const struct registry *registry, const char *id);
struct vm *registry_find_cid(const struct registry *registry, uint32_t cid);

#endif
