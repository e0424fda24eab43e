/*
 * dispatch job: requests of the host that a child carries out (base/job.h), since they may block:
 * mounts, unmounts and the network.
 */
#ifndef GUESTLINK_INIT_DISPATCH_JOB_H
#define GUESTLINK_INIT_DISPATCH_JOB_H

#include <stdbool.h>

#include "base/report.h"
#include "guest.h"
#include "protocol/frame.h"

/* A request in hand: what a handler fills in becomes its answer. */
struct dispatch {
    struct guest *guest;
    const struct frame *frame;
    struct report report;
    bool later; /* somebody else is going to answer */
};

/* @return 0, or a WIRE_E_… of an unpack: a protocol error */
typedef int dispatch_handler(struct dispatch *d);

/* Of FRAME_MOUNT, FRAME_UNMOUNT and FRAME_CONFIGURE_NETWORK: the job's end answers. One that is
 * asked for again, after a reconnect, is the job that runs. */
dispatch_handler dispatch_mount_share, dispatch_unmount_share, dispatch_configure_network;

#endif
