/*
 * inet: addresses as the host writes them, without the resolver.
 */
#ifndef GUESTLINK_INIT_INET_H
#define GUESTLINK_INIT_INET_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"

struct inet {
    int family;        /* AF_INET, AF_INET6 */
    uint8_t prefix;    /* bits */
    uint8_t bytes[16]; /* 4 or 16 of them, in network order */
};

/* Reads "10.0.2.15/24" or "fd00::1/64"; without a `/`, the prefix is the whole address.
 * @return 0 or -EINVAL */
int inet_parse(struct wire_text text, struct inet *ret);

struct inet_route {
    struct inet destination;
    struct inet gateway;
};

/* Reads "10.1.0.0/16 10.0.2.9": a destination, one blank, a gateway of the same family.
 * @return 0 or -EINVAL */
int inet_parse_route(struct wire_text text, struct inet_route *ret);

/* Bytes of an address of that family: 4 or 16. */
unsigned inet_size(int family);

#endif
