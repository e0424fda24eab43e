/*
 * control connect: the method Connect of io.guestlink: a client's connection to the control socket
 * becomes one to a service of a guest.
 */
#ifndef GUESTLINK_HOSTD_CONTROL_CONNECT_H
#define GUESTLINK_HOSTD_CONTROL_CONNECT_H

#include "fleet.h"
#include "varlink/varlink.h"

struct control_connects;

/* @return NULL: no memory */
struct control_connects *control_connects_new(struct fleet *fleet);
/* Closes those that stand; every call must have been answered, or lost its client. @return NULL */
struct control_connects *control_connects_free(struct control_connects *connects);

void control_connect_open(struct control_connects *connects, struct varlink_call *call,
                          struct json_object *params);

#endif
