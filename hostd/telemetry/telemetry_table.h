/*
 * telemetry table: what there is to know of each event beforehand.
 */
#ifndef GUESTLINK_HOSTD_TELEMETRY_TABLE_H
#define GUESTLINK_HOSTD_TELEMETRY_TABLE_H

#include "telemetry.h"

struct telemetry_kind {
    const char *name;       /* of the event, in the line */
    const char *message_id; /* 32 hex digits; units/guestlink.catalog has those to act upon */
    int priority;           /* of the journal entry, LOG_… */
    const char *phrase;     /* what happened, for people */
};

/* Static. @param event  below TELEMETRY_EVENT_COUNT */
const struct telemetry_kind *telemetry_table_get(enum telemetry_event event);

#endif
