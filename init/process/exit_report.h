/*
 * exit_report: ends of processes that the host has yet to be told of.
 *
 * Those of payloads are told again over every new connection until the host acknowledged them (the
 * newest INIT_EXIT_REPORTS are kept); those of commands once, to the connection that is there.
 */
#ifndef GUESTLINK_INIT_EXIT_REPORT_H
#define GUESTLINK_INIT_EXIT_REPORT_H

#include "base/limits.h"
#include "link/link.h"
#include "protocol/event.h"

struct exit_reports {
    struct {
        uint32_t id; /* under which it was sent over this connection; 0: not yet */
        struct event_child_exited event;
    } table[INIT_EXIT_REPORTS];
    size_t count; /* the oldest first */
};

/* Tells the host, now if it is there. */
void exit_report_add(struct exit_reports *reports, struct link *link,
                     const struct event_child_exited *event);

/* Sends what this connection has not seen; after a welcome, and when there is room. */
void exit_report_send(struct exit_reports *reports, struct link *link);

/* The connection is gone: everything is to be sent again. */
void exit_report_lost(struct exit_reports *reports);

/* The host acknowledged the request @p id. @return true if it was one of ours */
bool exit_report_acknowledge(struct exit_reports *reports, uint32_t id);

#endif
