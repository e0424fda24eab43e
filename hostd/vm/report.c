/* report: the bucket that all events of one VM pass, and what happens before a guest is accepted.
 */
#include "report.h"

#include "base/clock.h"
#include "base/log.h"
#include "guest/listener.h"
#include "telemetry/fields.h"
#include "vm_parts.h"

#include "protocol/welcome.h"

#include <inttypes.h>
#include <stdio.h>

#define DROPPED_AFTER_MS 1000u

void report_dropped(struct vm *vm)
{
    uint64_t count = rate_take_dropped(&vm->rate);
    struct fields fields = {.count = 0};

    if (count == 0)
        return;
    vm->dropped += count;
    log_vm(LOG_WARNING, vm->config->name, vm->boot.id,
           "%" PRIu64 " events were not told: the guest causes more than %u in a second "
           "(limits.guest_events_per_s)",
           count, vm->services->config->limits.guest_events_per_s);
    fields_number(&fields, "count", count);
    fields_text(&fields, "reason", "guest-rate");
    report_emit(vm, TELEMETRY_EVENTS_DROPPED, &fields);
}

static int on_dropped(sd_event_source *source, uint64_t at_us, void *userdata)
{
    (void)source;
    (void)at_us;
    report_dropped(userdata);
    return 0;
}

bool report_allow(struct vm *vm)
{
    const struct config_limits *limits = &vm->services->config->limits;

    if (rate_allow(&vm->rate, clock_now_us(), limits->guest_events_per_s,
                   limits->guest_events_burst))
        return true;
    if (vm->rate.dropped == 1)
        (void)clock_arm(vm->services->event, &vm->dropped_timer, DROPPED_AFTER_MS, on_dropped, vm);
    return false;
}

void report_emit(struct vm *vm, enum telemetry_event event, const struct fields *fields)
{
    struct telemetry_source source = {.vm = vm->config->name,
                                      .vm_id = vm->config->id,
                                      .boot_id = vm->boot.known ? vm->boot.id : NULL};

    telemetry_emit(vm->services->telemetry, event, &source, fields);
}

/* As report_allow() and report_emit(), for a connection that may be nobody's. */
static bool allow(struct services *services, struct vm *vm)
{
    const struct config_limits *limits = &services->config->limits;

    return vm ? report_allow(vm)
              : rate_allow(&services->strangers, clock_now_us(), limits->guest_events_per_s,
                           limits->guest_events_burst);
}

static void emit(struct services *services, struct vm *vm, const struct peer *peer,
                 enum telemetry_event event, struct fields *fields)
{
    if (peer && peer->vsock) {
        fields_number(fields, "cid", peer->cid);
        fields_number(fields, "port", peer->port);
    }
    if (vm)
        report_emit(vm, event, fields);
    else
        telemetry_emit(services->telemetry, event, NULL, fields);
}

/* "vm dev", or who else it was. */
static const char *caller(const struct vm *vm, const struct peer *peer, char *buffer, size_t size)
{
    if (vm)
        (void)snprintf(buffer, size, "vm %s: ", vm->config->name);
    else if (peer && peer->vsock)
        (void)snprintf(buffer, size, "CID %u, port %u: ", peer->cid, peer->port);
    else
        (void)snprintf(buffer, size, "a guest of no VM: ");
    return buffer;
}

static const char *refusal_advice(uint32_t status)
{
    switch (status) {
    case WELCOME_UNKNOWN_VM:
        return "; give the VM that CID or socket in the configuration";
    case WELCOME_UNPRIVILEGED:
        return "; only the guest's PID 1 is served, which connects from a port below 1024";
    case WELCOME_TOO_MANY:
        return "; see limits.connections and limits.connections_per_vm";
    case WELCOME_VERSION:
        return "; guestlink-init of that guest is of another generation: make its image anew with "
               "this host's guestlink-mkinitramfs";
    default:
        return "";
    }
}

void report_refused(struct services *services, struct vm *vm, const struct peer *peer,
                    uint32_t status, const char *reason)
{
    struct fields fields = {.count = 0};
    char who[128];

    if (!allow(services, vm))
        return;
    log_line(LOG_WARNING, "%sa connection was refused with status %u: %s (%s)%s",
             caller(vm, peer, who, sizeof(who)), status, welcome_status_text(status), reason,
             refusal_advice(status));
    fields_text(&fields, "reason", reason);
    fields_number(&fields, "status", status);
    emit(services, vm, peer, TELEMETRY_PROTOCOL_ERROR, &fields);
}

void report_protocol_error(struct services *services, struct vm *vm, const struct peer *peer,
                           const char *reason)
{
    struct fields fields = {.count = 0};
    char who[128];

    if (!allow(services, vm))
        return;
    log_line(LOG_WARNING, "%sprotocol error: %s; that connection is closed",
             caller(vm, peer, who, sizeof(who)), reason);
    fields_text(&fields, "reason", reason);
    emit(services, vm, peer, TELEMETRY_PROTOCOL_ERROR, &fields);
}

void report_handshake_timeout(struct services *services, struct vm *vm, const struct peer *peer,
                              uint32_t timeout_ms)
{
    struct fields fields = {.count = 0};
    char who[128];

    if (!allow(services, vm))
        return;
    log_line(LOG_WARNING,
             "%sconnected and did not send its capabilities within %u ms "
             "(handshake_timeout_ms); that connection is closed",
             caller(vm, peer, who, sizeof(who)), timeout_ms);
    fields_text(&fields, "phase", "capabilities");
    fields_number(&fields, "timeout_ms", timeout_ms);
    emit(services, vm, peer, TELEMETRY_HANDSHAKE_TIMEOUT, &fields);
}

void report_unvouched(struct vm *vm, const struct peer *peer, uint32_t timeout_ms)
{
    const char *path = vm->config->device_host.qmp;
    struct fields fields = {.count = 0};

    if (vm->unvouched_told || !allow(vm->services, vm))
        return;
    vm->unvouched_told = true;
    log_vm(LOG_WARNING, vm->config->name, vm->boot.id,
           "cannot serve who has CID %u: the QMP socket \"%s\" of this VM's QEMU does not answer, "
           "so it may be another process; it is served when QMP answers; start QEMU with "
           "-qmp unix:%s,server=on,wait=off, or see who else has /dev/vhost-vsock open",
           peer->cid, path, path);
    fields_text(&fields, "phase", "device-host");
    fields_number(&fields, "timeout_ms", timeout_ms);
    emit(vm->services, vm, peer, TELEMETRY_HANDSHAKE_TIMEOUT, &fields);
}
