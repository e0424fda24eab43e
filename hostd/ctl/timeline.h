/*
 * timeline: what took how long from the start of a guest's kernel until it was ready, as bars on
 * one axis: milliseconds of the guest's CLOCK_BOOTTIME. The host's steps are put on it by the
 * moment that both know, the guest's connection.
 */
#ifndef GUESTLINK_CTL_TIMELINE_H
#define GUESTLINK_CTL_TIMELINE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TIMELINE_BARS 20u

struct timeline_bar {
    const char *label; /* static */
    bool host;
    double begin_ms, end_ms;
};

struct timeline {
    struct timeline_bar bars[TIMELINE_BARS];
    size_t count;
    double end_ms;
};

/* @param timings  io.guestlink.Timings. @return false if there is nothing to draw yet */
bool timeline_make(struct json_object *timings, struct timeline *ret_timeline);

/* Prints bars that fit the terminal. */
void timeline_print(const struct timeline *timeline);

/* Writes an SVG document. @param title  in plain text, of the VM; control characters are gone */
void timeline_write_svg(const struct timeline *timeline, const char *title, FILE *stream);

#endif
