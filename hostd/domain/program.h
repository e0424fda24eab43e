/*
 * program: guestlink-libvirt, started.
 */
#ifndef GUESTLINK_HOSTD_DOMAIN_PROGRAM_H
#define GUESTLINK_HOSTD_DOMAIN_PROGRAM_H

#include "base/child.h"
#include "base/sink.h"

/*
 * Starts guestlink-libvirt for a URI.
 *
 * @param ret_socket  where it is spoken to: connected, non-blocking, owned by the caller
 * @param ret_errors  what it writes to standard error
 * @return 0; -ENOENT: it is not installed; -errno
 */
int domain_program_start(sd_event *event, const char *uri, child_ended_fn ended, void *userdata,
                         struct child **ret_child, struct sink **ret_errors, int *ret_socket);

#endif
