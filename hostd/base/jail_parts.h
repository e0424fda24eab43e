/*
 * jail parts: what the files behind jail.h call of each other. Nobody else includes it.
 */
#ifndef GUESTLINK_HOSTD_JAIL_PARTS_H
#define GUESTLINK_HOSTD_JAIL_PARTS_H

#include "jail.h"

#include <stddef.h>
#include <stdio.h>

/* More libraries than diod has (22) or any program of ours. */
#define JAIL_LIBRARIES 128u

/* Where struct jail's library is in the jail; its own path is nothing that must be known there. */
#define JAIL_LIBRARY "/lib/guestlink-preloaded.so"

/*
 * Lists the files that @p program is loaded with, as its own loader (PT_INTERP) finds them, with
 * the loader itself.
 *
 * @param buffer     holds the texts
 * @param ret_paths  NULL-terminated, room for JAIL_LIBRARIES + 1; empty for a static program
 * @return 0, -ENOEXEC (no ELF file of this machine's), -E2BIG, -EBADMSG (the loader fails) or
 * -errno
 */
int jail_libraries(const char *program, char *buffer, size_t capacity, const char **ret_paths);

/* Makes the jail's root and changes into it; call it in a new mount namespace. @return as
 * jail_enter() */
int jail_root_enter(const struct jail *jail, const char *program, const char **ret_step);

/*
 * Covers each file system of the kernel's own that is mounted below the jail's folder: what is
 * there then is an empty directory, or /dev/null.
 *
 * @param mounted_at  where the jail's root is, as the mounts are listed
 * @param place       where the folder is in it
 * @param mountinfo   /proc/self/mountinfo, opened when there was one; what it says is read now
 * @return 0 or -errno; -ESTALE: somebody moves directories there
 */
int jail_mounts_cover(int root, const char *mounted_at, const char *place, FILE *mountinfo);

/*
 * Gives up all but what the spec grants; from here on execve(2) is the next thing.
 *
 * @param own_users  in a user namespace where groups cannot be set: setgroups(2) is answered that
 * it was done
 * @return as jail_enter()
 */
int jail_shed_rights(const struct jail *jail, bool own_users, const char **ret_step);

#endif
