/* report: the allowance that all lines about VMs pass, and what happens before a guest is accepted.
 */
#include "report.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "guest/listener.h"
#include "services.h"
#include "telemetry/fields.h"
#include "vm_parts.h"

#include "protocol/limits.h"
#include "protocol/welcome.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void report_emit(struct vm *vm, enum telemetry_event event, const struct fields *fields)
{
    struct telemetry_source source = {.vm = vm->config->name,
                                      .vm_id = vm->config->id,
                                      .boot_id = vm->boot.known ? vm->boot.id : NULL};

    telemetry_emit(vm->services->telemetry, event, &source, fields);
}

/* One line of the log for all kinds, and one event for each. */
static void tell_dropped(struct services *services, struct vm *vm)
{
    struct allowances *allowances = vm ? &vm->allowances : &services->nobodys;
    char text[LIMITS_TEXT];
    size_t used = 0;

    allowances->awaited = false;
    for (unsigned kind = 0; kind < ALLOWANCE_KINDS; kind++) {
        uint64_t count = rate_take_dropped(&allowances->rates[kind]);
        struct fields fields = {.count = 0};

        if (count == 0)
            continue;
        allowances->told += count;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %" PRIu64,
                                 used > 0 ? ", " : "", allowance_reason(kind), count);
        fields_number(&fields, "count", count);
        fields_text(&fields, "reason", allowance_reason(kind));
        if (vm)
            report_emit(vm, TELEMETRY_EVENTS_DROPPED, &fields);
        else
            telemetry_emit(services->telemetry, TELEMETRY_EVENTS_DROPPED, NULL, &fields);
    }
    if (used > 0 && vm)
        log_vm(LOG_WARNING, vm->config->name, vm->boot.id,
               "events dropped: the guest exceeded its limit (%s); see "
               "limits.guest_events_per_s and limits.payload_output_per_s",
               text);
    else if (used > 0)
        log_line(LOG_WARNING,
                 "events dropped: connections that belong to no VM exceeded their limit (%s)",
                 text);
}

void report_dropped(struct vm *vm)
{
    tell_dropped(vm->services, vm);
}

void report_nobodys_dropped(struct services *services)
{
    tell_dropped(services, NULL);
}

static int on_dropped(sd_event_source *source, uint64_t at_us, void *userdata)
{
    (void)source;
    (void)at_us;
    report_dropped(userdata);
    return 0;
}

static int on_nobodys_dropped(sd_event_source *source, uint64_t at_us, void *userdata)
{
    (void)source;
    (void)at_us;
    report_nobodys_dropped(userdata);
    return 0;
}

/* The next telling: soon after the first drop, and not too soon after the last one. Once it is to
 * come, no further drop puts it off. */
static void await_telling(struct services *services, struct vm *vm, uint64_t now_us)
{
    struct allowances *allowances = vm ? &vm->allowances : &services->nobodys;
    uint64_t soon_us = now_us + LIMITS_DROPPED_TELL_MS * UINT64_C(1000);

    if (allowances->awaited)
        return;
    allowances->tell_us = allowances->tell_us + LIMITS_DROPPED_AGAIN_MS * UINT64_C(1000);
    if (allowances->tell_us < soon_us)
        allowances->tell_us = soon_us;
    allowances->awaited =
        clock_arm(services->event, vm ? &vm->dropped_timer : &services->nobodys_dropped_timer,
                  (allowances->tell_us - now_us) / 1000, vm ? on_dropped : on_nobodys_dropped,
                  vm ? (void *)vm : (void *)services) >= 0;
}

bool report_allow_output(struct vm *vm, size_t size)
{
    uint64_t now_us = clock_now_us();

    if (allowance_take_output(&vm->allowances, size, &vm->services->shared_output,
                              &vm->services->config->limits, now_us))
        return true;
    await_telling(vm->services, vm, now_us);
    return false;
}

/* @param vm  NULL: nobody's */
static bool allow(struct services *services, struct vm *vm, enum allowance_kind kind)
{
    uint64_t now_us = clock_now_us();

    if (allowance_take(vm ? &vm->allowances : &services->nobodys, kind, &services->shared_lines,
                       &services->config->limits, now_us))
        return true;
    await_telling(services, vm, now_us);
    return false;
}

bool report_allow(struct vm *vm, enum allowance_kind kind)
{
    return allow(vm->services, vm, kind);
}

void report_line(struct vm *vm, enum allowance_kind kind, int level, const char *format, ...)
{
    va_list arguments;

    if (!report_allow(vm, kind))
        return;
    va_start(arguments, format);
    log_vm_list(level, vm->config->name, vm->boot.id, format, arguments);
    va_end(arguments);
}

void report_accept_paused(struct services *services, const char *reason)
{
    if (allow(services, NULL, ALLOWANCE_FAILURE))
        log_line(LOG_ERR,
                 "cannot accept connections: %s; guests wait until it works again; raise "
                 "LimitNOFILE= of the unit, or lower limits.connections",
                 reason);
}

void report_config_warning(struct vm *vm, const char *remark, bool event)
{
    struct fields fields = {.count = 0};

    log_line(LOG_WARNING, "%s", remark);
    fields_text(&fields, "text", remark);
    if (event)
        report_emit(vm, TELEMETRY_CONFIG_WARNING, &fields);
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

/* Any program in a guest can have a port from 1024 on. */
static enum allowance_kind kind_of(const struct vm *vm, const struct peer *peer)
{
    return !vm || (peer && peer->vsock && peer->port >= LIMITS_PRIVILEGED_PORTS)
               ? ALLOWANCE_STRANGER
               : ALLOWANCE_REFUSAL;
}

/* "vm dev", or who else it was. */
static const char *caller(const struct vm *vm, const struct peer *peer, char *buffer, size_t size)
{
    if (vm)
        (void)snprintf(buffer, size, "vm %s: ", vm->config->name);
    else if (peer && peer->vsock)
        (void)snprintf(buffer, size, "CID %u, port %u: ", peer->cid, peer->port);
    else
        (void)snprintf(buffer, size, "a guest without a VM: ");
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
        return "; guestlink-init of that guest has another protocol version: recreate its image "
               "with this host's guestlink-mkinitramfs";
    default:
        return "";
    }
}

void report_refused(struct services *services, struct vm *vm, const struct peer *peer,
                    uint32_t status, const char *reason)
{
    struct fields fields = {.count = 0};
    char who[128];

    services->counters.refused[status]++;
    if (!allow(services, vm, kind_of(vm, peer)))
        return;
    log_line(LOG_WARNING, "%srefused a connection with status %u: %s (%s)%s",
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

    services->counters.malformed++;
    if (!allow(services, vm, kind_of(vm, peer)))
        return;
    log_line(LOG_WARNING, "%sprotocol error: %s; closed the connection",
             caller(vm, peer, who, sizeof(who)), reason);
    fields_text(&fields, "reason", reason);
    emit(services, vm, peer, TELEMETRY_PROTOCOL_ERROR, &fields);
}

void report_handshake_timeout(struct services *services, struct vm *vm, const struct peer *peer,
                              uint32_t timeout_ms)
{
    struct fields fields = {.count = 0};
    char who[128];

    if (!allow(services, vm, kind_of(vm, peer)))
        return;
    log_line(LOG_WARNING,
             "%sconnected and did not send CAPABILITIES within %u ms (handshake_timeout_ms); "
             "closed the connection",
             caller(vm, peer, who, sizeof(who)), timeout_ms);
    fields_text(&fields, "phase", "capabilities");
    fields_number(&fields, "timeout_ms", timeout_ms);
    emit(services, vm, peer, TELEMETRY_HANDSHAKE_TIMEOUT, &fields);
}

void report_unvouched(struct vm *vm, const struct peer *peer, uint32_t timeout_ms)
{
    const char *path = vm->config->device_host.qmp;
    struct fields fields = {.count = 0};

    if (vm->unvouched_told || !allow(vm->services, vm, kind_of(vm, peer)))
        return;
    vm->unvouched_told = true;
    log_vm(LOG_WARNING, vm->config->name, vm->boot.id,
           "cannot serve the guest with CID %u: QMP socket \"%s\" of this VM's QEMU does not "
           "answer, so another process may have the CID; will serve the guest when QMP answers; "
           "start QEMU with -qmp unix:%s,server=on,wait=off, or find the process that has "
           "/dev/vhost-vsock open",
           peer->cid, path, path);
    fields_text(&fields, "phase", "device-host");
    fields_number(&fields, "timeout_ms", timeout_ms);
    emit(vm->services, vm, peer, TELEMETRY_HANDSHAKE_TIMEOUT, &fields);
}
