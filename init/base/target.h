/*
 * target: where a share may be mounted.
 */
#ifndef GUESTLINK_INIT_TARGET_H
#define GUESTLINK_INIT_TARGET_H

#include <limits.h>

#include "report.h"

/*
 * Judges a target by its text alone: absolute, no empty, `.` or `..` part, not `/`, and neither
 * /proc, /sys, /dev nor anything below them.
 *
 * @return 0, or EINVAL with the reason in @p report
 */
int target_check(const char *path, struct report *report);

/*
 * Opens the directory, making it and its parents (0755) where they are missing. No symbolic link
 * on the way is followed, so that none can lead out of what target_check() allowed.
 *
 * @param ret_fd  an O_PATH descriptor
 * @return 0, or a positive errno with the reason in @p report
 */
int target_open(const char *path, struct report *report, int *ret_fd);

/*
 * Makes the target's parent the working directory, for umount2(2), which takes no descriptor, and
 * for which one would be a user of the mount. As target_open(), no link is followed.
 *
 * @param ret_name  the last part; may be a link: UMOUNT_NOFOLLOW
 * @return 0, or a positive errno with the reason in @p report
 */
int target_enter(const char *path, struct report *report, char ret_name[NAME_MAX + 1]);

#endif
