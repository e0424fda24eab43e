/*
 * unmount: leaves every filesystem whole, at the end.
 */
#ifndef GUESTLINK_INIT_UNMOUNT_H
#define GUESTLINK_INIT_UNMOUNT_H

#include "base/report.h"

/*
 * Syncs, unmounts everything but the kernel's own filesystems and the root, the newest first, and
 * makes read-only what is busy, and the root. For a job: a dead host may block any of it.
 *
 * @param report  its error is not an errno but the number of filesystems that are still writable
 */
void unmount_all(const void *argument, struct report *report);

#endif
