/*
 * libnl: its start, put off until a child needs it (layout.ld).
 */
#ifndef GUESTLINK_INIT_LIBNL_H
#define GUESTLINK_INIT_LIBNL_H

struct nl_sock;

/* Runs libnl's constructors and makes a socket; once in a process.
 * @return NULL without memory; nl_socket_free() it */
struct nl_sock *libnl_socket_alloc(void);

#endif
