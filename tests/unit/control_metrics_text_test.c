/* control metrics text: every number of the daemon stands under its own name. */
#include "control/metrics_text.h"
#include "descriptors.h"
#include "telemetry/telemetry.h"
#include "vm_support.h"

#include <stdlib.h>
#include <string.h>

static void expect_line(const char *text, const char *line)
{
    char whole[160];

    (void)snprintf(whole, sizeof(whole), "\n%s\n", line);
    if (strstr(text, whole) == NULL)
        fail_msg("no line %s in\n%s", line, text);
}

static void test_every_counter_has_its_name(void **state)
{
    static const char *const lines[] = {
        "guestlink_vms 0",
        "guestlink_connections_total 1",
        "guestlink_handshakes_accepted_total 2",
        "guestlink_handshakes_refused_total{status=\"version\"} 31",
        "guestlink_handshakes_refused_total{status=\"unknown_vm\"} 32",
        "guestlink_handshakes_refused_total{status=\"malformed\"} 33",
        "guestlink_handshakes_refused_total{status=\"too_many\"} 34",
        "guestlink_handshakes_refused_total{status=\"unprivileged\"} 35",
        "guestlink_protocol_errors_total 4",
        "guestlink_handshakes_timed_out_total 5",
        "guestlink_received_frames_total 6",
        "guestlink_sent_frames_total 7",
        "guestlink_received_bytes_total 8",
        "guestlink_sent_bytes_total 9",
        "guestlink_boots_total 10",
        "guestlink_accept_pauses_total 11",
        "guestlink_slow_guests_total 12",
        "guestlink_reloads_total 13",
        "guestlink_reloads_refused_total 14",
        "guestlink_state_saves_total 15",
        "guestlink_connections 16",
        "guestlink_events_total{event=\"GuestReady\"} 1",
        "guestlink_events_total{event=\"GuestConnected\"} 0",
        "guestlink_events_lost_total 0",
        "# TYPE guestlink_boots_total counter",
        "# TYPE guestlink_connections gauge",
        "# TYPE guestlink_ready_seconds histogram",
        "# HELP guestlink_boots_total Boots of guests.",
    };
    static const struct config_telemetry nothing = {.file = NULL};
    static const char *const latencies[] = {"handshake", "device",  "mount",
                                            "network",   "payload", "ready"};
    struct fleet fleet = {
        .services.counters = {.connections = 1,
                              .accepted = 2,
                              .refused = {0, 31, 32, 33, 34, 35},
                              .malformed = 4,
                              .timed_out = 5,
                              .frames_in = 6,
                              .frames_out = 7,
                              .bytes_in = 8,
                              .bytes_out = 9,
                              .boots = 10,
                              .accept_paused = 11,
                              .slow_guests = 12,
                              .reloads = 13,
                              .reloads_refused = 14,
                              .saves = 15,
                              .open = 16},
    };
    struct latency *all = &fleet.services.latencies.handshake;
    char *text;

    (void)state;
    fleet.registry = registry_new();
    assert_non_null(fleet.registry);
    assert_int_equal(telemetry_new(&nothing, &fleet.services.telemetry), 0);
    telemetry_emit(fleet.services.telemetry, TELEMETRY_GUEST_READY, NULL, NULL);
    for (unsigned i = 0; i < 6; i++)
        for (unsigned times = 0; times <= i; times++)
            latency_add(&all[i], 250000);
    text = metrics_text_make(&fleet);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (strncmp(text, lines[i], strlen(lines[i])) != 0)
            expect_line(text, lines[i]);
    expect_line(text, "guestlink_build_info{version=\"" GUESTLINK_VERSION "\"} 1");
    for (unsigned i = 0; i < 6; i++) {
        char line[128];

        (void)snprintf(line, sizeof(line), "guestlink_%s_seconds_count %u", latencies[i], i + 1);
        expect_line(text, line);
        (void)snprintf(line, sizeof(line), "guestlink_%s_seconds_sum %.6f", latencies[i],
                       0.25 * (i + 1));
        expect_line(text, line);
        (void)snprintf(line, sizeof(line), "guestlink_%s_seconds_bucket{le=\"0.1\"} 0",
                       latencies[i]);
        expect_line(text, line);
        (void)snprintf(line, sizeof(line), "guestlink_%s_seconds_bucket{le=\"+Inf\"} %u",
                       latencies[i], i + 1);
        expect_line(text, line);
    }
    free(text);
    (void)telemetry_free(fleet.services.telemetry);
    (void)registry_free(fleet.registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_counter_has_its_name)};

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
