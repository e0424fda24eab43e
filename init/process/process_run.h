/*
 * process_run: one run of a program: its start, its exit, and the pause before a restart.
 *
 * A run ends when the program has exited and its outputs have ended, or have been quiet long
 * enough; only then is the exit reported. A payload may be started again after a pause that
 * doubles.
 */
#ifndef GUESTLINK_INIT_PROCESS_RUN_H
#define GUESTLINK_INIT_PROCESS_RUN_H

#include "process.h"

/* Sets the callbacks of @p process; its owner must be set. */
void process_run_init(struct process *process);

/* Starts the program: the request is answered once execve(2) succeeded or failed.
 * @return 0 or a negative errno: nothing was started */
int process_run_start(struct process *process, const struct request_start_process *request);

/* The program was reaped with that status of wait(2). */
void process_run_ended(struct process *process, int status);

#endif
