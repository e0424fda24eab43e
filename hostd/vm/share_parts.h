/*
 * share parts: what the files behind share.h call of each other. Nobody else includes it.
 */
#ifndef GUESTLINK_HOSTD_SHARE_PARTS_H
#define GUESTLINK_HOSTD_SHARE_PARTS_H

#include "share.h"

/* Takes it off the VM's list and frees it; or frees one that is on no list any more. */
void share_free(struct share *share);
void share_destroy(struct share *share);

/* Tells whoever waits for it, and the bring-up, that it has come to rest. It may be gone then. */
void share_settle(struct share *share, int error, const char *text);

/* Waits for the device, for as long as the phase is given. */
void share_await_device(struct share *share, enum vm_device_state state);

/* What serves it ended, after the guest's mount had failed or before: the host's reason is the
 * better one. */
void share_blame(struct share *share, const char *text);

/* Asks the guest; the answer leads back to share_step(). */
void share_mount(struct share *share);
/* @return 0, or -errno: there is nobody to ask */
int share_unmount(struct share *share);

/* Steps every share of the VM from the event loop: another may have waited for one that went. */
void shares_step_later(struct vm *vm);

#endif
