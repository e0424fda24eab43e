/*
 * virtiofsd command: which programs serve a virtiofs share, and with what words.
 */
#ifndef GUESTLINK_HOSTD_VIRTIOFSD_COMMAND_H
#define GUESTLINK_HOSTD_VIRTIOFSD_COMMAND_H

#include "config/serving.h"
#include "protocol/limits.h"

#include <stdbool.h>

/* "--translate-uid=map:" and three numbers of at most 10 digits */
#define VIRTIOFSD_COMMAND_MAP_SIZE 56u

struct virtiofsd_command {
    const char *argv[16 + 2 * CONFIG_ID_RANGES]; /* NULL-terminated; it finds its listening socket
                                                    as descriptor 3 */
    /* Where the directory is in the jail that the program needs (base/jail.h), or "": none. */
    char place[LIMITS_PATH];
    bool keeps_read_only; /* it does so itself, too, and need not be root for that */
    bool handles;         /* it opens files by their handles: CAP_DAC_READ_SEARCH */
    char program[LIMITS_PATH];
    char source[LIMITS_PATH * 2];
    char maps[2 * CONFIG_ID_RANGES][VIRTIOFSD_COMMAND_MAP_SIZE];
};

/* What is served, and how. */
struct virtiofsd_share {
    const char *path; /* absolute; outlives the command */
    bool read_only;
    const struct config_serving *serving;
};

/*
 * Finds guestlink-virtiofs-relay.
 *
 * @return @p buffer, or NULL: it is not there, and virtiofsd is started without; then a guest may
 * hang when virtiofsd dies
 */
const char *virtiofsd_command_find_relay(char buffer[LIMITS_PATH]);

/*
 * Makes the command that serves a directory: with the capabilities that the ownership of files
 * needs (and file handles, where they are asked for) and no others, if the program has options for
 * that. What config_serving_obstacle() told about is left out.
 *
 * @param program      as in program_find_virtiofsd()
 * @param jail         there is who makes one: virtiofsd gets it instead of its own sandbox, before
 *                     which it is root among all of the host's processes, and in which QEMU's has
 *                     a procfs where root may write into /proc/sys
 * @param ret_command  must not be moved
 * @return 0; -ENOENT: there is no program; -ENAMETOOLONG
 */
int virtiofsd_command_make(const char *program, const struct virtiofsd_share *share, bool jail,
                           struct virtiofsd_command *ret_command);

#endif
