/* Silence, without a VM: who is asked, when, and when it is over. */
#include "descriptors.h"
#include "vm/silence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TIMEOUT_MS 60000u

struct fixture {
    sd_event *event;
    struct silence silence;
    uint32_t timeout_ms;
    bool held_back;
    unsigned asked, over;
};

static uint32_t timeout_ms(void *userdata)
{
    return ((struct fixture *)userdata)->timeout_ms;
}

static bool is_held_back(void *userdata)
{
    return ((struct fixture *)userdata)->held_back;
}

static void ask(void *userdata)
{
    ((struct fixture *)userdata)->asked++;
}

static void over(void *userdata)
{
    ((struct fixture *)userdata)->over++;
}

static const struct silence_events events = {
    .timeout_ms = timeout_ms, .is_held_back = is_held_back, .ask = ask, .over = over};

static int set_up(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof(fixture));
    fixture.timeout_ms = TIMEOUT_MS;
    assert_true(sd_event_new(&fixture.event) >= 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    silence_done(&f->silence);
    sd_event_unref(f->event);
    return 0;
}

static void begin(struct fixture *f)
{
    silence_begin(&f->silence, f->event, &events, f);
}

/* The timer goes off, a third of the time later by its own account.
 * @return false: it was not waiting */
static bool pass_a_third(struct fixture *f)
{
    int enabled;

    assert_true(sd_event_source_get_enabled(f->silence.timer, &enabled) >= 0);
    if (enabled == SD_EVENT_OFF)
        return false;
    assert_true(sd_event_source_set_time(f->silence.timer, 0) >= 0);
    assert_true(sd_event_run(f->event, 0) > 0);
    return true;
}

static void the_guest_is_asked_at_two_thirds_and_gone_at_the_end(void **state)
{
    struct fixture *f = *state;

    begin(f);
    for (unsigned i = 0; i < 2; i++)
        assert_true(pass_a_third(f));
    assert_int_equal(f->asked, 0);
    assert_true(pass_a_third(f));
    assert_int_equal(f->asked, 1);
    assert_int_equal(f->over, 0);
    assert_true(pass_a_third(f));
    assert_int_equal(f->asked, 1);
    assert_int_equal(f->over, 1);
    assert_false(pass_a_third(f));
}

static void a_frame_begins_it_anew(void **state)
{
    struct fixture *f = *state;

    begin(f);
    for (unsigned i = 0; i < 12; i++) {
        assert_true(pass_a_third(f));
        if (i % 2)
            silence_break(&f->silence);
    }
    assert_int_equal(f->asked, 0);
    assert_int_equal(f->over, 0);
}

static void who_is_held_back_is_not_silent(void **state)
{
    struct fixture *f = *state;

    begin(f);
    f->held_back = true;
    for (unsigned i = 0; i < 9; i++)
        assert_true(pass_a_third(f));
    assert_int_equal(f->over, 0);
    f->held_back = false;
    for (unsigned i = 0; i < 4; i++)
        assert_true(pass_a_third(f));
    assert_int_equal(f->over, 1);
}

static void without_a_connection_it_rests_until_the_next_one(void **state)
{
    struct fixture *f = *state;

    begin(f);
    f->timeout_ms = 0;
    assert_true(pass_a_third(f));
    assert_false(pass_a_third(f));
    f->timeout_ms = TIMEOUT_MS;
    begin(f);
    for (unsigned i = 0; i < 4; i++)
        assert_true(pass_a_third(f));
    assert_int_equal(f->over, 1);
}

/* The timer of the connection before is still on its way: it is not put off. */
static void another_connection_counts_from_its_beginning(void **state)
{
    struct fixture *f = *state;

    begin(f);
    for (unsigned i = 0; i < 3; i++)
        assert_true(pass_a_third(f));
    begin(f);
    for (unsigned i = 0; i < 3; i++)
        assert_true(pass_a_third(f));
    assert_int_equal(f->over, 0);
    assert_true(pass_a_third(f));
    assert_int_equal(f->over, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_guest_is_asked_at_two_thirds_and_gone_at_the_end),
        TEST(a_frame_begins_it_anew),
        TEST(who_is_held_back_is_not_silent),
        TEST(without_a_connection_it_rests_until_the_next_one),
        TEST(another_connection_counts_from_its_beginning),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
