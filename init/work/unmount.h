/*
 * unmount: leaves every filesystem whole, at the end.
 */
#ifndef GUESTLINK_INIT_UNMOUNT_H
#define GUESTLINK_INIT_UNMOUNT_H

#include "base/report.h"

/*
 * Unmounts everything but the kernel's own filesystems and the root, the newest first, and walks
 * the table of mounts until that unmounts nothing more. What is busy, and the root, is made
 * read-only, else frozen, else the kernel is told to do it by force. Shares and network filesystems
 * come last, and are forced. Each is done in a child, as any of it may hang: it is then left, and
 * the others are not. For a job; takes INIT_UNMOUNT_OWN_MS + INIT_UNMOUNT_SHARES_MS at most.
 *
 * @param report  its error is not an errno but the number of filesystems that are still writable,
 *                and shares that do not answer
 */
void unmount_all(const void *argument, struct report *report);

#endif
