/*
 * greeting: the answer to CAPABILITIES, whoever gives it.
 */
#ifndef GUESTLINK_HOSTD_GREETING_H
#define GUESTLINK_HOSTD_GREETING_H

#include "connection.h"

#include <stdint.h>

/*
 * Sends WELCOME with our major version.
 *
 * @param id      of CAPABILITIES
 * @param status  WELCOME_…
 * @param name    the VM's; NULL: not for this peer to know
 */
void greeting_send(struct connection *connection, uint32_t id, uint16_t minor, uint32_t status,
                   const char *name);

#endif
