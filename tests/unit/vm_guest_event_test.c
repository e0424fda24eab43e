/* hostd guest event: what each thing that a guest says changes, that it is written down soon, and
 * is answered; and when it is written down. */
#include "base/limits.h"
#include "telemetry/telemetry.h"
#include "vm/guest_event.h"
#include "vm/saver.h"
#include "vm/vm_parts.h"
#include "vm_support.h"

#include "protocol/event.h"
#include "protocol/request.h"
#include "protocol/result.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int set_up_connected(void **state)
{
    struct fixture *f;
    int r = set_up(state);

    if (r < 0)
        return r;
    f = *state;
    connect_guest(f, 67108864);
    saver_flush(&f->vm->saver);
    return 0;
}

static bool is_pending(const struct fixture *f)
{
    const struct saver *saver = &f->vm->saver;

    return saver->timer && sd_event_source_get_enabled(saver->timer, NULL) > 0;
}

/* The guest says it with id 7. @return how many answers without error came */
static unsigned tell(struct fixture *f, uint16_t type, const struct wire_writer *payload)
{
    uint8_t bytes[1024];
    struct frame frame;
    struct result result;
    size_t size;
    ssize_t n;

    say(f, type, 0, 7, payload->data, payload->size);
    run(f);
    n = recv(f->guest, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n <= 0)
        return 0;
    assert_int_equal(frame_decode(bytes, (size_t)n, &frame, &size), 0);
    assert_int_equal(size, n);
    assert_int_equal(frame.type, FRAME_RESULT);
    assert_int_equal(frame.id, 7);
    assert_true(frame.flags & FRAME_FLAG_ANSWER);
    assert_int_equal(result_unpack(frame.payload, frame.length, &result), 0);
    return result.error == 0;
}

#define PAYLOAD(name)                                                                              \
    uint8_t bytes[256];                                                                            \
    struct wire_writer name = {.data = bytes, .capacity = sizeof(bytes)}

static void ready_is_kept_once_and_told_each_time(void **state)
{
    struct fixture *f = *state;
    uint64_t before = telemetry_count(f->services.telemetry, TELEMETRY_GUEST_READY);
    PAYLOAD(payload);

    event_ready_pack(&payload, &(struct event_ready){.ready_ns = 5});
    assert_int_equal(tell(f, FRAME_READY, &payload), 1);
    assert_true(f->vm->boot.ready);
    assert_int_equal(f->vm->boot.timings.guest.ready_ns, 5);
    assert_true(is_pending(f));
    saver_flush(&f->vm->saver);
    payload.size = 0;
    event_ready_pack(&payload, &(struct event_ready){.ready_ns = 6});
    assert_int_equal(tell(f, FRAME_READY, &payload), 1);
    assert_int_equal(f->vm->boot.timings.guest.ready_ns, 5);
    assert_false(is_pending(f));
    assert_int_equal(telemetry_count(f->services.telemetry, TELEMETRY_GUEST_READY), before + 2);
}

static void a_farewell_is_kept(void **state)
{
    struct fixture *f = *state;
    PAYLOAD(payload);

    event_farewell_pack(&payload, &(struct event_farewell){.how = REQUEST_POWER_OFF});
    assert_false(f->vm->boot.farewell);
    assert_int_equal(tell(f, FRAME_FAREWELL, &payload), 1);
    assert_true(f->vm->boot.farewell);
    assert_true(is_pending(f));
    assert_int_equal(telemetry_count(f->services.telemetry, TELEMETRY_GUEST_FAREWELL), 1);
}

static void the_payloads_end_is_kept_and_a_commands_is_not(void **state)
{
    struct fixture *f = *state;
    struct event_child_exited exited = {
        .process = 99, .role = REQUEST_ROLE_COMMAND, .status = 3, .again_ms = EVENT_NOT_AGAIN};
    PAYLOAD(payload);

    event_child_exited_pack(&payload, &exited);
    assert_int_equal(tell(f, FRAME_CHILD_EXITED, &payload), 1);
    assert_int_equal(f->vm->payload.state, VM_PAYLOAD_RUNNING);
    assert_false(is_pending(f));
    payload.size = 0;
    exited.role = REQUEST_ROLE_PAYLOAD;
    event_child_exited_pack(&payload, &exited);
    assert_int_equal(tell(f, FRAME_CHILD_EXITED, &payload), 1);
    assert_int_equal(f->vm->payload.state, VM_PAYLOAD_EXITED);
    assert_int_equal(f->vm->payload.status, 3);
    assert_true(is_pending(f));
    assert_int_equal(telemetry_count(f->services.telemetry, TELEMETRY_CHILD_EXIT), 2);
}

/* A bout ends when nothing was heard for a while. */
static void a_bout_of_failures_is_one_event(void **state)
{
    struct fixture *f = *state;
    PAYLOAD(payload);

    event_pool_exhausted_pack(&payload, &(struct event_pool_exhausted){.count = 8});
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(tell(f, FRAME_POOL_EXHAUSTED, &payload), 1);
    assert_int_equal(telemetry_count(f->services.telemetry, TELEMETRY_SWIOTLB_POOL_EXHAUSTED), 1);
    assert_int_equal(f->vm->exhausted, 8);
    f->vm->exhausted_us -= (LIMITS_EXHAUSTED_QUIET_MS + 1) * UINT64_C(1000);
    assert_int_equal(tell(f, FRAME_POOL_EXHAUSTED, &payload), 1);
    assert_int_equal(telemetry_count(f->services.telemetry, TELEMETRY_SWIOTLB_POOL_EXHAUSTED), 2);
}

static void a_malformed_event_ends_the_connection(void **state)
{
    static const uint16_t types[] = {FRAME_READY,          FRAME_CHILD_EXITED,   FRAME_LOG_RECORD,
                                     FRAME_PROCESS_OUTPUT, FRAME_POOL_EXHAUSTED, FRAME_FAREWELL};
    struct fixture *f = *state;
    uint8_t byte = 0;
    const struct wire_writer payload = {.data = &byte, .size = 1};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_int_equal(
            guest_event_take(f->vm,
                             &(struct frame){.type = types[i], .payload = &byte, .length = 1}),
            GUEST_EVENT_E_MALFORMED);
        connect_guest(f, 67108864);
        assert_int_equal(tell(f, types[i], &payload), 0);
        assert_null(f->vm->connection);
    }
    assert_false(f->vm->boot.farewell);
}

static unsigned saves;

static void on_save(void *userdata)
{
    assert_ptr_equal(userdata, &saves);
    saves++;
}

static void it_is_written_at_the_end_of_the_turn_or_later(void **state)
{
    struct fixture *f = *state;
    struct saver saver = {.event = f->services.event, .save = on_save, .userdata = &saves};

    saves = 0;
    saver_flush(&saver); /* nothing is to be written */
    assert_int_equal(saves, 0);
    saver_now(&saver);
    saver_now(&saver);
    saver_soon(&saver);
    assert_int_equal(saves, 0);
    run(f);
    assert_int_equal(saves, 1);
    saver_soon(&saver);
    run(f);
    assert_int_equal(saves, 1);
    saver_flush(&saver);
    saver_flush(&saver);
    assert_int_equal(saves, 2);
    saver_soon(&saver);
    saver_now(&saver); /* what waits does not hold it up */
    run(f);
    assert_int_equal(saves, 3);
    for (unsigned i = 0; i < 2 * LIMITS_SAVES_BURST; i++) {
        saver_now(&saver);
        run(f);
    }
    assert_in_range(saves, LIMITS_SAVES_BURST, 2 * LIMITS_SAVES_BURST);
    assert_true(sd_event_source_get_enabled(saver.timer, NULL) > 0); /* the rest waits */
    saver_done(&saver);
    assert_null(saver.timer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_connected, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ready_is_kept_once_and_told_each_time),
        TEST(a_farewell_is_kept),
        TEST(the_payloads_end_is_kept_and_a_commands_is_not),
        TEST(a_bout_of_failures_is_one_event),
        TEST(a_malformed_event_ends_the_connection),
        TEST(it_is_written_at_the_end_of_the_turn_or_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
