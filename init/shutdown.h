/*
 * shutdown: the end of the machine, step by step, each with a deadline.
 *
 *     RUNNING ─▶ STOPPING ─▶ TERMINATING ─▶ KILLING ─▶ UNMOUNTING ─▶ FAREWELL ─▶ reboot(2)
 *                (payload)   (SIGTERM)      (SIGKILL)  (in a job)    (until acknowledged)
 *
 * STOPPING is for a payload that has its own stop signal or timeout, and ends with it.
 * TERMINATING and KILLING end early when no child is left. A second request does not restart any
 * clock.
 */
#ifndef GUESTLINK_INIT_SHUTDOWN_H
#define GUESTLINK_INIT_SHUTDOWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/job.h"
#include "base/loop.h"
#include "kernel/cmdline.h"
#include "link/link.h"
#include "process/process.h"

enum shutdown_phase {
    SHUTDOWN_RUNNING = 0,
    SHUTDOWN_STOPPING,
    SHUTDOWN_TERMINATING,
    SHUTDOWN_KILLING,
    SHUTDOWN_UNMOUNTING,
    SHUTDOWN_FAREWELL,
};

struct shutdown {
    bool agent; /* PID 1 is another program, which ends the machine when it is told to */
    enum shutdown_phase phase;
    uint16_t how;    /* REQUEST_POWER_OFF, … */
    uint16_t reason; /* EVENT_BY_… */
    enum cmdline_power_off power_off;
    uint32_t grace_ms;
    bool forced;     /* the payload did not end in its time, and got SIGKILL */
    uint32_t killed; /* processes that needed SIGKILL */
    uint32_t mounted;
    uint64_t sent_until_ns; /* when the farewell no longer waits for what is to be sent before it */
    uint32_t farewell_id;
    struct loop_timer timer;
    struct loop *loop;
    struct link *link;
    struct jobs *jobs;
    struct processes *processes;
};

/* Begins. @return false if it is under way already; nothing changes then */
bool shutdown_begin(struct shutdown *shutdown, uint16_t how, uint16_t reason, uint32_t grace_ms);

/* The agent was told by the real root's init to end (SIGTERM): says farewell, then exits. */
void shutdown_agent(struct shutdown *shutdown);

/* A child was reaped. */
void shutdown_reaped(struct shutdown *shutdown, int status);

/* One of the programs has ended: it may be the payload that is waited for. */
void shutdown_program_ended(struct shutdown *shutdown);

/* No child is left. */
void shutdown_alone(struct shutdown *shutdown);

/* The host acknowledged the request @p id, or (0) another one. */
void shutdown_acknowledged(struct shutdown *shutdown, uint32_t id);

/* The connection is gone: nobody is going to acknowledge. */
void shutdown_lost(struct shutdown *shutdown);

#endif
