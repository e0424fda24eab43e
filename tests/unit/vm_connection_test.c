/* hostd VM: how a connection ends that does not end by itself, and what is told of it.
 */
#include "vm_support.h"

#include "base/clock.h"
#include "base/limits.h"
#include "vm/report.h"
#include "vm/share.h"
#include "vm/vm_parts.h"

#include "protocol/event.h"
#include "protocol/welcome.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Long enough that no third of it passes by itself. */
#define SILENCE_MS 180000u

static enum vm_state state_of(const struct fixture *f)
{
    struct vm_view view;

    vm_get_view(f->vm, &view);
    return view.state;
}

/* A third of the time passes that silence is given. */
static void pass_a_third(struct fixture *f)
{
    expire(f, f->vm->silence.timer, SILENCE_MS / 3);
}

/* @p thirds pass, in which the guest says nothing; it is gone then, and not earlier. */
static void be_silent(struct fixture *f, unsigned thirds)
{
    for (unsigned i = 0; i < thirds; i++) {
        assert_int_equal(state_of(f), VM_CONNECTED);
        pass_a_third(f);
    }
    assert_int_equal(state_of(f), VM_LOST);
}

static void connect_watched(struct fixture *f)
{
    f->settings->config->vms[0].timeouts.silence = SILENCE_MS;
    f->step_us = clock_now_us();
    connect_guest(f, 67108864);
    memset(f->asked, 0, sizeof(f->asked));
    assert_int_equal(state_of(f), VM_CONNECTED);
}

/* The rest of what was sent to the guest, up to the end of the connection if @p ended. */
static size_t read_rest(struct fixture *f, uint8_t *bytes, size_t capacity, bool ended)
{
    size_t size = 0;
    ssize_t n = recv(f->guest, bytes, capacity, MSG_DONTWAIT);

    for (; n > 0; n = recv(f->guest, bytes + size, capacity - size, MSG_DONTWAIT))
        size += (size_t)n;
    assert_int_equal(n, ended ? 0 : -1);
    return size;
}

static void silent_guest_is_asked_and_then_gone(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[1024];
    struct frame frame;
    size_t size;

    connect_watched(f);
    pass_a_third(f);
    pass_a_third(f);
    assert_int_equal(read_rest(f, bytes, sizeof(bytes), false), 0);
    be_silent(f, 2);
    size = read_rest(f, bytes, sizeof(bytes), true);
    assert_int_equal(frame_decode(bytes, size, &frame, &size), 0);
    assert_int_equal(frame.type, FRAME_PING);
    assert_int_not_equal(frame.id, 0);

    /* the next connection is watched as well */
    connect_watched(f);
    be_silent(f, 4);
}

/* By the clock: gone some time, and not before the time is over. */
static void silence_is_measured(void **state)
{
    struct fixture *f = *state;
    uint64_t begin_us = clock_now_us();

    f->settings->config->vms[0].timeouts.silence = 30;
    connect_guest(f, 67108864);
    while (state_of(f) == VM_CONNECTED)
        (void)sd_event_run(f->services.event, 5000);
    assert_in_range(clock_now_us() - begin_us, 30000, UINT64_MAX);
}

static void guest_that_answers_is_kept_though_it_says_nothing_else(void **state)
{
    struct fixture *f = *state;

    connect_watched(f);
    for (unsigned i = 0; i < 9; i++) {
        pass_a_third(f);
        settle(f);
    }
    assert_int_equal(f->asked[FRAME_PING], 3);
    assert_int_equal(state_of(f), VM_CONNECTED);
}

static void guest_that_speaks_is_not_asked(void **state)
{
    struct fixture *f = *state;

    connect_watched(f);
    for (uint32_t id = 1; id < 40; id++) {
        say(f, FRAME_PING, 0, id, NULL, 0);
        settle(f);
        pass_a_third(f);
    }
    assert_int_equal(state_of(f), VM_CONNECTED);
    assert_int_equal(f->asked[FRAME_PING], 0);
}

static void guest_that_is_held_back_is_not_silent(void **state)
{
    struct fixture *f = *state;
    struct connection *connection;

    connect_watched(f);
    connection = f->vm->connection;
    connection_pause(connection, true);
    for (unsigned i = 0; i < 9; i++)
        pass_a_third(f);
    assert_int_equal(state_of(f), VM_CONNECTED);
    connection_pause(connection, false);
    be_silent(f, 4);
}

/* A second report of one boot, and it goes on talking: what it is told must not be lost. */
static void refused_guest_reads_why_though_it_is_still_sending(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[4096];
    struct welcome welcome;
    struct frame frame;
    size_t size;

    connect_guest(f, 67108864);
    f->step_us = clock_now_us();
    report(f, 4096);
    for (uint32_t id = 2; id < 6; id++)
        say(f, FRAME_PING, 0, id, NULL, 0);
    while (state_of(f) == VM_CONNECTED)
        (void)sd_event_run(f->services.event, 5000);
    for (uint32_t id = 6; id < 10; id++)
        say(f, FRAME_PING, 0, id, NULL, 0); /* a closed socket would not take it */
    size = read_rest(f, bytes, sizeof(bytes), false);
    assert_int_equal(frame_decode(bytes, size, &frame, &size), 0);
    assert_int_equal(frame.type, FRAME_WELCOME);
    assert_int_equal(welcome_unpack(frame.payload, frame.length, &welcome), 0);
    assert_int_equal(welcome.status, WELCOME_MALFORMED);

    expire(f, f->vm->refused_timer, LIMITS_REFUSAL_LINGER_MS);
    assert_null(f->vm->refused);
    (void)read_rest(f, bytes, sizeof(bytes), true);
}

static void failure_says_nothing_twice(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    int saved;
    FILE *file = capture_stderr(&saved);

    report_device_failed(f->vm, "share", "a", "device", ENOENT, "share a: no virtiofsd");
    report_device_failed(f->vm, "adapter", "n", "device", EIO, "cannot: Input/output error");
    report_device_failed(f->vm, "share", "a", "mount", EBUSY, "");
    (void)captured(file, saved, text, sizeof(text));
    assert_non_null(strstr(text, "share a failed in phase device (No such file or directory): no "
                                 "virtiofsd; everything else keeps running\n"));
    assert_non_null(strstr(text, "adapter n failed in phase device: cannot: Input/output error; "));
    assert_non_null(strstr(text, "share a failed in phase mount (Device or resource busy); every"));
}

static void share_whose_server_always_dies_is_given_up_once(void **state)
{
    struct fixture *f = *state;
    struct vm_share_view share;
    char text[8192];
    const char *found;
    int saved;
    FILE *file;

    connect_guest(f, 67108864);
    file = capture_stderr(&saved);
    for (unsigned i = 0; i <= LIMITS_SHARE_RETRIES; i++) {
        vm_get_share(f->vm, 0, &share);
        shares_lost(f->vm, share.device, false, "virtiofsd: killed");
        settle(f);
    }
    (void)captured(file, saved, text, sizeof(text));
    found =
        strstr(text, "share a failed in phase serve (Broken pipe): its server exited too often");
    assert_non_null(found);
    assert_null(strstr(found + 1, "share a failed in phase serve (Broken pipe): its server"));
    for (unsigned i = 0; i <= LIMITS_SHARE_RETRIES; i++) {
        found = strstr(i ? found + 1 : text, "(Broken pipe): virtiofsd: killed; everything");
        assert_non_null(found);
    }
    assert_null(strstr(found + 1, "(Broken pipe): virtiofsd: killed"));
}

static bool is_to_be_saved(const struct fixture *f)
{
    return f->vm->saver.timer && sd_event_source_get_enabled(f->vm->saver.timer, NULL) > 0;
}

/* A guest that is back in the same boot changes nothing; but what was not written is, then. */
static void what_was_not_saved_is_saved_when_the_guest_is_back(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 67108864);
    saver_flush(&f->vm->saver);
    connect_guest(f, 67108864);
    assert_false(is_to_be_saved(f));
    f->vm->unsaved = true;
    connect_guest(f, 67108864);
    assert_true(is_to_be_saved(f));
    saver_flush(&f->vm->saver);
    assert_false(f->vm->unsaved);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(silent_guest_is_asked_and_then_gone),
        TEST(silence_is_measured),
        TEST(guest_that_answers_is_kept_though_it_says_nothing_else),
        TEST(guest_that_speaks_is_not_asked),
        TEST(guest_that_is_held_back_is_not_silent),
        TEST(refused_guest_reads_why_though_it_is_still_sending),
        TEST(failure_says_nothing_twice),
        TEST(share_whose_server_always_dies_is_given_up_once),
        TEST(what_was_not_saved_is_saved_when_the_guest_is_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
