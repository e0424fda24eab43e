/* hostd session: what a frame means, as conversations. Each is a table of frames and what becomes
 * of them, in order. */
#include "guest/session.h"

#include "protocol/welcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct guest_capabilities report = {
    .major = PROTOCOL_MAJOR,
    .minor = PROTOCOL_MINOR,
    .features = 0x33,
    .swiotlb_base = 0x14000000,
    .swiotlb_size = 67108864,
    .memory_bytes = UINT64_C(2) << 30,
    .boot_id = {1, 2, 3},
    .kernel_release = "6.18.26.3",
    .init_version = "0.1.0",
};

enum payload { NONE, REPORT, OTHER_FACTS, OTHER_BOOT, OTHER_MAJOR, SHORT, NAMELESS };

static size_t make_payload(enum payload kind, uint8_t *buffer, size_t capacity)
{
    struct wire_writer writer = {.data = buffer, .capacity = capacity};
    struct guest_capabilities c = report;

    if (kind == NONE)
        return 0;
    if (kind == OTHER_FACTS)
        c.swiotlb_size = 4096;
    if (kind == OTHER_BOOT)
        c.boot_id[0] = 9;
    capabilities_pack(&writer, &c);
    if (kind == OTHER_MAJOR)
        buffer[4] = 2;
    if (kind == SHORT)
        buffer[0] = 7;
    if (kind == NAMELESS)
        memset(buffer + 64, 'x', CAPABILITIES_RELEASE_SIZE);
    return writer.size;
}

struct line {
    uint16_t type;
    uint16_t flags;
    uint32_t id;
    enum payload payload;
    enum session_verdict verdict;
    uint32_t status;
};

static void converse(const struct session_facts *facts, const struct line *lines, size_t count)
{
    struct session session = {0};

    for (size_t i = 0; i < count; i++) {
        uint8_t payload[256];
        struct frame frame = {
            .type = lines[i].type, .flags = lines[i].flags, .id = lines[i].id, .payload = payload};
        struct session_decision decision;

        frame.length = (uint32_t)make_payload(lines[i].payload, payload, sizeof(payload));
        session_judge(&session, &frame, facts, &decision);
        assert_int_equal(decision.verdict, lines[i].verdict);
        assert_int_equal(decision.status, lines[i].status);
        if (decision.verdict == SESSION_REFUSE || decision.verdict == SESSION_VIOLATION)
            assert_non_null(decision.reason);
    }
}

#define CONVERSE(facts, ...)                                                                       \
    do {                                                                                           \
        static const struct line lines[] = {__VA_ARGS__};                                          \
                                                                                                   \
        converse(&(struct session_facts)facts, lines, sizeof(lines) / sizeof(lines[0]));           \
    } while (0)

#define FACTS(...)                                                                                 \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void a_report_is_accepted_and_the_guest_served(void **state)
{
    (void)state;
    CONVERSE(FACTS(.known = true, .privileged = true),
             {FRAME_CAPABILITIES, 0, 7, REPORT, SESSION_ACCEPT, 0},
             {FRAME_READY, 0, 0, NONE, SESSION_EVENT, 0},
             {FRAME_FAREWELL, 0, 3, NONE, SESSION_EVENT, 0},
             {FRAME_RESULT, FRAME_FLAG_ANSWER, 1, NONE, SESSION_ANSWER, 0},
             {FRAME_PING, 0, 8, NONE, SESSION_PONG, 0}, {FRAME_PING, 0, 0, NONE, SESSION_IGNORE, 0},
             {FRAME_MOUNT, 0, 9, NONE, SESSION_UNSUPPORTED, 0},
             {999, 0, 10, NONE, SESSION_UNSUPPORTED, 0}, {999, 0, 0, NONE, SESSION_IGNORE, 0});
}

static void anything_before_the_report_is_a_violation(void **state)
{
    (void)state;
    CONVERSE(FACTS(.known = true, .privileged = true),
             {FRAME_READY, 0, 1, NONE, SESSION_VIOLATION, 0},
             {FRAME_CAPABILITIES, 0, 7, REPORT, SESSION_IGNORE, 0});
    CONVERSE(FACTS(.known = true, .privileged = true),
             {FRAME_CAPABILITIES, 0, 0, REPORT, SESSION_VIOLATION, 0});
    CONVERSE(FACTS(.known = true, .privileged = true),
             {FRAME_CAPABILITIES, FRAME_FLAG_ANSWER, 7, REPORT, SESSION_VIOLATION, 0});
    CONVERSE(FACTS(.known = true, .privileged = true),
             {FRAME_PING, 0, 1, NONE, SESSION_VIOLATION, 0});
    CONVERSE(FACTS(.known = true, .privileged = true),
             {FRAME_CAPABILITIES, 0, 7, SHORT, SESSION_VIOLATION, 0});
}

static void refusals_come_in_order(void **state)
{
    (void)state;
    CONVERSE(FACTS(.too_many = true),
             {FRAME_CAPABILITIES, 0, 7, OTHER_MAJOR, SESSION_REFUSE, WELCOME_UNKNOWN_VM});
    CONVERSE(FACTS(.known = true, .too_many = true),
             {FRAME_CAPABILITIES, 0, 7, OTHER_MAJOR, SESSION_REFUSE, WELCOME_UNPRIVILEGED});
    CONVERSE(FACTS(.known = true, .privileged = true, .too_many = true),
             {FRAME_CAPABILITIES, 0, 7, OTHER_MAJOR, SESSION_REFUSE, WELCOME_TOO_MANY});
    CONVERSE(FACTS(.known = true, .privileged = true),
             {FRAME_CAPABILITIES, 0, 7, OTHER_MAJOR, SESSION_REFUSE, WELCOME_VERSION});
    CONVERSE(FACTS(.known = true, .privileged = true),
             {FRAME_CAPABILITIES, 0, 7, NAMELESS, SESSION_REFUSE, WELCOME_MALFORMED});
}

static void after_a_refusal_nothing_is_heard(void **state)
{
    (void)state;
    CONVERSE(FACTS(.privileged = true),
             {FRAME_CAPABILITIES, 0, 7, REPORT, SESSION_REFUSE, WELCOME_UNKNOWN_VM},
             {FRAME_CAPABILITIES, 0, 8, REPORT, SESSION_IGNORE, 0},
             {FRAME_READY, 0, 0, NONE, SESSION_IGNORE, 0},
             {FRAME_RESULT, FRAME_FLAG_ANSWER, 1, NONE, SESSION_IGNORE, 0});
}

static void a_boot_is_described_once(void **state)
{
    (void)state;
    CONVERSE(FACTS(.known = true, .privileged = true, .boot = &report),
             {FRAME_CAPABILITIES, 0, 7, REPORT, SESSION_ACCEPT, 0},
             {FRAME_CAPABILITIES, 0, 8, REPORT, SESSION_ACCEPT, 0},
             {FRAME_CAPABILITIES, 0, 9, OTHER_FACTS, SESSION_REFUSE, WELCOME_MALFORMED});
    CONVERSE(FACTS(.known = true, .privileged = true, .boot = &report),
             {FRAME_CAPABILITIES, 0, 7, OTHER_FACTS, SESSION_REFUSE, WELCOME_MALFORMED});
    CONVERSE(FACTS(.known = true, .privileged = true, .boot = &report),
             {FRAME_CAPABILITIES, 0, 7, OTHER_BOOT, SESSION_ACCEPT, 0});
    CONVERSE(FACTS(.known = true, .privileged = true, .boot = &report),
             {FRAME_CAPABILITIES, 0, 7, REPORT, SESSION_ACCEPT, 0},
             {FRAME_CAPABILITIES, 0, 8, OTHER_BOOT, SESSION_REFUSE, WELCOME_MALFORMED});
}

static void the_same_boot_is_told_from_another(void **state)
{
    static const enum payload payloads[] = {REPORT, OTHER_BOOT};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct session_facts facts = {.known = true, .privileged = true, .boot = &report};
        struct session_decision decision;
        struct session session = {0};
        uint8_t payload[256];
        struct frame frame = {.type = FRAME_CAPABILITIES, .id = 1, .payload = payload};

        frame.length = (uint32_t)make_payload(payloads[i], payload, sizeof(payload));
        session_judge(&session, &frame, &facts, &decision);
        assert_int_equal(decision.verdict, SESSION_ACCEPT);
        assert_int_equal(decision.same_boot, payloads[i] == REPORT);
        assert_int_equal(decision.minor, PROTOCOL_MINOR);
        assert_int_equal(decision.capabilities.swiotlb_size, report.swiotlb_size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_accepted_and_the_guest_served),
        cmocka_unit_test(anything_before_the_report_is_a_violation),
        cmocka_unit_test(refusals_come_in_order),
        cmocka_unit_test(after_a_refusal_nothing_is_heard),
        cmocka_unit_test(a_boot_is_described_once),
        cmocka_unit_test(the_same_boot_is_told_from_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
