/*
 * descriptor: what may come with a message. A descriptor that QEMU, which is nobody, hands to
 * virtiofsd, which is root in a jail, is a way out of the jail for the one and to root for the
 * other: a folder of the host, or a file that is opened again, for writing, by /proc/self/fd.
 * Therefore nothing passes but what vhost-user needs.
 */
#ifndef GUESTLINK_HOSTD_RELAY_DESCRIPTOR_H
#define GUESTLINK_HOSTD_RELAY_DESCRIPTOR_H

#include "vhost_user.h"

/* True if it is an eventfd, whatever who sent it calls it. */
bool descriptor_is_event(int fd);

/* True if each descriptor of QEMU's message is an eventfd, a pipe, or a file open for reading and
 * writing, as shared memory is: a process that has it could do to it what virtiofsd can. */
bool descriptors_may_go(const struct vhost_user_message *message);

/* True if each descriptor of virtiofsd's answer belongs to it: memory for requests in flight. */
bool descriptors_may_come_back(const struct vhost_user_message *message);

#endif
