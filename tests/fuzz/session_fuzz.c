/*
 * A guest as the daemon sees it: a sequence of frames into the session's state machine.
 *
 * The first byte of the input says what the daemon knows of the caller; the rest is a stream.
 */
#include "fuzz.h"
#include "hostd/guest/session.h"

#include "messages.h"
#include "protocol/welcome.h"

struct guest {
    struct session session;
    struct guest_capabilities boot;
    bool booted;
};

static void check(const struct session_decision *decision, enum session_state before,
                  const struct frame *frame)
{
    switch (decision->verdict) {
    case SESSION_ACCEPT:
        FUZZ_CHECK(frame->type == FRAME_CAPABILITIES && frame->id != 0);
        FUZZ_CHECK(decision->capabilities.major == PROTOCOL_MAJOR);
        FUZZ_CHECK(decision->minor <= PROTOCOL_MINOR);
        break;
    case SESSION_REFUSE:
        FUZZ_CHECK(decision->status != WELCOME_ACCEPTED && decision->reason);
        break;
    case SESSION_VIOLATION:
        FUZZ_CHECK(decision->reason);
        break;
    case SESSION_PONG:
    case SESSION_UNSUPPORTED:
        FUZZ_CHECK(frame->id != 0);
        FUZZ_CHECK(before == SESSION_ACCEPTED);
        break;
    case SESSION_ANSWER:
    case SESSION_EVENT:
        FUZZ_CHECK(before == SESSION_ACCEPTED);
        break;
    case SESSION_IGNORE:
        break;
    }
    if (before == SESSION_REFUSED)
        FUZZ_CHECK(decision->verdict == SESSION_IGNORE);
}

/* @return false when the daemon would close the connection */
static bool take(struct guest *guest, uint8_t facts_bits, const struct frame *frame)
{
    struct session_facts facts = {
        .known = !(facts_bits & 1),
        .privileged = !(facts_bits & 2),
        .too_many = facts_bits & 4,
        .boot = guest->booted ? &guest->boot : NULL,
    };
    enum session_state before = guest->session.state;
    const struct message_kind *kind = messages_find(frame->type);
    struct session_decision decision;
    union message message;

    session_judge(&guest->session, frame, &facts, &decision);
    check(&decision, before, frame);
    if (decision.verdict == SESSION_ACCEPT) {
        FUZZ_CHECK(facts.known && facts.privileged && !facts.too_many);
        FUZZ_CHECK(!decision.same_boot ||
                   capabilities_same_facts(&guest->boot, &decision.capabilities));
        guest->boot = decision.capabilities;
        guest->booted = true;
    }
    if (decision.verdict == SESSION_EVENT && kind)
        (void)kind->unpack(frame->payload, frame->length, &message);
    return decision.verdict != SESSION_VIOLATION && decision.verdict != SESSION_REFUSE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guest guest = {0};
    size_t taken = 1;

    if (size == 0)
        return 0;
    while (taken < size) {
        struct frame frame;
        size_t needed;

        if (frame_decode(data + taken, size - taken, &frame, &needed) != 0)
            break;
        taken += needed;
        /* A connection that was closed is followed by the next one, of the same boot or not. */
        if (!take(&guest, data[0], &frame))
            guest.session = (struct session){.state = SESSION_NEW};
    }
    return 0;
}
