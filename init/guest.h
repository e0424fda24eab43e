/*
 * guest: everything that PID 1 knows and has, in one place.
 */
#ifndef GUESTLINK_INIT_GUEST_H
#define GUESTLINK_INIT_GUEST_H

#include <stdbool.h>

#include "base/job.h"
#include "base/loop.h"
#include "hold.h"
#include "kernel/cmdline.h"
#include "kernel/modules.h"
#include "kernel/pool_pressure.h"
#include "link/link.h"
#include "process/exit_report.h"
#include "process/process.h"
#include "protocol/capabilities.h"
#include "protocol/event.h"
#include "shutdown.h"

struct guest {
    /* What the way to the first frame touches, in one page: a page costs the kernel 6,000
     * instructions when it is touched for the first time. The list's text and the frames' bytes
     * lie outwards. */
    struct module_list modules;
    struct loop loop;
    struct cmdline cmdline;
    char *const *words; /* the payload that stands after `--`, if any */
    size_t word_count;
    struct guest_capabilities facts; /* as first measured: what this boot reports */
    struct event_ready timings;
    struct link link;
    /* Everything else. */
    struct modules_late late;
    struct {
        bool started, mounted; /* guestlink.root= */
        bool alone;            /* no host came: READY is said without its word */
        struct report report;  /* what became of it, for the host */
    } root;
    struct hold hold;
    struct loop_timer hold_timer; /* what was held is let go (dispatch_release()) */
    struct loop_source signals;
    struct loop_timer reap_timer; /* there is more to reap */
    struct loop_timer patience;   /* the payload starts without a host then */
    struct exit_reports exits;
    struct shutdown shutdown;
    struct pool_pressure pressure;
    struct jobs jobs;
    struct processes processes;
};

#endif
