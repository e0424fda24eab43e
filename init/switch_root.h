/*
 * switch_root: makes the mounted real root the root, and hands PID 1 over to its init.
 */
#ifndef GUESTLINK_INIT_SWITCH_ROOT_H
#define GUESTLINK_INIT_SWITCH_ROOT_H

#include <stddef.h>
#include <sys/types.h>

#include "base/report.h"

/*
 * Moves the kernel's filesystems and /run into ROOT_PATH and makes that the root of this process.
 * The job that mounted it has seen that they have their directories there; what cannot be moved all
 * the same is logged and left behind. No share is mounted yet: requests are held (hold.h).
 *
 * @param ret_old_root  an O_PATH descriptor of what was the root
 * @return 0, or a positive errno with the reason in @p report: then nothing that matters has
 * changed
 */
int switch_root(struct report *report, int *ret_old_root);

/*
 * Forks the agent, and becomes @p init in this process, with @p words as its arguments.
 *
 * @return in the agent: 0; in PID 1, only if it could not become @p init, or not fork: a positive
 *         errno with the reason in @p report, and no agent
 */
int switch_root_hand_over(const char *init, char *const *words, size_t count,
                          struct report *report);

/* Deletes an initramfs, to give its memory back: nothing if @p root is no memory filesystem.
 * Closes @p root. */
void switch_root_delete(int root);

#endif
