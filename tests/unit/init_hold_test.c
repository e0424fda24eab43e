/* hold: requests wait for the root in their order, and are answered when it is there. */
#include "descriptors.h"
#include "dispatch_support.h"
#include "init/base/clock.h"
#include "init/dispatch.h"
#include "link_support.h"
#include "protocol/request.h"
#include "protocol/result.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct hold hold;
static struct guest *const guest = &dispatch_guest;

static int set_up(void **state)
{
    (void)dispatch_set_up(state);
    memset(&hold, 0, sizeof(hold));
    guest->hold.on = true;
    guest->hold_timer.expired = dispatch_release;
    return 0;
}

static void frames_come_back_as_they_went_in(void **state)
{
    static const char *const payloads[] = {"first", "", "the third"};
    struct frame frame;

    (void)state;
    hold.on = true;
    for (uint32_t i = 0; i < 3; i++) {
        frame = (struct frame){.type = (uint16_t)(20 + i),
                               .flags = (uint16_t)i,
                               .id = 30 + i,
                               .payload = (const uint8_t *)payloads[i],
                               .length = (uint32_t)strlen(payloads[i])};
        assert_int_equal(hold_add(&hold, &frame), 0);
    }
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(hold_take(&hold, &frame));
        assert_int_equal(frame.type, 20 + i);
        assert_int_equal(frame.flags, i);
        assert_int_equal(frame.id, 30 + i);
        assert_int_equal(frame.length, strlen(payloads[i]));
        assert_memory_equal(frame.payload, payloads[i], frame.length);
    }
    assert_true(hold.on);
    assert_false(hold_take(&hold, &frame));
    assert_false(hold.on);
    assert_int_equal(hold.size, 0);
    assert_int_equal(hold.taken, 0);
}

/* What does not fit leaves what is there as it is. */
static void a_hold_has_an_end(void **state)
{
    static const uint8_t payload[10000];
    struct frame frame = {.type = 1, .payload = payload, .length = sizeof(payload)};
    unsigned added = 0, taken = 0;
    size_t size;
    int r;

    (void)state;
    do {
        size = hold.size;
        r = hold_add(&hold, &frame);
        added += r == 0;
    } while (r == 0);
    assert_int_equal(r, -ENOBUFS);
    assert_int_equal(hold.size, size);
    assert_int_equal(added, INIT_HOLD_SIZE / (FRAME_HEADER_SIZE + sizeof(payload)));
    frame.length = (uint32_t)(INIT_HOLD_SIZE - size - FRAME_HEADER_SIZE); /* just fits */
    assert_int_equal(hold_add(&hold, &frame), 0);
    while (hold_take(&hold, &frame))
        taken++;
    assert_int_equal(taken, added + 1);
    assert_int_equal(hold_add(&hold, &frame), 0);
    hold_clear(&hold);
    assert_false(hold_take(&hold, &frame));
}

/* A signal for nobody, which is answered ESRCH. */
static void send_signal(void)
{
    request_send_signal_pack(&dispatch_writer,
                             &(struct request_send_signal){.process = 5, .signal = 15});
    dispatch_send(FRAME_SEND_SIGNAL);
}

static void what_is_done_in_the_root_waits_and_nothing_else(void **state)
{
    static const uint16_t of_root[] = {
        FRAME_MOUNT,       FRAME_UNMOUNT,       FRAME_CONFIGURE_NETWORK, FRAME_START_PROCESS,
        FRAME_SEND_SIGNAL, FRAME_PROCESS_INPUT, FRAME_COMPLETE_BOOT,     FRAME_RESIZE_TERMINAL,
    };
    size_t size;

    (void)state;
    for (size_t i = 0; i < sizeof(of_root) / sizeof(of_root[0]); i++) {
        size = guest->hold.size;
        dispatch_send(of_root[i]); /* not even looked at */
        assert_true(dispatch_is_quiet());
        assert_int_equal(guest->hold.size, size + FRAME_HEADER_SIZE);
    }
    size = guest->hold.size;
    dispatch_send(FRAME_PING);
    assert_int_equal(dispatch_answer(), 0);
    request_output_taken_pack(&dispatch_writer, &(struct request_output_taken){.process = 5});
    dispatch_send(FRAME_OUTPUT_TAKEN);
    assert_int_equal(dispatch_answer(), 0);
    dispatch_send(999);
    assert_int_equal(dispatch_answer(), ENOSYS);
    assert_int_equal(guest->hold.size, size);
}

static void what_waited_is_answered_and_nothing_waits_after_that(void **state)
{
    struct result result;
    struct frame frame;

    (void)state;
    send_signal();
    send_signal();
    assert_true(dispatch_is_quiet());
    dispatch_release(&guest->hold_timer);
    for (int i = 0; i < 2; i++) {
        assert_true(link_support_take(dispatch_host, &frame));
        assert_int_equal(result_unpack(frame.payload, frame.length, &result), 0);
        assert_int_equal(frame.id, 77);
        assert_int_equal(result.error, ESRCH);
    }
    assert_true(dispatch_is_quiet());
    assert_false(guest->hold.on);
    assert_int_equal(guest->hold_timer.at_ns, 0);
    send_signal();
    assert_int_equal(dispatch_answer(), ESRCH);
}

static void more_than_can_wait_is_eagain(void **state)
{
    (void)state;
    guest->hold.size = INIT_HOLD_SIZE - 1;
    send_signal();
    assert_int_equal(dispatch_answer(), EAGAIN);
    assert_int_equal(guest->hold.size, INIT_HOLD_SIZE - 1);
}

/* Children and room for answers are looked for again a little later. */
static void without_room_it_waits_longer(void **state)
{
    uint64_t before_ns = clock_now_ns();

    (void)state;
    send_signal();
    for (size_t i = 0; i < INIT_JOBS; i++)
        guest->jobs.table[i].pid = 4242;
    dispatch_release(&guest->hold_timer);
    assert_true(dispatch_is_quiet());
    assert_true(guest->hold.on);
    assert_in_range(guest->hold_timer.at_ns, before_ns + INIT_HOLD_PAUSE_MS * CLOCK_NS_PER_MS,
                    clock_in_ms(INIT_HOLD_PAUSE_MS));

    guest->jobs.table[0].pid = 0;
    guest->link.out.size = guest->link.out.capacity - INIT_ANSWER_RESERVE + 1;
    dispatch_release(&guest->hold_timer);
    assert_true(guest->hold.on);
    assert_int_equal(guest->hold.taken, 0);

    guest->link.out.size = guest->link.out.capacity - INIT_ANSWER_RESERVE;
    dispatch_release(&guest->hold_timer);
    assert_false(guest->hold.on);
    loop_disarm(&guest->loop, &guest->hold_timer);
}

/* It came by this connection, which ends; what waits behind it is not handled any more. */
static void a_malformed_one_breaks_the_connection(void **state)
{
    (void)state;
    dispatch_send(FRAME_SEND_SIGNAL); /* without a payload */
    send_signal();
    dispatch_release(&guest->hold_timer);
    assert_true(guest->link.broken);
    assert_true(dispatch_is_quiet());
    assert_int_equal(guest->hold.taken, FRAME_HEADER_SIZE);
    loop_disarm(&guest->loop, &guest->hold_timer);
    loop_disarm(&guest->loop, &guest->link.timer);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, dispatch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(frames_come_back_as_they_went_in),
        LIVE(a_hold_has_an_end),
        LIVE(what_is_done_in_the_root_waits_and_nothing_else),
        LIVE(what_waited_is_answered_and_nothing_waits_after_that),
        LIVE(more_than_can_wait_is_eagain),
        LIVE(without_room_it_waits_longer),
        LIVE(a_malformed_one_breaks_the_connection),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
