/*
 * job: work that may block or fail hard, done in a child of PID 1.
 *
 * The child does the work and writes a report into a pipe; PID 1 enforces the deadline with SIGKILL
 * and learns the outcome when it reaps the child. Jobs run side by side.
 */
#ifndef GUESTLINK_INIT_JOB_H
#define GUESTLINK_INIT_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "limits.h"
#include "loop.h"
#include "report.h"

/* Runs in the child; may block; must not return to the loop. @param report is a success so far */
typedef void job_work(const void *argument, struct report *report);

struct job;

/* Runs in PID 1, once for every job that was started. */
typedef void job_done(struct job *job, const struct report *report);

struct job_order {
    const char *name; /* for the log; static */
    job_work *work;
    const void *argument; /* the child has its own copy of it */
    uint32_t timeout_ms;
    job_done *done;
    void *context;       /* of done() */
    uint32_t id;         /* of the request that it answers; 0: none */
    uint32_t generation; /* of the connection that the request came by */
    uint64_t digest;     /* of the request: the same request of a later connection adopts the job */
};

struct job {
    pid_t pid; /* 0: free */
    int report_fd;
    uint64_t started_ns;
    struct job_order order;
    struct loop_timer deadline;
    struct jobs *jobs;
};

struct jobs {
    struct loop *loop;
    struct job table[INIT_JOBS];
};

/* @param jobs zeroed memory */
void jobs_init(struct jobs *jobs, struct loop *loop);

/* @return the child's pid; -EAGAIN: the table is full; or the negative errno of fork(2) */
int jobs_start(struct jobs *jobs, const struct job_order *order);

/* True if another job can be started, for all that the table says. */
bool jobs_have_room(const struct jobs *jobs);

/* Gives up what still runs: nobody waits for it any more. */
void jobs_forget(struct jobs *jobs);

/* Ends the job of @p pid. @return false if that is no job's, or of one whose deadline passed */
bool jobs_reaped(struct jobs *jobs, pid_t pid, int status);

/* Finds a running job with that digest of an older generation and lets it answer the newer request.
 * @return true if there was one */
bool jobs_adopt(struct jobs *jobs, uint64_t digest, uint32_t id, uint32_t generation);

/* What a forked child of PID 1 does first: signals back to their defaults and none blocked. */
void job_reset_signals(void);

#endif
