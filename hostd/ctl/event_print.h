/*
 * event print: telemetry lines as a table that reads well at 80 columns.
 */
#ifndef GUESTLINK_CTL_EVENT_PRINT_H
#define GUESTLINK_CTL_EVENT_PRINT_H

#include <json-c/json.h>

/* What is known from the lines before: the day is printed when it changes. */
struct event_print {
    char day[11];
};

#define EVENT_PRINT_NULL ((struct event_print){0})

/* Prints one event, wrapped under its first column of details. */
void event_print(struct event_print *print, struct json_object *event);

#endif
