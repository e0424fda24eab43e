/*
 * qemu share: a virtiofs device in QEMU with its virtiofsd, added, taken over, removed.
 */
#ifndef GUESTLINK_HOSTD_QEMU_SHARE_H
#define GUESTLINK_HOSTD_QEMU_SHARE_H

#include "task.h"

/* As their namesakes in device_host.h. */
int qemu_share_add(struct device_qemu *qemu, const struct device_share *share,
                   struct device_operation *operation);
int qemu_share_remove(struct device_qemu *qemu, const char *tag,
                      struct device_operation *operation);

/* Removes a chardev of ours, whose device is gone, and ends the virtiofsd behind it. Does nothing
 * with a name that is not ours, whatever QEMU says of it. */
void qemu_share_remove_backend(struct qemu_task *task, const char *chardev);

/* Ends what serves the shares that an earlier daemon had, and removes their files. */
void qemu_share_sweep_all(struct device_qemu *qemu);

/* Takes it off the list and frees it. @p stop: its virtiofsd ends too. @return NULL */
struct qemu_share *qemu_share_free(struct qemu_share *share, bool stop);

#endif
