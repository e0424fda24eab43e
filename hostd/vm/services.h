/*
 * services: what the daemon lends to every VM.
 */
#ifndef GUESTLINK_HOSTD_SERVICES_H
#define GUESTLINK_HOSTD_SERVICES_H

#include "allowance.h"
#include "base/counters.h"
#include "base/rate.h"
#include "config/config.h"
#include "p9_share.h"
#include "state/store.h"
#include "telemetry/telemetry.h"

#include <systemd/sd-event.h>

struct vm;

struct services {
    sd_event *event;
    const struct config *config; /* the newest */
    struct telemetry *telemetry;
    struct store *store;
    struct p9_ports ports;
    struct daemon_counters counters;
    struct daemon_latencies latencies;
    struct rate shared_lines, shared_output; /* see allowance.h */
    struct allowances nobodys;               /* for lines of no VM's connections */
    sd_event_source *nobodys_dropped_timer;
    void (*vm_vouched)(struct vm *vm); /* vm_is_vouched() has become true; NULL: nobody waits */
};

#endif
