/*
 * lock: one daemon for a state directory. Two would overwrite each other's documents, and end each
 * other's devices.
 *
 * The lock is on the directory itself, so that there is no file whose removal frees it, and ends
 * with its process, whatever ends that. A second lock, on the file "lock" in the directory, only
 * says which process it is.
 */
#ifndef GUESTLINK_HOSTD_LOCK_H
#define GUESTLINK_HOSTD_LOCK_H

#include <sys/types.h>

/*
 * Takes the lock, for as long as @p directory is open.
 *
 * @param ret_file  to be kept open as long, then closed by the caller; -1 if there is none
 * @param ret_pid   on -EBUSY who has the lock; 0: not known (a process of another PID namespace, or
 *                  the file was removed)
 * @return 0; -EBUSY; or another -errno: the file system has no such locks
 */
int lock_take(int directory, int *ret_file, pid_t *ret_pid);

/*
 * Asks who has the lock of a state directory, without changing anything.
 *
 * @return 0: nobody; -EBUSY, with @p ret_pid as above; or another -errno
 */
int lock_ask(const char *state_dir, pid_t *ret_pid);

#endif
