/*
 * wait: until there is another reason to try: a device came, the late modules are loaded, the bus
 * was looked at again. For jobs.
 */
#ifndef GUESTLINK_INIT_WAIT_H
#define GUESTLINK_INIT_WAIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/modules.h"

#define WAIT_END __attribute__((cleanup(wait_end)))

struct wait {
    int uevents; /* or a negative errno */
    int loader;  /* a pidfd: readable once the late modules are loaded; -1: they are */
    bool rescanned;
    uint64_t half_ns; /* CLOCK_BOOTTIME: the PCI bus is looked at again */
    uint64_t end_ns;
};

/* Begins to listen: what comes from now on is not missed. The caller's, for wait_end(). */
struct wait wait_begin(const struct modules_late *late, uint32_t timeout_ms);

void wait_end(struct wait *wait);

/*
 * Waits for a device of @p subsystem to come or to be bound to a driver. Half-way through, one
 * rescan of the PCI bus, for VMMs whose hot-plug does not notify the guest.
 *
 * @return 0: try again; -ETIMEDOUT, or another negative errno
 */
int wait_next(struct wait *wait, const char *subsystem);

/* Waits until process @p loader has ended; 0: it has. */
void wait_loader(pid_t loader, uint64_t until_ns);

/*
 * Connects to @p vsock_port of CID @p cid.
 *
 * @return a blocking file descriptor or a negative errno
 */
int wait_connected(uint32_t cid, uint32_t vsock_port, uint64_t until_ns);

#endif
