/*
 * qemu discard: devices of QEMU's that take pages of the guest's memory away. A dma-buf keeps the
 * page that it was made of (relay/udmabuf.h): a page that is discarded, and touched again, is
 * another one for the guest than for the device's process.
 *
 * A guest gives no page away that a device uses. One that has a device for it can, and then reads
 * something else than the process wrote.
 */
#ifndef GUESTLINK_HOSTD_QEMU_DISCARD_H
#define GUESTLINK_HOSTD_QEMU_DISCARD_H

#include "task.h"

/*
 * Finds out whether this QEMU has one, if the task's device is to get an aperture: task->discards.
 * One that is plugged in later is not seen.
 *
 * @param looked  its reply's error is 0, or of a question that has no answer
 */
void qemu_discard_look(struct qemu_task *task, qemu_step_fn looked);

/* True if the task's device cannot be made for that. Its text is task->discards. */
bool qemu_discard_forbids(const struct qemu_task *task);

/* Adds the reason to the status of a device that is enforced. @param discards  a task's, or NULL */
void qemu_discard_remark(const char *discards, struct aperture_status *status);

#endif
