/*
 * network: interfaces, through libnl-route. Work of a job (base/job.h): it may
 * block.
 */
#ifndef GUESTLINK_INIT_NETWORK_H
#define GUESTLINK_INIT_NETWORK_H

#include <stdbool.h>

#include "base/report.h"
#include "kernel/modules.h"
#include "protocol/request.h"

struct network_order {
    struct request_configure_network request; /* its lists point into the frame */
    const struct modules_late *late;
    bool agent; /* a distribution runs here: its resolv.conf may be its own (resolv.h) */
};

/*
 * @param argument  a network_order
 *
 * Configures (or removes) the interface with the request's MAC; waits for it to come. Doing it
 * twice changes nothing. What cannot be set is named as the kernel names it, and does not keep the
 * rest from being set. A report without an error but with a text: resolv.conf was left as it is.
 */
void network_configure(const void *argument, struct report *report);

#endif
