/*
 * filter: which messages pass between QEMU and the process of a device that has an aperture, and
 * how they are changed. What is not listed does not pass.
 *
 * Every request of vhost-user's frontend has a row in filter.c: it is passed on, answered by the
 * relay, or ends the connection. Of the backend's own requests there are none: the connection that
 * they need (SET_BACKEND_REQ_FD) ends at the relay, which reads nothing from it.
 *
 * QEMU is offered VIRTIO_F_ACCESS_PLATFORM, and the backend's channel, without which it does not
 * take that; the process is told neither. QEMU keeps the guest to it: with iommu_platform=on
 * virtio_set_status() refuses FEATURES_OK to a driver that did not accept, and no ring starts. It
 * does not tell us: without a vIOMMU it takes the bit out of SET_FEATURES.
 */
#ifndef GUESTLINK_HOSTD_RELAY_FILTER_H
#define GUESTLINK_HOSTD_RELAY_FILTER_H

#include "vhost_user.h"

enum filter_way {
    FILTER_REFUSE = 0,
    FILTER_PASS,
    FILTER_ANSWER,   /* by the relay alone */
    FILTER_MEMORY,   /* by the relay, and the process gets its own table (aperture.h) */
    FILTER_TRANSLATE /* passed on with other addresses (aperture.h) */
};

/*
 * Judges a message of QEMU's.
 *
 * @param ret_reason  of FILTER_REFUSE: what is wrong with it; static
 */
enum filter_way filter_judge(const struct vhost_user_message *question, const char **ret_reason);

/* Takes out of a message of QEMU's what the process is not told. */
void filter_down(struct vhost_user_message *question);

/*
 * Changes what the process answers into what QEMU is told.
 *
 * @param asked  what QEMU asked
 * @return false: it is no answer to that
 */
bool filter_up(const struct vhost_user_message *asked, struct vhost_user_message *answer);

#endif
