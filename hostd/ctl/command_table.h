/*
 * command table: the commands, what each takes, and which one the words name.
 */
#ifndef GUESTLINK_CTL_COMMAND_TABLE_H
#define GUESTLINK_CTL_COMMAND_TABLE_H

#include "options.h"

/* Finds the command that the words name, checks its words and options, and runs it.
 * @return guestlinkctl's exit status */
int command_table_run(const struct options *options);

/* Writes what --help shows to stdout: of the command that the words name, or of all commands, which
 * fits 80 columns and 24 lines. @return guestlinkctl's exit status */
int command_table_help(const struct options *options);

#endif
