/*
 * connection: from a child of PID 1's to a service of the guest.
 */
#ifndef GUESTLINK_INIT_CONNECTION_H
#define GUESTLINK_INIT_CONNECTION_H

/*
 * Connects, for at most INIT_CONNECTION_MS. May block.
 *
 * @param address  "127.0.0.1:80", "[::1]:80" or "/run/service.sock"
 * @return a descriptor, or -errno (-EINVAL: it is no address)
 */
int connection_open(const char *address);

/*
 * Copies from standard input to the connection and from that to standard output, until both ways
 * have ended: the end of standard input closes the connection's sending half, its end closes
 * standard output. All other descriptors are closed first. Exits: 0; 1: the connection broke.
 *
 * @param fd  consumed
 */
_Noreturn void connection_copy(int fd);

#endif
