/*
 * virtio port: a connection that QEMU makes for a port of its guest's, before there is a guest.
 *
 * On vsock the guest connects; here QEMU does, as soon as it runs, and again when its guest is
 * reset. Until the guest's first byte nobody has called: no deadline of a call's runs, and no time
 * is counted.
 */
#ifndef GUESTLINK_HOSTD_VIRTIO_PORT_H
#define GUESTLINK_HOSTD_VIRTIO_PORT_H

#include <stdbool.h>
#include <systemd/sd-event.h>

struct virtio_port;

/*
 * True if the client of a Unix socket is a QEMU, by the name of its program: nothing in QEMU
 * connects because its guest calls. A process that poses as one gains a connection that may be
 * silent, of which a door has one.
 */
bool virtio_port_is_qemus(int fd);

/*
 * Waits until something can be read.
 *
 * @param fd     consumed whatever happens; closed if it ends without a byte
 * @param spoke  gets the connection; the object is then only good for virtio_port_free()
 * @return 0 or -errno
 */
int virtio_port_new(sd_event *event, int fd, void (*spoke)(void *userdata, int fd), void *userdata,
                    struct virtio_port **ret_port);

/* Closes the connection if it is still waited for. @return NULL */
struct virtio_port *virtio_port_free(struct virtio_port *port);

#endif
