/*
 * doors: every socket that guests connect to, and which VM stands behind each.
 *
 *     "listen": "vsock:…"   the peer's CID names the VM
 *     "listen": "unix:…"    the VM whose "socket" is that path; else the only VM there is; else
 *                           nobody, and every guest is refused as unknown
 *     a VM's "socket"       that VM
 *     passed by systemd     as above, by the socket's own address
 */
#ifndef GUESTLINK_HOSTD_DOORS_H
#define GUESTLINK_HOSTD_DOORS_H

#include "handshake.h"
#include "registry.h"
#include "vm/services.h"

struct doors;

/* @return NULL: no memory. All three outlive it. */
struct doors *doors_new(struct services *services, struct registry *registry,
                        struct handshakes *handshakes);
/* Closes them all. @return NULL */
struct doors *doors_free(struct doors *doors);

/*
 * Takes a listening socket that systemd passed; consumed, whatever happens.
 *
 * @return 0 or -errno (-EAFNOSUPPORT: neither AF_VSOCK nor AF_UNIX)
 */
int doors_consume_fd(struct doors *doors, int fd);

/*
 * Opens what services->config and the registry's VMs ask for and is not open, and closes what they
 * ask for no more. What cannot be opened is said in the log.
 *
 * @return 0, or -errno of the first that could not be opened (the others are open)
 */
int doors_update(struct doors *doors);

#endif
