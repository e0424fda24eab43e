/*
 * program: where programs are on this host; for the daemon, which starts them, and for
 * guestlinkctl, which says whether they are there.
 */
#ifndef GUESTLINK_HOSTD_PROGRAM_H
#define GUESTLINK_HOSTD_PROGRAM_H

#include "protocol/limits.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Finds a program in PATH, or checks that the path given is executable.
 *
 * @return 0, -ENOENT or -EACCES; of a path also -EISDIR, -ENAMETOOLONG and what stat(2) says
 */
int program_find(const char *name, char *buffer, size_t capacity);

/*
 * Finds a file of guestlink's own: beside this program (a build's folder), where it is installed,
 * or in PATH.
 *
 * @return @p buffer, or NULL: it is not there
 */
const char *program_find_own(const char *name, char buffer[LIMITS_PATH]);

/*
 * True if an option of that name, or another text, stands in the program's own: looking there needs
 * no trial run.
 */
bool program_knows(const char *program, const char *text);

/*
 * Finds virtiofsd.
 *
 * @param program  a name or path, or NULL: the first of the usual places
 * @return @p buffer, a static text, or NULL: it is not there or cannot be executed
 */
const char *program_find_virtiofsd(const char *program, char buffer[LIMITS_PATH]);

/*
 * Finds a passt that can be served by vhost-user, and jailed.
 *
 * @param program     a name or path, or NULL: from PATH
 * @param ret_buffer  the path, also of one that is of no use
 * @return 0; -ENOENT: it is not there or cannot be executed; -EOPNOTSUPP: it is too old for
 *         vhost-user; -ENOEXEC: a script, which cannot run in a jail
 */
int program_find_passt(const char *program, char ret_buffer[LIMITS_PATH]);

#endif
