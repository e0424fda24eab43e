/*
 * boot: the way up after the first call: late modules; the real root and its init, before all that
 * a host asks for; or the payload of the kernel's command line; then READY.
 */
#ifndef GUESTLINK_INIT_BOOT_H
#define GUESTLINK_INIT_BOOT_H

#include "guest.h"

/* Begins to load the modules that the handshake does not need, in a job. */
void boot_load_modules(struct guest *guest);

/* Begins to mount guestlink.root=, once: when the host has come, or nobody did. Then PID 1 is
 * handed over to it, or stays; what was held is let go in either case. */
void boot_mount_root(struct guest *guest);

/* The host said COMPLETE_BOOT, with @p id: answers it, and sends READY. */
void boot_complete(struct guest *guest, uint32_t id);

/* No host answered in time. */
void boot_without_host(struct guest *guest);

#endif
