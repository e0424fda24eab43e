/*
 * pool_usage: how full each bounce pool is, from the kernel's debugfs.
 */
#ifndef GUESTLINK_INIT_POOL_USAGE_H
#define GUESTLINK_INIT_POOL_USAGE_H

#include "protocol/event.h"

/* The names and texts of a usage; what its event points to. */
struct pool_usage {
    struct event_pool_usage event;
    char names[EVENT_POOLS_MAX][64];
};

/*
 * Reads the use of every pool from debugfs.
 *
 * @param directory  POOL_USAGE_DIRECTORY
 * @return 0, or -ENOENT: this kernel keeps no such statistics
 */
int pool_usage_read(const char *directory, struct pool_usage *ret);

#define POOL_USAGE_DIRECTORY "/sys/kernel/debug/swiotlb"

/* Mounts debugfs where the kernel has its place for it, readable by root alone. */
void pool_usage_mount_debugfs(void);

#endif
