/*
 * event filter: which telemetry lines are wanted.
 */
#ifndef GUESTLINK_CTL_EVENT_FILTER_H
#define GUESTLINK_CTL_EVENT_FILTER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct event_filter {
    const char *vm;    /* name or UUID; NULL: any */
    const char *event; /* NULL: any */
    uint64_t since_us; /* 0: any time */
};

/* @param event  one line, parsed */
bool event_filter_matches(const struct event_filter *filter, struct json_object *event);

#endif
