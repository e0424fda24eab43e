/*
 * control stream: telemetry as it happens, to one client.
 */
#ifndef GUESTLINK_HOSTD_CONTROL_STREAM_H
#define GUESTLINK_HOSTD_CONTROL_STREAM_H

#include "telemetry/telemetry.h"
#include "varlink/varlink.h"

/* Answers @p call with every line, until its client goes away. */
void control_stream_telemetry(struct telemetry *telemetry, struct varlink_call *call);

#endif
