/*
 * root: the real root filesystem, mounted on ROOT_PATH. Work of a job (base/job.h): it
 * waits for the device.
 */
#ifndef GUESTLINK_INIT_ROOT_H
#define GUESTLINK_INIT_ROOT_H

#include "base/report.h"
#include "kernel/cmdline.h"
#include "kernel/modules.h"

#define ROOT_PATH "/sysroot"

struct root_order {
    const struct cmdline *cmdline; /* root, root_options, root_init */
    const struct modules_late *late;
};

/*
 * @param argument  a root_order
 *
 * Mounts what guestlink.root names: `virtiofs:TAG`, `/dev/NAME`, `LABEL=…`, `UUID=…`, `PARTUUID=…`
 * or `PARTLABEL=…` (with ext4, xfs or btrfs). Options are `ro`, and what the filesystem knows.
 * Checks that root_init is in it, and that /proc, /sys, /dev and /run are, or makes them.
 */
void root_mount(const void *argument, struct report *report);

#endif
