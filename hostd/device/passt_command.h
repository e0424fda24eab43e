/*
 * passt command: which program serves an adapter of the backend "passt", and with what words.
 */
#ifndef GUESTLINK_HOSTD_PASST_COMMAND_H
#define GUESTLINK_HOSTD_PASST_COMMAND_H

#include "config/publish.h"
#include "protocol/limits.h"

/* Whom it becomes if the daemon is root: of this name, or, where there is none, nobody. */
#define PASST_COMMAND_USER "guestlink-passt"

/* The guard's program, two words for ports, as many name servers as it takes, "--", NULL. */
#define PASST_COMMAND_GUARD 13u

/* A port and its protocol, for the guard. */
#define PASST_COMMAND_PORT 10u

/* passt's words for a port: "2001:db8::1/8080:80". */
#define PASST_COMMAND_FORWARD (INET6_ADDRSTRLEN + 12u)

struct passt_command {
    /* NULL-terminated; it finds its connection as descriptor 3 */
    const char *argv[32 + 2 * CONFIG_PUBLISH_MAX];
    /* What keeps it from the host's own addresses, but for name servers there: words before a
     * command, NULL-terminated; none where it may reach them, or does not have its own unit. */
    const char *guard[PASST_COMMAND_GUARD];
    char guard_program[LIMITS_PATH];
    char program[LIMITS_PATH];
    char user[32], mtu[16];
    char addresses[2][64], prefix[4]; /* of IPv4, IPv6; the prefix of the former */
    char forwards[CONFIG_PUBLISH_MAX][PASST_COMMAND_FORWARD];
    char ports[CONFIG_PUBLISH_MAX * PASST_COMMAND_PORT + 1];
};

/*
 * Makes the command for an adapter. The guest reaches what the host reaches, but for the host's
 * loopback unless the adapter says so; nobody reaches the guest but by the ports that it publishes.
 *
 * @param network      outlives the command
 * @param ret_command  must not be moved
 * @return as program_find_passt(); -ENOPKG: its guard is not installed
 */
int passt_command_make(const char *program, const struct config_network *network,
                       struct passt_command *ret_command);

#endif
