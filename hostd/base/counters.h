/*
 * counters: what the daemon counts and measures, in all VMs, since its start.
 */
#ifndef GUESTLINK_HOSTD_COUNTERS_H
#define GUESTLINK_HOSTD_COUNTERS_H

#include "latency.h"

#include <stdint.h>

struct daemon_counters {
    uint64_t connections; /* accepted by accept(2) */
    uint64_t accepted;    /* answered WELCOME status 0 */
    uint64_t refused[6];  /* by WELCOME status; [0] is not used */
    uint64_t malformed;   /* protocol errors */
    uint64_t timed_out;   /* handshakes */
    uint64_t frames_in, frames_out;
    uint64_t bytes_in, bytes_out;
    uint64_t boots;         /* boots accepted (a new boot_id) */
    uint64_t accept_paused; /* times that accept had to wait for file descriptors */
    uint64_t slow_guests;   /* closed because they did not read */
    uint64_t reloads, reloads_refused;
    uint64_t saves; /* of what is to outlive the daemon, two fsync(2) each */
    uint32_t open;  /* connections of guests, now */
};

/* How long things took. */
struct daemon_latencies {
    struct latency handshake; /* accept to WELCOME */
    struct latency device;    /* asking the device host to its answer, adds alone */
    struct latency mount;
    struct latency network;
    struct latency payload;
    struct latency ready; /* accept to READY */
};

#endif
