/*
 * boot: the end of the way up: the payload, or the real root and its init; then READY.
 */
#ifndef GUESTLINK_INIT_BOOT_H
#define GUESTLINK_INIT_BOOT_H

#include "guest.h"

/* The host said COMPLETE_BOOT, with @p id: answers it, and sends READY. */
void boot_complete(struct guest *guest, uint32_t id);

/* No host answered in time. */
void boot_without_host(struct guest *guest);

#endif
