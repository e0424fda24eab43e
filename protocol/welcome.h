/*
 * welcome: the host's answer to CAPABILITIES (PROTOCOL.md, "WELCOME").
 */
#ifndef GUESTLINK_PROTOCOL_WELCOME_H
#define GUESTLINK_PROTOCOL_WELCOME_H

#include "wire.h"

#define WELCOME_SIZE 14u /* bytes of the struct in 1.0 */

enum welcome_status {
    WELCOME_ACCEPTED = 0,
    WELCOME_VERSION = 1,      /* version not supported */
    WELCOME_UNKNOWN_VM = 2,   /* nobody here knows this CID or socket */
    WELCOME_MALFORMED = 3,    /* malformed capabilities, or others than before in the same boot */
    WELCOME_TOO_MANY = 4,     /* too many connections */
    WELCOME_UNPRIVILEGED = 5, /* the guest's port is not below 1024 */
};

struct welcome {
    uint16_t major;
    uint16_t minor;
    uint32_t status; /* enum welcome_status, or a newer one: anything but 0 is a refusal */
    struct wire_text name;
};

void welcome_pack(struct wire_writer *writer, const struct welcome *welcome);

/* @return 0, WIRE_E_STRUCT_SIZE or WIRE_E_TEXT; the name points into @p payload */
int welcome_unpack(const uint8_t *payload, size_t size, struct welcome *ret_welcome);

/* What a status means, in a few words, for logs. Static. */
const char *welcome_status_text(uint32_t status);

#endif
