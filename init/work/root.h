/*
 * root: the real root filesystem, mounted on ROOT_PATH. For a job: it waits for the device.
 */
#ifndef GUESTLINK_INIT_ROOT_H
#define GUESTLINK_INIT_ROOT_H

#include <sys/types.h>

#include "base/report.h"
#include "kernel/cmdline.h"

#define ROOT_PATH "/sysroot"

struct root_order {
    const struct cmdline *cmdline; /* root, root_options, root_init */
    pid_t modules;                 /* as in share.h */
    const char *modules_failed;
};

/*
 * Mounts what guestlink.root names: `virtiofs:TAG`, `/dev/NAME`, `LABEL=…` or `UUID=…` (of ext4,
 * xfs, btrfs). Options are `ro`, and what the filesystem knows. Checks that root_init is in it.
 */
void root_mount(const struct root_order *order, struct report *report);

#endif
