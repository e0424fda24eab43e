/*
 * daemon: everything that guestlink-hostd is made of, tied together on one event loop.
 *
 * Beside this file, a control socket is expected to offer (control.h):
 *     int control_new(sd_event *event, struct daemon *daemon, const char *path, const char *group,
 *                     int listen_fd, struct control **ret_control);
 *     struct control *control_free(struct control *control);
 * with listen_fd a listening socket that systemd passed (consumed), or -1: make one at path.
 */
#ifndef GUESTLINK_HOSTD_DAEMON_H
#define GUESTLINK_HOSTD_DAEMON_H

#include "base/counters.h"
#include "config/config.h"
#include "vm/vm.h"

#include <stdint.h>
#include <systemd/sd-event.h>

struct daemon;
struct telemetry;

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

sd_event *daemon_event(const struct daemon *daemon);
const struct config *daemon_config(const struct daemon *daemon);
struct telemetry *daemon_telemetry(const struct daemon *daemon);

/* @param name  a VM's name, or its UUID. @return NULL if there is no such VM */
struct vm *daemon_find_vm(const struct daemon *daemon, const char *name);
/* The VMs in the order of the configuration file. @param index below daemon_vm_count() */
size_t daemon_vm_count(const struct daemon *daemon);
struct vm *daemon_get_vm(const struct daemon *daemon, size_t index);

/*
 * Reads the configuration file again and brings everything in line with it. A bad file changes
 * nothing.
 *
 * @param on_remark  told of each warning and error, besides the log; may be NULL
 * @return 0; 1: the file is wrong; or -errno
 */
int daemon_reload(struct daemon *daemon, config_remark_fn on_remark, void *userdata);

const struct daemon_counters *daemon_get_counters(const struct daemon *daemon);
const struct daemon_latencies *daemon_get_latencies(const struct daemon *daemon);

#endif
