/*
 * report: how a piece of work ended: an errno and the sentence that a person reads about it.
 */
#ifndef GUESTLINK_INIT_REPORT_H
#define GUESTLINK_INIT_REPORT_H

#include "limits.h"

struct report {
    int error; /* 0, or a positive errno */
    char text[INIT_TEXT_SIZE];
};

/* Sets a failure. @return the error, so that it can be the last word of a function */
__attribute__((format(printf, 3, 4))) int report_fail(struct report *report, int error,
                                                      const char *format, ...);

/* Adds to what stands there, which may be nothing. The error is the first one's; 0: a remark.
 * @return @p error */
__attribute__((format(printf, 3, 4))) int report_add(struct report *report, int error,
                                                     const char *format, ...);

#endif
