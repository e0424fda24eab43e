/*
 * qemu share: a virtiofs device in QEMU with its virtiofsd, added, taken over, removed.
 */
#ifndef GUESTLINK_HOSTD_QEMU_SHARE_H
#define GUESTLINK_HOSTD_QEMU_SHARE_H

#include "task.h"

/* As their namesakes in device_host.h. */
int qemu_share_add(struct device_host *host, const struct device_share *share,
                   struct device_operation *operation);
int qemu_share_remove(struct device_host *host, const char *tag,
                      struct device_operation *operation);

int qemu_share_get_aperture(const struct device_host *host, const char *tag,
                            struct aperture_status *ret_status);
int qemu_share_confirm_aperture(const struct device_host *host, const char *tag, uint64_t number);

/*
 * The rest is for its own parts. From the top: share_add.c, share_make.c, share_remove.c,
 * share_events.c, share.c.
 */

/* Makes the share of a task, of which nothing is there: a free port; virtiofsd; chardev; device. It
 * ends the operation. */
void qemu_share_make(struct qemu_task *task);

/* Removes a chardev of ours, whose device is gone, and ends the virtiofsd behind it. Does nothing
 * with a name that is not ours, whatever QEMU says of it. */
void qemu_share_remove_backend(struct qemu_task *task, const char *chardev);

/* Ends what serves the shares that an earlier daemon had, and removes their files. */
void qemu_share_sweep_all(struct device_qemu *qemu);

/* Puts a new one on the list. @return NULL: no memory */
struct qemu_share *qemu_share_new(struct device_qemu *qemu, const struct device_share *from);

/* Takes it off the list and frees it. @p stop: its virtiofsd ends too. @return NULL */
struct qemu_share *qemu_share_free(struct qemu_share *share, bool stop);

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

/* What a virtiofsd is watched for; the userdata is the struct qemu_share. In share_events.c. */
extern const struct device_server_events qemu_share_events;

/* The share of that tag, or NULL. */
struct qemu_share *qemu_share_find(const struct device_qemu *qemu, const char *tag);

/* True if there is no device of it, for its aperture cannot be kept. @param ret_status  says why */
bool qemu_share_is_refused(const struct qemu_share *share, struct aperture_status *ret_status);

/* Its task failed: undoes it at once. */
void qemu_share_fail_now(struct qemu_task *task);

#endif
