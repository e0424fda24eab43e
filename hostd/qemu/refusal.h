/*
 * qemu refusal: QEMU's words that decide something here. QMP has no code for them, so that another
 * QEMU may say them otherwise; all of them stand here, and a test has the QEMU of the machine say
 * each.
 */
#ifndef GUESTLINK_HOSTD_QEMU_REFUSAL_H
#define GUESTLINK_HOSTD_QEMU_REFUSAL_H

#include "qmp.h"

enum qemu_refusal {
    QEMU_REFUSAL_UNPLUGGING, /* device_del: asked before, and the guest has not let go yet */
    QEMU_REFUSAL_UNKNOWN,    /* device_del: there is no such device */
    QEMU_REFUSAL_BUSY,       /* chardev-remove: a device has it */
    QEMU_REFUSAL_IOMMU,      /* device_add: what serves it does not offer ACCESS_PLATFORM */
};

/* True if QEMU refused the command, for that reason. */
bool qemu_refusal_is(enum qemu_refusal refusal, const struct qmp_reply *reply);

#endif
