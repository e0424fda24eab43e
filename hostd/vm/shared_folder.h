/*
 * shared folder: which directory of the host a share's server has. One of that path that was
 * removed and made again is another one, and the server goes on with the old one.
 */
#ifndef GUESTLINK_HOSTD_SHARED_FOLDER_H
#define GUESTLINK_HOSTD_SHARED_FOLDER_H

#include <stdbool.h>
#include <sys/types.h>

/* All zero: not known. */
struct shared_folder {
    dev_t device;
    ino_t inode;
};

/* @return 0; -ENOENT, -ENOTDIR or another -errno: the host has no such directory */
int shared_folder_look(const char *path, struct shared_folder *ret_folder);

/* @return NULL, or a sentence for a person: what is at @p path now is not @p served. Static */
const char *shared_folder_trouble(const char *path, const struct shared_folder *served);

#endif
