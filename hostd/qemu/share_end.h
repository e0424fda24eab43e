/*
 * qemu share, how its making ends: well, or undone in the other direction; and virtiofsd's own end.
 */
#ifndef GUESTLINK_HOSTD_QEMU_SHARE_END_H
#define GUESTLINK_HOSTD_QEMU_SHARE_END_H

#include "share.h"

/* The task ends without a device of its making: what it made goes, what was there stays. */
void qemu_share_drop(struct qemu_task *task);

/*
 * Undoes what is there, and ends the operation.
 *
 * @param error  an errno; EREMOTEIO: QEMU refused, and @p text is its own
 * @param what   was tried, or ""
 */
void qemu_share_fail(struct qemu_task *task, int error, const char *what, const char *text);

/* Ends the operation: the device is there. A token without @p iommu_platform is remarked on. */
void qemu_share_succeed(struct qemu_task *task, bool created, bool iommu_platform);

/* Of no share's device it is known any more that QEMU was asked to unplug it. */
void qemu_shares_stay(struct device_qemu *qemu);

/* QEMU said of the device @p id, which need not be a share's, that it is gone, or that it stays. */
void qemu_share_on_unplug_event(struct device_qemu *qemu, const char *id);

/* A virtiofsd_ended_fn; @p userdata is the struct qemu_share. */
void qemu_share_on_virtiofsd_ended(void *userdata, const char *text);

#endif
