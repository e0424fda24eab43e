/*
 * mounts: the filesystems of the kernel that every program expects, with the flags that
 * distributions use.
 */
#ifndef GUESTLINK_INIT_MOUNTS_H
#define GUESTLINK_INIT_MOUNTS_H

/* /proc, /sys and /dev: all that the handshake needs. Failures go to stderr: nobody logs yet. */
void mounts_early(void);

/* /dev/pts, /dev/shm, /run, /tmp and /sys/fs/cgroup. */
void mounts_rest(void);

#endif
