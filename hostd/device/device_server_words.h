/*
 * device_server words: what the relay is told of the process that it starts. Not as arguments, so
 * that a person who looks for virtiofsd by what it serves finds virtiofsd.
 */
#ifndef GUESTLINK_HOSTD_DEVICE_SERVER_WORDS_H
#define GUESTLINK_HOSTD_DEVICE_SERVER_WORDS_H

#include "device_server.h"
#include "device_server_files.h"
#include "virtiofsd_command.h"

/* @param program  "virtiofsd" or "passt", for messages. @return a descriptor to read the words
 * from, to be closed by the caller; or -errno */
int device_server_words_write(const struct device_server_files *files,
                              const struct device_server_spec *spec, const char *program,
                              const struct virtiofsd_command *command);

#endif
