/*
 * options: guestlinkctl's command line, read once; every command says which options it takes.
 */
#ifndef GUESTLINK_CTL_OPTIONS_H
#define GUESTLINK_CTL_OPTIONS_H

#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_DEFAULT_SOCKET "/run/guestlink/control.sock"

enum {
    OPTIONS_REFRESH = 1 << 0,
    OPTIONS_CONFIG = 1 << 1,
    OPTIONS_READ_ONLY = 1 << 2,
    OPTIONS_TRANSPORT = 1 << 3,
    OPTIONS_REBOOT = 1 << 4,
    OPTIONS_GRACE = 1 << 5,
    OPTIONS_FILE = 1 << 6,
    OPTIONS_VM = 1 << 7,
    OPTIONS_EVENT = 1 << 8,
    OPTIONS_SINCE = 1 << 9,
    OPTIONS_FOLLOW = 1 << 10,
    OPTIONS_SVG = 1 << 11,
    OPTIONS_ENVIRONMENT = 1 << 12,
    OPTIONS_DIRECTORY = 1 << 13,
    OPTIONS_UID = 1 << 14,
    OPTIONS_GID = 1 << 15,
    OPTIONS_NO_INPUT = 1 << 16,
    OPTIONS_MODE = 1 << 17,
};

struct options {
    const char *socket;
    bool json, help, version;
    unsigned given; /* OPTIONS_… */
    const char *config, *transport, *file, *vm, *event, *since, *svg, *directory;
    uint32_t grace_ms, uid, gid, mode;
    struct config_strings environment; /* items point into argv, the list is the options' */
    int stop; /* of exec: as soon as this can be read, the command is given up; -1: nothing is */

    char **words; /* the command and its words, of argv */
    int word_count;
};

#define OPTIONS_NULL ((struct options){.socket = OPTIONS_DEFAULT_SOCKET, .stop = -1})

/* @return 0; or 2 after saying on stderr what is wrong */
int options_parse(int argc, char **argv, struct options *options);
void options_done(struct options *options);

/* The name of the lowest of @p bits, as "--refresh". Static. */
const char *options_name(unsigned bits);

#endif
