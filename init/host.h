/*
 * host: what PID 1 says to its host by itself, from the first call on.
 */
#ifndef GUESTLINK_INIT_HOST_H
#define GUESTLINK_INIT_HOST_H

#include "guest.h"

/* Calls the host, measures the facts while the connection is being made, and sends them. The loop
 * sees to the rest, and calls again whenever the connection is lost. */
void host_call(struct guest *guest);

/* Gives a host that has not answered yet its time; the payload starts without it then. */
void host_await(struct guest *guest);

#endif
