/*
 * mounts: the filesystems of the kernel that every program expects, with the flags that
 * distributions use.
 */
#ifndef GUESTLINK_INIT_MOUNTS_H
#define GUESTLINK_INIT_MOUNTS_H

/* /proc, /sys and /dev: all that the handshake needs. Failures go to stderr: nobody logs yet. */
void mounts_early(void);

/*
 * Where `/` is an initramfs, PID 1 moves to a bind mount of it: the kernel's rootfs refuses
 * pivot_root(2), which container runtimes call. Then /dev/pts, /dev/shm, /dev/mqueue, /run, /tmp
 * and /sys/fs/cgroup are mounted, and all mounts are shared (mount_namespaces(7)).
 */
void mounts_rest(void);

#endif
