/*
 * share: directories of the host, mounted and unmounted. For jobs: everything here may block.
 */
#ifndef GUESTLINK_INIT_SHARE_H
#define GUESTLINK_INIT_SHARE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/report.h"
#include "protocol/limits.h"

struct share_order {
    bool read_only;
    bool by_9p;    /* over a vsock connection to `port`; else virtiofs */
    bool as_root;  /* for root.h: with set-user-ID programs and device nodes */
    bool detach;   /* share_unmount(): at once, busy or not */
    uint32_t cid;  /* 9P: of the host */
    uint32_t port; /* 9P: of the host */
    uint32_t timeout_ms;
    pid_t modules;              /* the job that is loading the late modules, or 0 */
    const char *modules_failed; /* names of modules that could not be loaded, or "" */
    char tag[LIMITS_PATH];      /* virtiofs: at most LIMITS_TAG bytes */
    char target[LIMITS_PATH];
};

/* Mounts a share; waits for its device. Mounted there already: success, nothing is done. */
void share_mount(const struct share_order *order, struct report *report);

/* Unmounts what is on order->target. EBUSY if it is in use. */
void share_unmount(const struct share_order *order, struct report *report);

#endif
