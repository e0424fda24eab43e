/* metrics text: families of samples, one after the other; the names are documented in
 * guestlink-hostd(8). */
#include "metrics_text.h"

#include "telemetry/telemetry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void head(const char *name, const char *type, const char *help, FILE *stream)
{
    (void)fprintf(stream, "# HELP guestlink_%s %s\n# TYPE guestlink_%s %s\n", name, help, name,
                  type);
}

static void write_one(const char *name, const char *type, const char *help, uint64_t value,
                      FILE *stream)
{
    head(name, type, help, stream);
    (void)fprintf(stream, "guestlink_%s %" PRIu64 "\n", name, value);
}

/* One histogram; bounds and sum in seconds. */
static void write_latency(const char *name, const char *help, const struct latency *latency,
                          FILE *stream)
{
    uint64_t below = 0;

    head(name, "histogram", help, stream);
    for (unsigned i = 0; i < LATENCY_BOUNDS; i++) {
        below += latency->buckets[i];
        (void)fprintf(stream, "guestlink_%s_bucket{le=\"%.6g\"} %" PRIu64 "\n", name,
                      (double)latency_bound_us(i) / 1e6, below);
    }
    (void)fprintf(stream,
                  "guestlink_%s_bucket{le=\"+Inf\"} %" PRIu64 "\nguestlink_%s_sum %.6f\n"
                  "guestlink_%s_count %" PRIu64 "\n",
                  name, latency->count, name, (double)latency->sum_us / 1e6, name, latency->count);
}

static void write_counters(const struct daemon_counters *counters, FILE *stream)
{
    static const char *const refusals[] = {NULL,        "version",  "unknown_vm",
                                           "malformed", "too_many", "unprivileged"};
    static const char counter[] = "counter";

    write_one("connections_total", counter, "Guest connections accepted.", counters->connections,
              stream);
    write_one("handshakes_accepted_total", counter, "Handshakes answered with status 0.",
              counters->accepted, stream);
    head("handshakes_refused_total", counter, "Handshakes answered with another status.", stream);
    for (size_t i = 1; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        (void)fprintf(stream, "guestlink_handshakes_refused_total{status=\"%s\"} %" PRIu64 "\n",
                      refusals[i], counters->refused[i]);
    write_one("handshakes_timed_out_total", counter,
              "Connections that did not send "
              "CAPABILITIES in time.",
              counters->timed_out, stream);
    write_one("protocol_errors_total", counter, "Connections closed because of a protocol error.",
              counters->malformed, stream);
    write_one("slow_guests_total", counter, "Connections closed because the peer did not read.",
              counters->slow_guests, stream);
    write_one("received_frames_total", counter, "Frames from guests.", counters->frames_in, stream);
    write_one("sent_frames_total", counter, "Frames to guests.", counters->frames_out, stream);
    write_one("received_bytes_total", counter, "Bytes from guests.", counters->bytes_in, stream);
    write_one("sent_bytes_total", counter, "Bytes to guests.", counters->bytes_out, stream);
    write_one("boots_total", counter, "Boots of guests.", counters->boots, stream);
    write_one("accept_pauses_total", counter, "Pauses because file descriptors ran out.",
              counters->accept_paused, stream);
    write_one("state_saves_total", counter, "Times that VM state was saved.", counters->saves,
              stream);
    write_one("reloads_total", counter, "Configurations reloaded.", counters->reloads, stream);
    write_one("reloads_refused_total", counter, "Reloads refused because of an error.",
              counters->reloads_refused, stream);
    write_one("connections", "gauge", "Open guest connections.", counters->open, stream);
}

static void write_telemetry(const struct telemetry *telemetry, FILE *stream)
{
    head("events_total", "counter", "Telemetry events, by name.", stream);
    for (int i = 0; i < TELEMETRY_EVENT_COUNT; i++)
        (void)fprintf(stream, "guestlink_events_total{event=\"%s\"} %" PRIu64 "\n",
                      telemetry_event_name((enum telemetry_event)i),
                      telemetry_count(telemetry, (enum telemetry_event)i));
    write_one("events_lost_total", "counter", "Telemetry lines lost to write errors.",
              telemetry_lost(telemetry), stream);
}

static void write_latencies(const struct daemon_latencies *latencies, FILE *stream)
{
    write_latency("handshake_seconds", "From accept (virtio port: first byte) to WELCOME.",
                  &latencies->handshake, stream);
    write_latency("device_seconds", "Time to create a device.", &latencies->device, stream);
    write_latency("mount_seconds", "Time for a guest to mount a share.", &latencies->mount, stream);
    write_latency("network_seconds", "Time for a guest to configure an adapter.",
                  &latencies->network, stream);
    write_latency("payload_seconds", "Time for a guest to start its payload.", &latencies->payload,
                  stream);
    write_latency("ready_seconds", "From accept (virtio port: first byte) to READY.",
                  &latencies->ready, stream);
}

/* Names of VMs have nothing that a label must escape (config/text.h). */
static void write_vms(const struct fleet *fleet, FILE *stream)
{
    static const struct {
        const char *name, *type, *help;
        size_t offset;
    } numbers[] = {
        {"vm_pool_exhausted_total", "counter",
         "Times that the guest reported a full pool in "
         "this boot.",
         offsetof(struct vm_view, exhausted)},
        {"vm_events_dropped_total", "counter", "Events dropped by the rate limit.",
         offsetof(struct vm_view, dropped)},
        {"vm_bytes_held", "gauge", "Bytes buffered for the VM's connection.",
         offsetof(struct vm_view, bytes_held)},
    };
    size_t count = registry_count(fleet->registry);
    struct vm_view view;

    head("vm_state", "gauge", "1 for the state that the VM is in.", stream);
    for (size_t i = 0; i < count; i++) {
        vm_get_view(registry_get(fleet->registry, i), &view);
        (void)fprintf(stream, "guestlink_vm_state{vm=\"%s\",state=\"%s\"} 1\n", view.config->name,
                      vm_state_name(view.state));
    }
    for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
        head(numbers[n].name, numbers[n].type, numbers[n].help, stream);
        for (size_t i = 0; i < count; i++) {
            vm_get_view(registry_get(fleet->registry, i), &view);
            (void)fprintf(stream, "guestlink_%s{vm=\"%s\"} %" PRIu64 "\n", numbers[n].name,
                          view.config->name,
                          *(const uint64_t *)((const char *)&view + numbers[n].offset));
        }
    }
}

/* Shares of which it is known, by how far what serves them is confined. */
static void write_apertures(const struct fleet *fleet, FILE *stream)
{
    size_t count = registry_count(fleet->registry);

    head("vm_shares", "gauge", "Shares in use, by the aperture of their servers.", stream);
    for (size_t i = 0; i < count; i++) {
        const struct vm *vm = registry_get(fleet->registry, i);
        unsigned shares[APERTURE_REFUSED] = {0};
        struct vm_share_view share;
        struct vm_view view;

        vm_get_view(vm, &view);
        for (size_t j = 0; j < view.share_count; j++) {
            vm_get_share(vm, j, &share);
            if (share.aperture)
                shares[share.aperture->state]++;
        }
        for (unsigned state = 0; state < APERTURE_REFUSED; state++)
            (void)fprintf(stream, "guestlink_vm_shares{vm=\"%s\",aperture=\"%s\"} %u\n",
                          view.config->name, aperture_state_name((enum aperture_state)state),
                          shares[state]);
    }
}

static void write_all(const struct fleet *fleet, FILE *stream)
{
    head("build_info", "gauge", "The version of the daemon.", stream);
    (void)fprintf(stream, "guestlink_build_info{version=\"%s\"} 1\n", GUESTLINK_VERSION);
    write_one("vms", "gauge", "VMs in the configuration.", registry_count(fleet->registry), stream);
    write_counters(&fleet->services.counters, stream);
    write_latencies(&fleet->services.latencies, stream);
    write_telemetry(fleet->services.telemetry, stream);
    write_vms(fleet, stream);
    write_apertures(fleet, stream);
}

char *metrics_text_make(const struct fleet *fleet)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    if (stream == NULL)
        return NULL;
    write_all(fleet, stream);
    if (fclose(stream) == 0)
        return text;
    free(text);
    return NULL;
}
