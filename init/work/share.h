/*
 * share: directories of the host, mounted and unmounted. Its functions are work of jobs
 * (base/job.h): they may block.
 */
#ifndef GUESTLINK_INIT_SHARE_H
#define GUESTLINK_INIT_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/report.h"
#include "kernel/modules.h"
#include "protocol/limits.h"

struct share_order {
    bool read_only;
    bool by_9p;    /* over a vsock connection to `port`; else virtiofs */
    bool as_root;  /* for root.h: with set-user-ID programs and device nodes */
    bool bounces;  /* virtiofs: its device may go through a pool of the kernel's */
    bool detach;   /* share_unmount(): at once, busy or not */
    uint32_t cid;  /* 9P: of the host */
    uint32_t port; /* 9P: of the host */
    uint32_t timeout_ms;
    const struct modules_late *late; /* share_mount() */
    char tag[LIMITS_PATH];           /* virtiofs: at most LIMITS_TAG bytes */
    char target[LIMITS_PATH];
};

/* @param argument  a share_order. Mounts it; waits for its device. Mounted there already: success,
 * nothing is done. */
void share_mount(const void *argument, struct report *report);

/* @param argument  a share_order. Unmounts what is on its target. EBUSY if it is in use. */
void share_unmount(const void *argument, struct report *report);

#endif
