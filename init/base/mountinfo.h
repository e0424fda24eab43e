/*
 * mountinfo: the kernel's table of mounts, one line of /proc/self/mountinfo at a time.
 */
#ifndef GUESTLINK_INIT_MOUNTINFO_H
#define GUESTLINK_INIT_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>

struct mountinfo {
    char target[4096];
    char type[64];
    char source[256];
    char options[256]; /* of the mount, not of the filesystem */
    bool read_only;    /* the mount, or the filesystem */
};

/* Takes one field of a line of the kernel's, /proc/swaps as well; \040 and the like are undone.
 * @param cursor  moves behind it. @return false if it is missing or too long */
bool mountinfo_take_field(const char **cursor, char *field, size_t capacity);

/* Reads one line; the kernel's \040 and the like are undone. @return 0 or -EINVAL */
int mountinfo_parse(const char *line, struct mountinfo *ret);

/* True if a host gave it: virtiofs or 9p. */
bool mountinfo_is_share(const struct mountinfo *mount);

/* True if the kernel made it by itself, for another file system in a share that the host announced;
 * it has no tag. Others may be mounted over it. */
bool mountinfo_is_submount(const struct mountinfo *mount);

/* Calls @p each for every mount, in the kernel's order; it ends the walk by returning false.
 * @return 0 or a negative errno */
int mountinfo_walk(bool (*each)(const struct mountinfo *mount, void *context), void *context);

/* True if @p path is below @p directory, which is not `/` and has no `/` at its end. */
bool mountinfo_is_below(const char *path, const char *directory);

/* The newest mount of a host's, no submount, below @p target. @return as mountinfo_find() */
int mountinfo_find_share_below(const char *target, struct mountinfo *ret);

/* The newest mount right on @p target. @return 1 and *ret, 0 if there is none, or a negative errno
 */
int mountinfo_find(const char *target, struct mountinfo *ret);

#endif
