/*
 * session: what a frame of a guest's means now. Pure: no I/O, no clock, no logging.
 *
 *     state \ frame   CAPABILITIES, id > 0     answer          PING, id > 0   event   other, id > 0
 *     NEW             accept or refuse         violation       violation      viol.   violation
 *     ACCEPTED        the same again: accept,  to its request  answer 0       serve   answer ENOSYS
 *                     another: refuse
 *     REFUSED         ignore                   ignore          ignore         ignore  ignore
 *
 * What is unknown and has no id is ignored; an event with an id is acknowledged by who serves it.
 * Refusals in the order in which they are found: unknown VM, unprivileged, too many, version,
 * malformed (another report in the same boot is malformed too).
 */
#ifndef GUESTLINK_HOSTD_SESSION_H
#define GUESTLINK_HOSTD_SESSION_H

#include "protocol/capabilities.h"
#include "protocol/frame.h"

#include <stdbool.h>
#include <stdint.h>

enum session_state { SESSION_NEW, SESSION_ACCEPTED, SESSION_REFUSED };

struct session {
    enum session_state state;
};

/* What the daemon knows of who calls. */
struct session_facts {
    bool known;                            /* there is such a VM */
    bool privileged;                       /* its port is below 1024, or cannot be seen */
    bool too_many;                         /* connections */
    const struct guest_capabilities *boot; /* the report of the VM's current boot, or NULL */
};

enum session_verdict {
    SESSION_ACCEPT,      /* answer WELCOME with status 0; `capabilities` is the report */
    SESSION_REFUSE,      /* answer WELCOME with `status`, then close */
    SESSION_VIOLATION,   /* close; `reason` */
    SESSION_ANSWER,      /* the answer to a request of ours */
    SESSION_EVENT,       /* serve it */
    SESSION_PONG,        /* answer RESULT 0 */
    SESSION_UNSUPPORTED, /* answer RESULT ENOSYS */
    SESSION_IGNORE,
};

struct session_decision {
    enum session_verdict verdict;
    uint32_t status;    /* SESSION_REFUSE: enum welcome_status */
    uint16_t minor;     /* SESSION_ACCEPT: for WELCOME, the lower of both sides */
    bool same_boot;     /* SESSION_ACCEPT: the boot that facts.boot is of */
    const char *reason; /* SESSION_VIOLATION, SESSION_REFUSE: a word for telemetry; static */
    struct guest_capabilities capabilities; /* SESSION_ACCEPT */
};

/*
 * Reads a guest's report, with its texts cleaned (base/text.h).
 *
 * @return as capabilities_unpack()
 */
int session_read_report(const uint8_t *payload, size_t size, struct guest_capabilities *ret_report);

/*
 * Decides what becomes of @p frame, and moves the session's state.
 *
 * @param facts  used for CAPABILITIES alone
 */
void session_judge(struct session *session, const struct frame *frame,
                   const struct session_facts *facts, struct session_decision *ret_decision);

#endif
