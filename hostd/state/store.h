/*
 * store: what the daemon remembers of each VM across its own restarts.
 *
 * One JSON document a VM, STATE_DIR/vms/<uuid>.json, written whole to a temporary file, synced and
 * renamed. A document that cannot be read or understood is set aside (renamed to *.bad-<time>),
 * said once, and taken as empty: never trusted, never fatal.
 */
#ifndef GUESTLINK_HOSTD_STORE_H
#define GUESTLINK_HOSTD_STORE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct store;

/* @return 0; or -errno if the directory can be neither found nor made (the caller says so and goes
 * on with a store that forgets: @p ret_store is then set all the same) */
int store_new(const char *state_dir, struct store **ret_store);
struct store *store_free(struct store *store);

/* Takes the lock of the store's directory until store_free(). @return as lock_take() */
int store_lock(struct store *store, pid_t *ret_pid);

/*
 * Reads a VM's document.
 *
 * @param vm_id  UUID text
 * @return a JSON object of the caller's (json_object_put()), empty if there was none; NULL: no
 * memory
 */
struct json_object *store_load(struct store *store, const char *vm_id);

/*
 * Writes a VM's document so that after a crash either the old or the new one is there.
 *
 * @return 0 or -errno; after a failure the old one stands and the next save tries again
 */
int store_save(struct store *store, const char *vm_id, struct json_object *document);

#endif
