/*
 * virtiofsd program: where it is on this host; for the daemon, which starts it, and for
 * guestlinkctl, which says whether it is there.
 */
#ifndef GUESTLINK_HOSTD_VIRTIOFSD_PROGRAM_H
#define GUESTLINK_HOSTD_VIRTIOFSD_PROGRAM_H

#include "protocol/limits.h"

/*
 * Finds the program.
 *
 * @param program  a name or path, or NULL: the first of the usual places
 * @return @p buffer, a static text, or NULL: it is not there or cannot be executed
 */
const char *virtiofsd_program_find(const char *program, char buffer[LIMITS_PATH]);

#endif
