/*
 * metrics text: the daemon's numbers in Prometheus' text format, version 0.0.4.
 */
#ifndef GUESTLINK_HOSTD_METRICS_TEXT_H
#define GUESTLINK_HOSTD_METRICS_TEXT_H

#include "fleet.h"

/* All of it as one text. @return malloc()ed, or NULL: no memory */
char *metrics_text_make(const struct fleet *fleet);

#endif
