/* hostd guest clock: when a guest is told the time, and when not. */
#include "base/limits.h"
#include "config/settings.h"
#include "telemetry/telemetry.h"
#include "vm/guest_clock.h"
#include "vm/vm_parts.h"
#include "vm_support.h"

#include "protocol/request.h"
#include "protocol/result.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

/* As if the newest had been sent so long ago. */
static void age(struct fixture *f, uint64_t ms)
{
    f->vm->clock.sent_us -= ms * UINT64_C(1000);
    f->vm->clock.woken_us -= ms * UINT64_C(1000);
}

static void be_away(struct fixture *f)
{
    f->vm->last_seen_us -= LIMITS_CLOCK_AWAY_MS * UINT64_C(1000);
}

/* Reads one SET_TIME, which must be there and tell this moment. @return its id */
static uint32_t take_time(struct fixture *f)
{
    uint8_t bytes[256];
    struct request_set_time request;
    struct timespec now;
    struct frame frame;
    size_t size;
    ssize_t n;

    run(f);
    n = recv(f->guest, bytes, sizeof(bytes), MSG_DONTWAIT);
    assert_true(n > 0);
    assert_int_equal(frame_decode(bytes, (size_t)n, &frame, &size), 0);
    assert_int_equal(frame.type, FRAME_SET_TIME);
    assert_int_equal(request_set_time_unpack(frame.payload, frame.length, &request), 0);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    assert_in_range(request.realtime_ns / 1000000000u, now.tv_sec - 60, now.tv_sec);
    return frame.id;
}

static bool is_silent(struct fixture *f)
{
    uint8_t byte;

    run(f);
    return recv(f->guest, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

static void answer(struct fixture *f, uint32_t id, int error)
{
    uint8_t payload[32];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    result_pack(&writer, &(struct result){.error = error});
    say(f, FRAME_RESULT, FRAME_FLAG_ANSWER, id, payload, writer.size);
    run(f);
}

static void it_is_told_at_each_connection_with_randomness(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 0);
    assert_int_equal(f->asked[FRAME_SET_TIME], 0); /* after a second */
    assert_int_equal(f->asked[FRAME_ADD_ENTROPY], 1);
    age(f, LIMITS_CLOCK_AGAIN_MS);
    guest_clock_tick(f->vm);
    settle(f);
    assert_int_equal(f->asked[FRAME_SET_TIME], 1);
    guest_clock_tick(f->vm);
    settle(f);
    assert_int_equal(f->asked[FRAME_SET_TIME], 1);
    age(f, LIMITS_CLOCK_MS);
    guest_clock_tick(f->vm);
    settle(f);
    assert_int_equal(f->asked[FRAME_SET_TIME], 2);
    connect_guest(f, 0); /* the same boot, at once; counts anew */
    assert_int_equal(f->asked[FRAME_SET_TIME], 0);
    assert_int_equal(f->asked[FRAME_ADD_ENTROPY], 0);
    be_away(f);
    connect_guest(f, 0);
    assert_int_equal(f->asked[FRAME_SET_TIME], 1);
    assert_int_equal(f->asked[FRAME_ADD_ENTROPY], 1);
}

static void a_late_answer_is_followed_by_another(void **state)
{
    struct fixture *f = *state;
    uint32_t id;

    connect_guest(f, 0);
    age(f, LIMITS_CLOCK_MS);
    guest_clock_check(f->vm);
    id = take_time(f);
    age(f, LIMITS_CLOCK_LATE_MS + 1); /* it slept */
    answer(f, id, 0);
    id = take_time(f);
    answer(f, id, 0);
    assert_true(is_silent(f));
}

static void one_is_outstanding_at_a_time(void **state)
{
    struct fixture *f = *state;
    uint32_t id;

    connect_guest(f, 0);
    age(f, LIMITS_CLOCK_MS);
    guest_clock_check(f->vm);
    id = take_time(f);
    for (int i = 0; i < 100; i++)
        guest_clock_check(f->vm);
    assert_true(is_silent(f));
    age(f, LIMITS_CLOCK_AGAIN_MS); /* not late by more than that */
    answer(f, id, 0);
    (void)take_time(f);
}

static void who_asks_often_waits(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 0);
    for (int i = 0; i < 100; i++)
        guest_clock_resumed(f->vm);
    settle(f);
    assert_int_equal(f->asked[FRAME_SET_TIME], 0);
    assert_int_equal(f->asked[FRAME_ADD_ENTROPY], 1);
    age(f, LIMITS_CLOCK_AGAIN_MS);
    guest_clock_resumed(f->vm);
    settle(f);
    assert_int_equal(f->asked[FRAME_SET_TIME], 1);
    assert_int_equal(f->asked[FRAME_ADD_ENTROPY], 2);
}

static void an_old_guest_is_not_asked_again(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 0);
    age(f, LIMITS_CLOCK_MS);
    guest_clock_check(f->vm);
    answer(f, take_time(f), ENOSYS);
    age(f, LIMITS_CLOCK_MS);
    guest_clock_check(f->vm);
    assert_true(is_silent(f));
    be_away(f);
    connect_guest(f, 0); /* it may be another one */
    assert_int_equal(f->asked[FRAME_SET_TIME], 1);
}

static void a_guest_whose_clock_is_its_own_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct settings *settings = configure(f, "\"clock\": \"none\"");

    vm_change(f->vm, settings, &settings->config->vms[0]);
    (void)settings_unref(settings);
    connect_guest(f, 0);
    age(f, LIMITS_CLOCK_AGAIN_MS);
    for (int i = 0; i < 100; i++) /* which its QEMU may do that often */
        guest_clock_resumed(f->vm);
    settle(f);
    assert_int_equal(f->asked[FRAME_SET_TIME], 0);
    assert_int_equal(f->asked[FRAME_ADD_ENTROPY], 2);
}

static void a_step_is_told(void **state)
{
    struct fixture *f = *state;
    uint8_t payload[32];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    connect_guest(f, 0);
    event_clock_stepped_pack(&writer, &(struct event_clock_stepped){.before_ns = 5, .after_ns = 9});
    say(f, FRAME_CLOCK_STEPPED, 0, 0, payload, writer.size);
    run(f);
    assert_int_equal(telemetry_count(f->services.telemetry, TELEMETRY_CLOCK_STEPPED), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_told_at_each_connection_with_randomness, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_late_answer_is_followed_by_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_is_outstanding_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_asks_often_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_old_guest_is_not_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_guest_whose_clock_is_its_own_is_left_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_step_is_told, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
