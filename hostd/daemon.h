/*
 * daemon: everything that guestlink-hostd is made of, tied together on one event loop.
 */
#ifndef GUESTLINK_HOSTD_DAEMON_H
#define GUESTLINK_HOSTD_DAEMON_H

#include "config/config.h"

#include <systemd/sd-event.h>

struct daemon;

/*
 * Sets everything up: store, telemetry, VMs with their device hosts, listening sockets, control
 * socket, signals, watchdog. Says what fails on stderr.
 *
 * @param config  consumed, whatever happens
 * @return 0 or -errno
 */
int daemon_new(sd_event *event, struct config *config, struct daemon **ret_daemon);

/* Stops; devices and what serves them live on for the next daemon. @return NULL */
struct daemon *daemon_free(struct daemon *daemon);

#endif
