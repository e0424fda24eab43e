/* hostd report: whoever makes lines without end, what counts is told, and no more than a bound. */
#include "base/clock.h"
#include "base/limits.h"
#include "device/device_host.h"
#include "guest/listener.h"
#include "vm/report.h"
#include "vm/vm_connection.h"
#include "vm/vm_parts.h"
#include "vm_support.h"

#include "protocol/event.h"
#include "protocol/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLOOD 3000u
/* More than a burst, and over before the first telling is due, on a slow machine too. */
#define FEW 300u
/* What all kinds together may have in a burst, and what comes back while a slow machine floods. */
#define LINES_MOST 600u

static unsigned count(const char *text, const char *what)
{
    unsigned found = 0;

    for (; (text = strstr(text, what)) != NULL; text++)
        found++;
    return found;
}

/* Telemetry so far; free() it. */
static char *telemetry(const struct fixture *f)
{
    char path[80];
    char *text = calloc(1, 1u << 22);
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/t", f->folder);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(text);
    (void)!fread(text, 1, (1u << 22) - 1, file);
    (void)fclose(file);
    return text;
}

static void need_event(const struct fixture *f, const char *what)
{
    char *text = telemetry(f);

    if (!strstr(text, what))
        fail_msg("telemetry lacks %s", what);
    free(text);
}

/* Each is a connection that sends one byte and is closed for it. */
static void flood_with_bytes(struct fixture *f, unsigned times, const struct peer *peer,
                             struct vm *vm)
{
    for (unsigned i = 0; i < times; i++) {
        int ends[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
                         0);
        handshake_begin(f->handshakes, ends[1], peer, vm);
        assert_int_equal(send(ends[0], "x", 1, MSG_NOSIGNAL), 1);
        run(f);
        (void)close(ends[0]);
    }
}

static void flood_with_resets(struct fixture *f)
{
    for (unsigned i = 0; i < FLOOD; i++)
        vm_device_host_events.reset(f->vm);
}

static void flood_with_records(struct fixture *f, unsigned times)
{
    const struct event_log_record record = {.level = LOG_INFO, .text = wire_text_of("flood")};
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    event_log_record_pack(&writer, &record);
    for (unsigned i = 0; i < times; i++) {
        say(f, FRAME_LOG_RECORD, 0, 0, payload, writer.size);
        if (i % 100 == 0)
            run(f);
    }
    run(f);
}

/* A guest to which each step of each boot fails. */
static void flood_with_failures(struct fixture *f)
{
    for (unsigned i = 0; i < FLOOD; i++) {
        report_device_failed(f->vm, "share", "a", "mount", EIO, "");
        report_device_failed(f->vm, "adapter", "a", "network", EIO, "");
        report_step_failed(f->vm, "set-hostname", EIO, "");
        report_payload(f->vm, EIO, "");
    }
}

/* What an accepted guest says when its payload dies and it ends. */
static void end_guest(struct fixture *f)
{
    uint8_t payload[128];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    event_child_exited_pack(&writer, &(struct event_child_exited){.process = LIMITS_PAYLOAD_PROCESS,
                                                                  .role = REQUEST_ROLE_PAYLOAD,
                                                                  .again_ms = EVENT_NOT_AGAIN});
    say(f, FRAME_CHILD_EXITED, 0, 0, payload, writer.size);
    writer.size = 0;
    event_pool_exhausted_pack(&writer, &(struct event_pool_exhausted){.count = 1});
    say(f, FRAME_POOL_EXHAUSTED, 0, 0, payload, writer.size);
    writer.size = 0;
    event_farewell_pack(&writer, &(struct event_farewell){.reason = EVENT_BY_PAYLOAD});
    say(f, FRAME_FAREWELL, 0, 0, payload, writer.size);
    run(f);
    report_device_failed(f->vm, "share", "a", "serve", EPIPE, "");
    vm_drop_connection(f->vm, "closed", 0);
}

static void no_flood_mutes_what_counts(void **state)
{
    static const char *const wanted[] = {"\"ChildExit\"",         "\"SwiotlbPoolExhausted\"",
                                         "\"GuestFarewell\"",     "\"phase\":\"serve\"",
                                         "\"GuestDisconnected\"", "\"GuestConnected\""};
    const struct peer stranger = {.vsock = true, .cid = 4, .port = 40000};
    const struct peer privileged = {.vsock = true, .cid = 4, .port = 1000};
    struct fixture *f = *state;
    char *text = calloc(1, 1u << 22), *events;
    int saved;
    FILE *file = capture_stderr(&saved);

    assert_non_null(text);
    flood_with_resets(f);
    flood_with_bytes(f, FLOOD, &stranger, NULL);
    flood_with_bytes(f, FLOOD, &stranger, f->vm);
    flood_with_bytes(f, FLOOD, &privileged, f->vm);
    connect_guest(f, 67108864);
    flood_with_records(f, FLOOD);
    flood_with_failures(f);
    end_guest(f);
    (void)captured(file, saved, text, 1u << 22);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        need_event(f, wanted[i]);
    events = telemetry(f);
    assert_in_range(count(events, "\n"), 1, LINES_MOST);
    assert_in_range(count(text, "\n"), 1, LINES_MOST);
    free(events);
    free(text);
}

static void what_was_dropped_is_told_by_kind(void **state)
{
    uint64_t start_us = clock_now_us();
    struct fixture *f = *state;

    f->step_us = start_us;
    flood_with_bytes(f, FEW, &(struct peer){.vsock = true, .cid = 4, .port = 40000}, f->vm);
    flood_with_bytes(f, FEW, &(struct peer){.vsock = true, .cid = 9, .port = 40000}, NULL);
    connect_guest(f, 67108864);
    flood_with_records(f, FEW);
    expire(f, f->vm->dropped_timer, LIMITS_DROPPED_TELL_MS);
    f->step_us = start_us;
    expire(f, f->services.nobodys_dropped_timer, LIMITS_DROPPED_TELL_MS);
    need_event(f, "\"reason\":\"stranger-rate\"");
    need_event(f, "\"reason\":\"guest-log-rate\"");
    need_event(f, "\"event\":\"EventsDropped\",\"vm\":null");
}

/* More is dropped when the time has come, before the loop serves the timer: in a flood, always. */
static void telling_is_not_put_off_by_what_goes_on(void **state)
{
    struct fixture *f = *state;
    uint64_t first_us, due_us;

    while (report_allow(f->vm, ALLOWANCE_READY))
        ;
    assert_true(sd_event_source_get_time(f->vm->dropped_timer, &first_us) >= 0);
    f->vm->allowances.tell_us = clock_now_us() - 1;
    while (report_allow(f->vm, ALLOWANCE_READY))
        ;
    assert_true(sd_event_source_get_time(f->vm->dropped_timer, &due_us) >= 0);
    assert_int_equal(due_us, first_us);
}

static void what_was_dropped_is_told_before_the_vm_goes(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 67108864);
    flood_with_records(f, FLOOD);
    f->vm = vm_free(f->vm);
    need_event(f, "\"event\":\"EventsDropped\",\"vm\":\"dev\"");
}

/* Tells of a full pool. @return the advice in telemetry, of 256 bytes */
static const char *advice_of(struct fixture *f, uint64_t memory, uint64_t there)
{
    static char advice[256];
    char *text, *found, *last = NULL;

    f->settings->config->vms[0].memory = memory;
    f->vm->boot.capabilities.swiotlb_size = there;
    report_pool_exhausted(
        f->vm, &(struct event_pool_exhausted){
                   .count = 1, .used = UINT64_MAX, .total = UINT64_MAX, .bytes = UINT64_MAX});
    text = telemetry(f);
    for (found = text; (found = strstr(found, "\"advice\":\"")) != NULL; found++)
        last = found;
    assert_non_null(last);
    (void)snprintf(advice, sizeof(advice), "%s", last);
    assert_null(strstr(text, "18446744073709551615"));
    free(text);
    return advice;
}

static void advice_is_nothing_that_a_guest_makes_up(void **state)
{
    const uint64_t mib = UINT64_C(1) << 20;
    struct fixture *f = *state;

    /* refused as larger than half of memory, and so on: the pool that was asked for counts */
    f->vm->policy.swiotlb_bytes = 64 * mib;
    f->vm->boot.verdict = POOL_E_TOO_LARGE;
    assert_non_null(strstr(advice_of(f, 2048 * mib, UINT64_MAX), "to \\\"128M\\\" and"));
    f->vm->policy.swiotlb_bytes = 0;
    assert_non_null(strstr(advice_of(f, 2048 * mib, UINT64_MAX / 2), "to \\\"64M\\\" and"));
    f->vm->boot.verdict = POOL_USABLE;
    f->vm->allowances = (struct allowances){0};
    assert_non_null(strstr(advice_of(f, 2048 * mib, 64 * mib), "to \\\"128M\\\" and"));
    assert_non_null(strstr(advice_of(f, 2048 * mib, 64 * mib), " hv_pci_swiotlb=134217728 on"));
    f->vm->boot.capabilities.features = CAPABILITIES_SWIOTLB_DEFAULT;
    assert_non_null(strstr(advice_of(f, 2048 * mib, 64 * mib), " swiotlb=65536,force on"));
    f->vm->boot.capabilities.features = 0;
    assert_non_null(strstr(advice_of(f, 2048 * mib, 4096), "to \\\"2M\\\" and"));
    assert_non_null(strstr(advice_of(f, 256 * mib, 100 * mib), "to \\\"128M\\\" and"));
    f->vm->allowances = (struct allowances){0};
    assert_non_null(strstr(advice_of(f, 256 * mib, 128 * mib), "give the VM more memory"));
    assert_non_null(strstr(advice_of(f, 8192 * mib, 2048 * mib), "give the VM more memory"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_flood_mutes_what_counts),
        TEST(advice_is_nothing_that_a_guest_makes_up),
        TEST(what_was_dropped_is_told_by_kind),
        TEST(telling_is_not_put_off_by_what_goes_on),
        TEST(what_was_dropped_is_told_before_the_vm_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
