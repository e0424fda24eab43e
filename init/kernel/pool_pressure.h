/*
 * pool_pressure: tells the host when a bounce pool runs dry, which otherwise shows only as dropped
 * packets and I/O errors.
 */
#ifndef GUESTLINK_INIT_POOL_PRESSURE_H
#define GUESTLINK_INIT_POOL_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "link/link.h"
#include "protocol/event.h"

struct pool_pressure {
    struct loop *loop;
    struct link *link;
    struct loop_source source; /* /dev/kmsg */
    struct loop_timer timer;   /* until the next event may be sent */
    bool unsent;
    struct event_pool_exhausted event; /* counts since boot */
};

/* Follows the kernel's log from here on. @return 0 or a negative errno */
int pool_pressure_start(struct pool_pressure *pressure, struct loop *loop, struct link *link);

#endif
