/*
 * options: guestlinkctl's command line, read once; every command says which options it takes.
 */
#ifndef GUESTLINK_CTL_OPTIONS_H
#define GUESTLINK_CTL_OPTIONS_H

#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

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
    OPTIONS_INTERACTIVE = 1 << 17,
    OPTIONS_TERMINAL = 1 << 18,
    OPTIONS_MODE = 1 << 19,
    OPTIONS_SHARE = 1 << 20,
    OPTIONS_NETWORK = 1 << 21,
    OPTIONS_MEMORY = 1 << 22,
    OPTIONS_CID = 1 << 23,
    OPTIONS_KERNEL = 1 << 24,
    OPTIONS_INITRD = 1 << 25,
    OPTIONS_VMS = 1 << 26,
    OPTIONS_DRY_RUN = 1 << 27,
};

struct options {
    const char *socket;
    bool json, help, version;
    unsigned given; /* OPTIONS_… */
    const char *config, *transport, *file, *vm, *event, *since, *svg, *directory;
    const char *memory, *kernel, *initrd, *vms;
    uint32_t grace_ms, uid, gid, cid, mode;
    /* Items point into argv, the lists are the options'. */
    struct config_strings environment, shares;
    int stop; /* of exec: as soon as this can be read, the command is given up; -1: nothing is */

    char **words; /* the command and its words, of argv */
    int word_count;
};

#define OPTIONS_NULL ((struct options){.socket = OPTIONS_DEFAULT_SOCKET, .stop = -1})

/* @return 0; or 2 after saying on stderr what is wrong */
int options_parse(int argc, char **argv, struct options *options);
void options_done(struct options *options);

/* The name of the lowest of @p bits, as "refresh". Static. */
const char *options_name(unsigned bits);

/* Writes the options of @p bits to @p to as a usage has them, " [--config FILE]"; or, with @p
 * about, a line each with what it does. */
void options_describe(FILE *to, unsigned bits, bool about);

#endif
