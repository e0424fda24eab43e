/*
 * image: the guest's initramfs, made by guestlink-mkinitramfs and kept in the user's cache
 * ($XDG_CACHE_HOME/guestlink, or ~/.cache/guestlink).
 *
 * An image is named for its kernel's release and a hash over all that it is made of; one that was
 * used by no run for a month is removed when another one is made. Any number of runs may ask at
 * once: one makes the image, the others wait for it.
 */
#ifndef GUESTLINK_ONCE_IMAGE_H
#define GUESTLINK_ONCE_IMAGE_H

#include "kernel.h"
#include "protocol/limits.h"
#include "request.h"

/* Where the image has what runs a command in another root. */
#define IMAGE_ENTER "/sbin/guestlink-enter"

/*
 * Finds the image for a run, or makes it.
 *
 * @param scratch  a folder for what is needed meanwhile; its owner removes it
 * @param stop     as tool_run()'s
 * @return 0; -ECANCELED: stopped; or -errno after an explanation on stderr
 */
int image_get(const struct request *request, const struct kernel *kernel, const char *scratch,
              int stop, char ret_path[LIMITS_PATH]);

#endif
