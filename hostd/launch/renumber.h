/*
 * renumber: numbers for the files of a share that lie in other file systems than its folder does.
 *
 * A guest sees one file system. Two files of it that have one number are one file to cp -a, tar and
 * diff, which take the second for the first.
 */
#ifndef GUESTLINK_RENUMBER_H
#define GUESTLINK_RENUMBER_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* True if @p device is another one than that of the folder where the program began. */
bool renumber_is_foreign(dev_t device);

/* As the folder's device is. */
dev_t renumber_device(void);

/* The number of a file that has @p number on @p device: as it is in the folder's own file system,
 * else another, the same at each call. */
ino_t renumber(ino_t number, dev_t device);

#endif
