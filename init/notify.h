/*
 * notify: tells a VM manager (work/manager.h) that the guest is up, and that it goes down.
 */
#ifndef GUESTLINK_INIT_NOTIFY_H
#define GUESTLINK_INIT_NOTIFY_H

#include <sys/types.h>

#include "base/job.h"
#include "protocol/event.h"

/*
 * Sends READY=1, and the timings as X_GUESTLINK_… lines. In a job; a failure is logged.
 *
 * @param loader  the job that loads modules, which is waited for if there is no credential yet; 0:
 *                 it has ended
 */
void notify_ready(struct jobs *jobs, const struct event_ready *timings, pid_t loader);

/* Sends STOPPING=1. @param how  "power off", … */
void notify_stopping(struct jobs *jobs, const char *how);

#endif
