/*
 * dial: opens a way to the host, without waiting for it to answer.
 */
#ifndef GUESTLINK_INIT_DIAL_H
#define GUESTLINK_INIT_DIAL_H

#include <stdint.h>

#include "host_address.h"

/*
 * Opens a non-blocking connection: a vsock stream from a privileged port, or a virtio port.
 *
 * A vsock connection is under way when this returns: it stands once poll(2) says writable and no
 * POLLERR. The kernel gives it up after 2 s (VSOCK_DEFAULT_CONNECT_TIMEOUT).
 *
 * @param port  in and out: where to begin to look for a free local port, downwards; another one
 *              for every attempt, so that a host does not mix up an old connection with a new one
 * @return a file descriptor; -ENODEV: the device or its driver is not there (yet); another negative
 *         errno
 */
int dial_open(const struct host_address *address, uint16_t *port);

#endif
