/*
 * boot: the way up after the first call: late modules; the payload, or the real root and its init;
 * then READY.
 */
#ifndef GUESTLINK_INIT_BOOT_H
#define GUESTLINK_INIT_BOOT_H

#include "guest.h"

/* Begins to load the modules that the handshake does not need, in a job. */
void boot_load_modules(struct guest *guest);

/* The host said COMPLETE_BOOT, with @p id: answers it, and sends READY. */
void boot_complete(struct guest *guest, uint32_t id);

/* No host answered in time. */
void boot_without_host(struct guest *guest);

#endif
