/*
 * network: interfaces, through libnl-route. For jobs: everything here may block.
 */
#ifndef GUESTLINK_INIT_NETWORK_H
#define GUESTLINK_INIT_NETWORK_H

#include <sys/types.h>

#include "base/report.h"
#include "protocol/request.h"

struct network_order {
    struct request_configure_network request; /* its lists point into the frame */
    pid_t modules;                            /* as in share.h */
    const char *modules_failed;
};

/*
 * Configures (or removes) the interface with the request's MAC; waits for it to come. Doing it
 * twice changes nothing. What was wrong is named as the kernel names it.
 */
void network_configure(const struct network_order *order, struct report *report);

/* Sets the loopback interface up. @return 0 or a negative errno */
int network_loopback_up(void);

#endif
