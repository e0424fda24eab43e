/* payload: the one program that PID 1 may restart, and stops first at a shutdown. */
#ifndef GUESTLINK_INIT_PAYLOAD_H
#define GUESTLINK_INIT_PAYLOAD_H

#include "process.h"

/* Copies the payload's request with its words: it may be started again after the frame is gone. */
void payload_keep(struct processes *processes, const struct request_start_process *request);

/* True if a payload runs or is about to be started again. */
bool payload_exists(const struct processes *processes);

/* True if a payload runs now. */
bool payload_runs(const struct processes *processes);

/*
 * Sends the payload its stop signal, if one runs whose request has a stop signal or a stop timeout.
 *
 * @param grace_ms  the shutdown's timeout
 * @return the timeout in ms of this payload; 0: no such payload runs
 */
uint32_t payload_stop(struct processes *processes, uint32_t grace_ms);

/* SIGKILL to the payload and all that it started. */
void payload_kill(struct processes *processes);

#endif
