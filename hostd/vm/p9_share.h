/*
 * p9 share: a share served over 9P on its own vsock port.
 */
#ifndef GUESTLINK_HOSTD_P9_SHARE_H
#define GUESTLINK_HOSTD_P9_SHARE_H

#include "base/limits.h"
#include "base/rate.h"
#include "config/config.h"

#include <stdint.h>

struct vm;
struct p9_share;

/* The vsock ports that shares have, so that each has its own: a bit for each. Zero is empty. */
struct p9_ports {
    uint8_t taken[(LIMITS_P9_PORT_LAST - LIMITS_P9_PORT_FIRST) / 8u + 1u];
};

/* What the 9P servers of one VM, of all its shares, are bounded by. Zero is empty. */
struct p9_bounds {
    unsigned shares, running;
    struct rate starts;
    uint64_t refused; /* connections since that was last told */
    uint64_t told_us; /* when it was; 0: never */
};

/*
 * Listens for the guest's 9P connections: on a port of AF_VSOCK, of which only the VM's CID is
 * served; or, for a VM with a hybrid-vsock socket "BASE_PORT", on the Unix socket "BASE_port".
 *
 * @param share  outlives it
 * @param ended  a server ended; @p text is why
 * @return 0 or -errno (-ENOSPC: no port is free; -EPROTONOSUPPORT: the VM's socket is not named
 *         BASE_PORT, so the guest cannot be given another port)
 */
int p9_share_new(struct vm *vm, const struct config_share *share,
                 void (*ended)(void *userdata, const char *text), void *userdata,
                 struct p9_share **ret_p9);

/* Stops listening and serving. @return NULL */
struct p9_share *p9_share_free(struct p9_share *p9);

/* Stops listening; what serves a mount goes on for the next daemon. @return NULL */
struct p9_share *p9_share_release(struct p9_share *p9);

/* Why the newest server ended since the guest was last asked to mount; NULL: none did. The text is
 * good until the next turn of the loop. */
const char *p9_share_trouble(const struct p9_share *p9);
/* The guest is asked again. NULL is fine. */
void p9_share_clear_trouble(struct p9_share *p9);

/* As shared_folder_trouble(). NULL is fine. */
const char *p9_share_folder_trouble(const struct p9_share *p9);

/* The port that the guest is to connect to; 0 for NULL. */
uint32_t p9_share_port(const struct p9_share *p9);

#endif
