/*
 * allowance: how many lines others may cause, by what kind of line.
 *
 * Each kind has its own bucket, so that none can use up another's: a program in a guest that
 * only connects, or a payload that prints without end, keeps nobody from hearing that the guest
 * ended. Kinds that cost their author nothing pass one more bucket, which all VMs share, but for
 * the few lines of a guest that says little.
 *
 * A line is one event of telemetry with its line of the log, or a line of the log alone. Pure.
 */
#ifndef GUESTLINK_HOSTD_ALLOWANCE_H
#define GUESTLINK_HOSTD_ALLOWANCE_H

#include "base/rate.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* By who or what causes the line. */
enum allowance_kind {
    ALLOWANCE_STRANGER, /* connections of no VM, or of a program that is not a guest's PID 1 */
    ALLOWANCE_REFUSAL,  /* connections that may be PID 1's, 9P: refusals, errors, timeouts */
    ALLOWANCE_LOG,      /* PID 1: GuestLog */
    ALLOWANCE_CONNECT,  /* an accepted guest comes: what it reports */
    ALLOWANCE_RESET,    /* it is reset, or does not read: what GuestDisconnected follows */
    ALLOWANCE_DISCONNECT,
    ALLOWANCE_READY,
    ALLOWANCE_FAREWELL,
    ALLOWANCE_EXHAUSTED, /* SwiotlbPoolExhausted */
    ALLOWANCE_CLOCK,     /* ClockStepped */
    ALLOWANCE_PAYLOAD,   /* ChildExit of the payload */
    ALLOWANCE_COMMAND,   /* ChildExit of an operator's command */
    ALLOWANCE_DEVICE,    /* devices and steps of a boot, and the daemon's work for them */
    ALLOWANCE_APERTURE,  /* DeviceAperture: a guest moves a device's rings */
    ALLOWANCE_STEP,      /* DeviceFailed, because the guest says so */
    ALLOWANCE_FAILURE,   /* DeviceFailed, GuestTimeout: what the daemon saw itself */
    ALLOWANCE_LINES,     /* all above are counted in lines */
    /* The payload prints: in bytes, by allowance_take_output(). */
    ALLOWANCE_OUTPUT = ALLOWANCE_LINES,
    ALLOWANCE_KINDS,
};

/* The kinds in front of this one cost their author nothing. */
#define ALLOWANCE_CHEAP ALLOWANCE_CONNECT

/* Of one VM, or of nobody's connections. */
struct allowances {
    struct rate rates[ALLOWANCE_KINDS];
    struct rate own[ALLOWANCE_CHEAP]; /* those that need none of the shared ones */
    struct rate own_output;
    uint64_t told; /* dropped lines that were told, in all */
    /* the owner's: */
    uint64_t tell_us; /* when those dropped since are told, or were last */
    bool awaited;     /* the telling is to come */
};

/* "stranger-rate", … for EventsDropped. Static. */
const char *allowance_reason(enum allowance_kind kind);

/*
 * Takes one line.
 *
 * @param shared  the bucket of all VMs
 * @param limits  guest_events_per_s and guest_events_burst are what PID 1's log may have;
 *                every other kind has a part of them
 * @return false if there is none: it is counted as dropped
 */
bool allowance_take(struct allowances *allowances, enum allowance_kind kind, struct rate *shared,
                    const struct config_limits *limits, uint64_t now_us);

/*
 * Takes one line of a payload's output.
 *
 * @param size    its bytes
 * @param shared  the bucket of bytes of all VMs
 * @return false as above
 */
bool allowance_take_output(struct allowances *allowances, size_t size, struct rate *shared,
                           const struct config_limits *limits, uint64_t now_us);

/* Lines that were dropped, in all. */
uint64_t allowance_dropped(const struct allowances *allowances);

#endif
