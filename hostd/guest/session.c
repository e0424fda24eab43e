/* session: what a frame of a guest's means now. */
#include "session.h"

#include "base/text.h"

#include "protocol/welcome.h"

#include <string.h>

static void refuse(struct session_decision *decision, uint32_t status, const char *reason)
{
    decision->verdict = SESSION_REFUSE;
    decision->status = status;
    decision->reason = reason;
}

static void violate(struct session_decision *decision, const char *reason)
{
    decision->verdict = SESSION_VIOLATION;
    decision->reason = reason;
}

static uint16_t lower(uint16_t a, uint16_t b)
{
    return a < b ? a : b;
}

int session_read_report(const uint8_t *payload, size_t size, struct guest_capabilities *ret_report)
{
    int r = capabilities_unpack(payload, size, ret_report);

    if (r == 0) {
        (void)text_clean(ret_report->kernel_release);
        (void)text_clean(ret_report->init_version);
    }
    return r;
}

/* The report itself: version, form, and whether it contradicts this boot's first. */
static void judge_report(const struct frame *frame, const struct guest_capabilities *boot,
                         struct session_decision *decision)
{
    struct guest_capabilities *report = &decision->capabilities;
    int r = session_read_report(frame->payload, frame->length, report);

    if (r == CAPABILITIES_E_VERSION) {
        refuse(decision, WELCOME_VERSION, "version");
        return;
    }
    if (r == CAPABILITIES_E_MALFORMED) {
        refuse(decision, WELCOME_MALFORMED, "malformed-capabilities");
        return;
    }
    if (r != 0) {
        violate(decision, "struct-size");
        return;
    }
    decision->same_boot =
        boot && memcmp(boot->boot_id, report->boot_id, sizeof(report->boot_id)) == 0;
    if (decision->same_boot && !capabilities_same_facts(boot, report)) {
        refuse(decision, WELCOME_MALFORMED, "different-report-in-same-boot");
        return;
    }
    decision->verdict = SESSION_ACCEPT;
    decision->minor = lower(report->minor, PROTOCOL_MINOR);
}

static void judge_caller(const struct frame *frame, const struct session_facts *facts,
                         struct session_decision *decision)
{
    if (!facts->known)
        refuse(decision, WELCOME_UNKNOWN_VM, "unknown-vm");
    else if (!facts->privileged)
        refuse(decision, WELCOME_UNPRIVILEGED, "unprivileged-port");
    else if (facts->too_many)
        refuse(decision, WELCOME_TOO_MANY, "too-many-connections");
    else
        judge_report(frame, facts->boot, decision);
}

static void judge_new(const struct frame *frame, const struct session_facts *facts,
                      struct session_decision *decision)
{
    if (frame->type != FRAME_CAPABILITIES || frame->flags & FRAME_FLAG_ANSWER)
        violate(decision, "capabilities-expected");
    else if (frame->id == 0)
        violate(decision, "capabilities-without-id");
    else
        judge_caller(frame, facts, decision);
}

static bool is_event(uint16_t type)
{
    switch (type) {
    case FRAME_READY:
    case FRAME_CHILD_EXITED:
    case FRAME_LOG_RECORD:
    case FRAME_PROCESS_OUTPUT:
    case FRAME_POOL_EXHAUSTED:
    case FRAME_FAREWELL:
    case FRAME_CLOCK_STEPPED:
        return true;
    default:
        return false;
    }
}

static void judge_accepted(const struct frame *frame, const struct session_facts *facts,
                           struct session_decision *decision)
{
    if (frame->flags & FRAME_FLAG_ANSWER)
        decision->verdict = SESSION_ANSWER;
    else if (is_event(frame->type))
        decision->verdict = SESSION_EVENT;
    else if (frame->id == 0)
        decision->verdict = SESSION_IGNORE;
    else if (frame->type == FRAME_PING)
        decision->verdict = SESSION_PONG;
    else if (frame->type == FRAME_CAPABILITIES)
        judge_caller(frame, facts, decision);
    else
        decision->verdict = SESSION_UNSUPPORTED;
    /* a boot ends with its connection: another one cannot speak on the same */
    if (decision->verdict == SESSION_ACCEPT && !decision->same_boot)
        refuse(decision, WELCOME_MALFORMED, "other-boot-on-same-connection");
}

void session_judge(struct session *session, const struct frame *frame,
                   const struct session_facts *facts, struct session_decision *ret_decision)
{
    struct session_decision decision = {.verdict = SESSION_IGNORE};

    if (session->state == SESSION_NEW)
        judge_new(frame, facts, &decision);
    else if (session->state == SESSION_ACCEPTED)
        judge_accepted(frame, facts, &decision);

    if (decision.verdict == SESSION_ACCEPT)
        session->state = SESSION_ACCEPTED;
    else if (decision.verdict == SESSION_REFUSE || decision.verdict == SESSION_VIOLATION)
        session->state = SESSION_REFUSED;
    *ret_decision = decision;
}
