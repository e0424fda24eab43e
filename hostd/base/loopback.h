/*
 * loopback: where a service that is for one machine alone listens: a port of its loopback, or a
 * Unix socket.
 */
#ifndef GUESTLINK_HOSTD_LOOPBACK_H
#define GUESTLINK_HOSTD_LOOPBACK_H

#include <sys/socket.h>
#include <sys/un.h>

/* A path is the longest; with the NUL. */
#define LOOPBACK_TEXT sizeof(((struct sockaddr_un *)0)->sun_path)

#define LOOPBACK_EXPECTED                                                                          \
    "a port, an address of the loopback with a port (127.0.0.1:80, [::1]:80), or the absolute "    \
    "path "                                                                                        \
    "of a Unix socket"

/*
 * Reads "80", "127.0.0.1:80", "[::1]:80" or "/run/service.sock". Port 0 is one, too.
 *
 * @return the address's size, or 0: it is none of these
 */
socklen_t loopback_parse(const char *text, struct sockaddr_storage *ret_address);

/* As loopback_parse() reads it, a port with its address. */
void loopback_format(const struct sockaddr_storage *address, char text[LOOPBACK_TEXT]);

#endif
