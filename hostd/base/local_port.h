/*
 * local port: whether a port of this host's can be listened on.
 */
#ifndef GUESTLINK_HOSTD_LOCAL_PORT_H
#define GUESTLINK_HOSTD_LOCAL_PORT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Binds a socket there, for a moment; nobody can connect to it.
 *
 * @param address  IPv4 or IPv6, without brackets
 * @param any_user the one that will listen is not root: its rights count, not this process's
 * @return 0; -EADDRINUSE, -EADDRNOTAVAIL, -EACCES (a port for root alone) or another -errno
 */
int local_port_probe(const char *address, bool is_udp, uint16_t port, bool any_user);

#endif
