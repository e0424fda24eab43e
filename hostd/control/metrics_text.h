/*
 * metrics text: the daemon's numbers in Prometheus' text format, version 0.0.4.
 */
#ifndef GUESTLINK_HOSTD_METRICS_TEXT_H
#define GUESTLINK_HOSTD_METRICS_TEXT_H

#include "fleet.h"

#include <stdio.h>

/* All of it as one text. @return malloc()ed, or NULL: no memory */
char *metrics_text_make(const struct fleet *fleet);
void metrics_text_write(const struct fleet *fleet, FILE *stream);

/* One histogram; bounds and sum in seconds. */
void metrics_text_write_latency(const char *name, const char *help, const struct latency *latency,
                                FILE *stream);

#endif
