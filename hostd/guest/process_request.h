/*
 * process request: START_PROCESS, for the payload and for commands alike.
 */
#ifndef GUESTLINK_HOSTD_PROCESS_REQUEST_H
#define GUESTLINK_HOSTD_PROCESS_REQUEST_H

#include "config/config.h"
#include "guest.h"

#include "protocol/request.h"

struct process_request {
    struct request_start_process head; /* without its lists */
    const struct config_strings *argv;
    const struct config_strings *environment;
    const struct config_strings *limits; /* NULL: none */
};

/* Sends START_PROCESS. @return as guest_ask(); -E2BIG: the words do not fit into a frame */
int process_request_send(struct guest *guest, const struct process_request *request,
                         uint32_t timeout_ms, guest_done_fn done, void *userdata);

#endif
