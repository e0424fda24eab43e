/*
 * qemu share, its making: a free port; virtiofsd; chardev; device.
 */
#ifndef GUESTLINK_HOSTD_QEMU_SHARE_MAKE_H
#define GUESTLINK_HOSTD_QEMU_SHARE_MAKE_H

#include "task.h"

/* Makes the share of a task, of which nothing is there. It ends the operation. */
void qemu_share_make(struct qemu_task *task);

#endif
