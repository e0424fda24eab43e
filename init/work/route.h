/*
 * route: where an interface's packets go, as its request says.
 */
#ifndef GUESTLINK_INIT_ROUTE_H
#define GUESTLINK_INIT_ROUTE_H

#include "network_job.h"

/* Everything that has no other way goes to @p text, an address. @return 0, or a positive errno that
 * the job's report has with its reason */
int route_add_gateway(struct network_job *job, struct wire_text text);

/* @param text  "destination/prefix gateway". @return as route_add_gateway() */
int route_add(struct network_job *job, struct wire_text text);

#endif
