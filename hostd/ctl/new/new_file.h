/*
 * new file: the files that `guestlinkctl new` writes: whole, or not at all.
 */
#ifndef GUESTLINK_CTL_NEW_FILE_H
#define GUESTLINK_CTL_NEW_FILE_H

#include <stddef.h>

/* @return 0 with the text, for free(), NUL behind it; -errno; -EFBIG above 16 MiB */
int new_file_read(const char *path, char **ret_text, size_t *ret_size);

/*
 * Replaces a file's text in one step, and keeps its owner and mode; a file that does not exist gets
 * mode 0640, and the group guestlink if there is one and we are root.
 *
 * @return 0 or -errno; the file is then as before
 */
int new_file_replace(const char *path, const char *text);

/* Writes a file that must not exist yet, mode 0644. @return 0 or -errno (-EEXIST) */
int new_file_create(const char *path, const char *text);

#endif
