/* hostd VM: how a connection ends that does not end by itself, and what is told of it.
 */
#include "vm_support.h"

#include "base/clock.h"
#include "base/limits.h"
#include "guest/guest.h"
#include "telemetry/telemetry.h"
#include "vm/report.h"
#include "vm/share.h"
#include "vm/vm_connection.h"
#include "vm/vm_parts.h"

#include "protocol/event.h"
#include "protocol/request.h"
#include "protocol/result.h"
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

static uint64_t count(const struct fixture *f, enum telemetry_event event)
{
    return telemetry_count(f->services.telemetry, event);
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
    assert_int_equal(count(f, TELEMETRY_GUEST_TIMEOUT), 0);
    be_silent(f, 2);
    assert_int_equal(count(f, TELEMETRY_GUEST_TIMEOUT), 1);
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

/* Fails unless the newest lines of telemetry have an event with that reason. */
static void need_reason(const struct fixture *f, const char *event, const char *reason)
{
    char path[FOLDER_BYTES + 8], line[8192], wanted[128], name[128];
    bool found = false;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/t", f->folder);
    (void)snprintf(wanted, sizeof(wanted), "\"reason\":\"%s\"", reason);
    (void)snprintf(name, sizeof(name), "\"%s\"", event);
    file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        found = found || (strstr(line, name) && strstr(line, wanted));
    (void)fclose(file);
    if (!found)
        fail_msg("no %s with %s", event, wanted);
}

static void send_bytes(struct fixture *f, uint32_t magic, uint16_t type, uint16_t flags,
                       uint32_t length, uint32_t id)
{
    uint8_t bytes[FRAME_HEADER_SIZE];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};

    wire_put_u32(&writer, magic);
    wire_put_u16(&writer, type);
    wire_put_u16(&writer, flags);
    wire_put_u32(&writer, length);
    wire_put_u32(&writer, id);
    assert_int_equal(send(f->guest, bytes, writer.size, MSG_NOSIGNAL), writer.size);
}

static void send_other_magic(struct fixture *f)
{
    send_bytes(f, FRAME_MAGIC + 1, FRAME_PING, 0, 0, 1);
}

static void send_long_frame(struct fixture *f)
{
    send_bytes(f, FRAME_MAGIC, FRAME_PING, 0, FRAME_PAYLOAD_MAX + 1, 1);
}

static void send_short_event(struct fixture *f)
{
    send_bytes(f, FRAME_MAGIC, FRAME_CHILD_EXITED, 0, 0, 0);
}

static void take_capabilities(void *userdata, int error, const char *text,
                              const struct guest_capabilities *measured)
{
    (void)measured;
    note_done(userdata, error, text);
}

static void send_short_answer(struct fixture *f)
{
    uint8_t bytes[1024];
    struct frame frame;
    size_t size;

    assert_int_equal(vm_refresh_capabilities(f->vm, take_capabilities, f), 0);
    run(f);
    size = read_rest(f, bytes, sizeof(bytes), false);
    assert_int_equal(frame_decode(bytes, size, &frame, &size), 0);
    send_bytes(f, FRAME_MAGIC, FRAME_RESULT, FRAME_FLAG_ANSWER, 0, frame.id);
}

static void send_another_report(struct fixture *f)
{
    report(f, 4096); /* something else than at the beginning of this boot */
}

static void hang_up(struct fixture *f)
{
    (void)close(f->guest);
    f->guest = -1;
}

/* Nothing of the VM's goes on without it, and the next one is waited for. */
static void need_lost(struct fixture *f)
{
    struct vm_view view;

    vm_get_view(f->vm, &view);
    assert_int_equal(view.state, VM_LOST);
    assert_int_equal(view.connections, 0);
    assert_int_equal(view.bytes_held, 0);
    assert_false(guest_is_attached(f->vm->guest));
    assert_int_equal(f->vm->bringup, BRINGUP_IDLE);
    assert_int_equal(count(f, TELEMETRY_GUEST_DISCONNECTED), 1);
    expire(f, f->vm->connect_timer, f->settings->config->vms[0].timeouts.connect);
    assert_int_equal(count(f, TELEMETRY_GUEST_TIMEOUT), 1);
}

static void each_end_has_its_reason(void **state)
{
    static const struct {
        void (*act)(struct fixture *f);
        const char *reason, *error;
    } rows[] = {
        {send_other_magic, "protocol-error", "magic"},
        {send_long_frame, "protocol-error", "length"},
        {send_short_event, "protocol-error", "malformed-event"},
        {send_short_answer, "protocol-error", "struct-size"},
        {send_another_report, "refused", "different-report-in-same-boot"},
        {hang_up, "closed", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f;

        assert_int_equal(set_up(state), 0);
        f = *state;
        f->settings->config->vms[0].timeouts.connect = 100000;
        connect_guest(f, 67108864);
        f->step_us = clock_now_us();
        rows[i].act(f);
        run(f);
        need_reason(f, "GuestDisconnected", rows[i].reason);
        if (rows[i].error)
            need_reason(f, "ProtocolError", rows[i].error);
        assert_int_equal(f->services.counters.malformed,
                         strcmp(rows[i].reason, "protocol-error") == 0);
        need_lost(f);
        assert_int_equal(tear_down(state), 0);
    }
}

static void guest_that_does_not_read_is_closed(void **state)
{
    struct fixture *f = *state;

    f->settings->config->limits.connection_bytes = 4096;
    connect_guest(f, 67108864);
    for (uint32_t id = 1; id < 100000 && state_of(f) == VM_CONNECTED; id++) {
        send_bytes(f, FRAME_MAGIC, FRAME_PING, 0, 0, id);
        run(f);
    }
    assert_int_equal(f->services.counters.slow_guests, 1);
    need_reason(f, "GuestDisconnected", "does-not-read");
    assert_int_equal(f->services.counters.malformed, 0);
}

/* A request is answered, whatever it is. */
static void requests_are_answered(void **state)
{
    static const struct {
        uint16_t type;
        uint32_t error;
    } rows[] = {{FRAME_PING, 0}, {FRAME_MOUNT, ENOSYS}, {0x7fff, ENOSYS}};
    struct fixture *f = *state;

    connect_guest(f, 67108864);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t bytes[1024];
        struct result result;
        struct frame frame;
        size_t size;

        send_bytes(f, FRAME_MAGIC, rows[i].type, 0, 0, 77 + i);
        run(f);
        size = read_rest(f, bytes, sizeof(bytes), false);
        assert_int_equal(frame_decode(bytes, size, &frame, &size), 0);
        assert_int_equal(frame.type, FRAME_RESULT);
        assert_int_equal(frame.id, 77 + i);
        assert_int_equal(result_unpack(frame.payload, frame.length, &result), 0);
        assert_int_equal(result.error, rows[i].error);
    }
}

/* It is waited for where there should be one, and the reason that the VM is not there is told. */
static void guest_that_does_not_connect_is_reported(void **state)
{
    struct fixture *f = *state;

    run(f); /* its device host was up */
    vm_device_host_events.down(f->vm, false, "no QMP socket");
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 0);
    assert_true(sd_event_source_set_time(f->vm->connect_timer, 1) >= 0);
    run(f);
    assert_int_equal(count(f, TELEMETRY_GUEST_TIMEOUT), 1);
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 1);

    vm_await_guest(f->vm);
    f->vm->ended = true;
    assert_true(sd_event_source_set_time(f->vm->connect_timer, 1) >= 0);
    run(f);
    f->vm->ended = false;
    vm_await_guest(f->vm);
    connect_guest(f, 67108864);
    assert_true(sd_event_source_set_time(f->vm->connect_timer, 1) >= 0);
    run(f);
    assert_int_equal(count(f, TELEMETRY_GUEST_TIMEOUT), 1);
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 1);
}

static void say_farewell(struct fixture *f)
{
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    event_farewell_pack(&writer, &(struct event_farewell){.how = REQUEST_POWER_OFF});
    f->step_us = clock_now_us();
    say(f, FRAME_FAREWELL, 0, 7, payload, writer.size);
    run(f);
}

static void guest_that_stays_after_its_farewell_is_closed(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 67108864);
    say_farewell(f);
    assert_int_equal(count(f, TELEMETRY_GUEST_DISCONNECTED), 0);
    saver_flush(&f->vm->saver);
    expire(f, f->vm->farewell_timer, LIMITS_AFTER_FAREWELL_MS);
    need_reason(f, "GuestDisconnected", "farewell");
    assert_true(f->vm->ended);
    assert_true(is_to_be_saved(f));
}

static void other_events_are_no_farewell(void **state)
{
    struct fixture *f = *state;
    uint8_t payload[128];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    connect_guest(f, 67108864);
    event_ready_pack(&writer, &(struct event_ready){.started_ns = 1});
    say(f, FRAME_READY, 0, 0, payload, writer.size);
    run(f);
    assert_null(f->vm->farewell_timer);
}

/* The next one, and one that has gone, are not meant. */
static void time_after_a_farewell_is_for_that_connection(void **state)
{
    struct fixture *f = *state;
    char text[1024];
    FILE *file;
    int saved;

    connect_guest(f, 67108864);
    say_farewell(f);
    hang_up(f);
    run(f);
    file = capture_stderr(&saved);
    assert_true(sd_event_source_set_time(f->vm->farewell_timer, 1) >= 0);
    run(f);
    assert_string_equal(captured(file, saved, text, sizeof(text)), "");
    connect_guest(f, 67108864);
    say_farewell(f);
    connect_guest(f, 67108864);
    assert_true(sd_event_source_set_time(f->vm->farewell_timer, 1) >= 0);
    run(f);
    assert_int_equal(state_of(f), VM_CONNECTED);
}

/* What it sends counts for nothing, and its end is the end. */
static void refused_guest_is_not_listened_to(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 67108864);
    report(f, 4096);
    run(f);
    assert_non_null(f->vm->refused);
    say_farewell(f);
    assert_false(f->vm->boot.farewell);
    hang_up(f);
    run(f);
    assert_null(f->vm->refused);
    assert_int_equal(count(f, TELEMETRY_GUEST_DISCONNECTED), 1);
}

static void new_connection_takes_the_place_of_the_old_one(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[4096];
    struct welcome welcome;
    struct vm_view view;
    struct frame frame;
    int pair[2], old;
    size_t size;

    connect_guest(f, 67108864);
    f->vm->ended = f->vm->shutting_down = true; /* as it seemed */
    saver_flush(&f->vm->saver);
    old = f->guest;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    f->guest = pair[1];
    handshake_begin(f->handshakes, pair[0], &(struct peer){.vsock = false}, f->vm);
    report(f, 67108864);
    run(f);
    need_reason(f, "GuestDisconnected", "replaced");
    assert_int_equal(recv(old, bytes, 1, MSG_DONTWAIT), 0);
    (void)close(old);
    assert_int_equal(count(f, TELEMETRY_GUEST_DISCONNECTED), 1);
    assert_int_equal(count(f, TELEMETRY_GUEST_CONNECTED), 2);
    assert_int_equal(f->services.latencies.handshake.count, 2);
    assert_int_equal(f->services.counters.accepted, 2);
    assert_int_equal(f->services.counters.boots, 1);
    assert_false(f->vm->ended || f->vm->shutting_down);
    assert_true(is_to_be_saved(f));
    vm_get_view(f->vm, &view);
    assert_int_equal(view.state, VM_CONNECTED);
    assert_int_equal(view.connections, 1);
    size = read_rest(f, bytes, sizeof(bytes), false);
    assert_int_equal(frame_decode(bytes, size, &frame, &size), 0);
    assert_int_equal(frame.type, FRAME_WELCOME);
    assert_int_equal(welcome_unpack(frame.payload, frame.length, &welcome), 0);
    assert_int_equal(welcome.status, WELCOME_ACCEPTED);
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
        cmocka_unit_test(each_end_has_its_reason),
        TEST(guest_that_does_not_read_is_closed),
        TEST(requests_are_answered),
        TEST(guest_that_does_not_connect_is_reported),
        TEST(guest_that_stays_after_its_farewell_is_closed),
        TEST(other_events_are_no_farewell),
        TEST(time_after_a_farewell_is_for_that_connection),
        TEST(refused_guest_is_not_listened_to),
        TEST(new_connection_takes_the_place_of_the_old_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
