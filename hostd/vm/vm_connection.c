/*
 * vm connection: the one connection that the VM's guest has: waited for, taken, listened to,
 * refused, lost.
 */
#include "vm_connection.h"

#include "base/clock.h"
#include "base/limits.h"
#include "device/device_host.h"
#include "exec_parts.h"
#include "guest/greeting.h"
#include "guest/guest.h"
#include "guest_event.h"
#include "operation.h"
#include "report.h"
#include "services.h"
#include "vm_parts.h"

#include "protocol/frame.h"
#include "protocol/welcome.h"

#include <errno.h>

unsigned vm_count_connection(struct vm *vm, int change)
{
    vm->connections += (unsigned)change;
    return vm->connections;
}

struct vm_handshakes *vm_handshakes(struct vm *vm)
{
    return &vm->handshakes;
}

bool vm_is_vouched(const struct vm *vm)
{
    return device_host_vouches(vm->host);
}

const struct guest_capabilities *vm_boot_report(const struct vm *vm)
{
    return vm->boot.known ? &vm->boot.capabilities : NULL;
}

/* A VM that was not started yet has no VMM, which is no failure: it is one when a guest is there,
 * or should be. */
void vm_tell_host_error(struct vm *vm)
{
    if (!vm->host_error || vm->host_error_told || vm->ended)
        return;
    vm->host_error_told = true;
    report_device_failed(vm, "device-host",
                         vm->config->device_host.qmp ? vm->config->device_host.qmp : "device-host",
                         "device", ENOTCONN, vm->host_error);
}

static int on_connect_late(sd_event_source *source, uint64_t at_us, void *userdata)
{
    struct vm *vm = userdata;

    (void)source;
    (void)at_us;
    /* it is left to go off: a guest that calls often would pay for disarming it each time */
    if (vm->connection || vm->ended)
        return 0;
    vm_tell_host_error(vm);
    report_timeout(vm, "connect", vm->config->timeouts.connect, NULL);
    return 0;
}

void vm_await_guest(struct vm *vm)
{
    if (!vm->connection)
        (void)clock_arm(vm->services->event, &vm->connect_timer, vm->config->timeouts.connect,
                        on_connect_late, vm);
}

static int on_farewell_late(sd_event_source *source, uint64_t at_us, void *userdata)
{
    struct vm *vm = userdata;

    (void)source;
    (void)at_us;
    if (!vm->connection || !vm->boot.farewell)
        return 0;
    report_line(
        vm, ALLOWANCE_FAREWELL, LOG_WARNING,
        "the guest sent farewell, but its VM still runs %u ms later; closing the connection; if "
        "the guest was to power off: a VM without ACPI needs guestlink.poweroff=reboot on the "
        "kernel command line, and a VMM that exits at a reboot",
        LIMITS_AFTER_FAREWELL_MS);
    vm_drop_connection(vm, "farewell", 0);
    return 0;
}

static void await_end(struct vm *vm)
{
    (void)clock_arm(vm->services->event, &vm->farewell_timer, LIMITS_AFTER_FAREWELL_MS,
                    on_farewell_late, vm);
}

void vm_set_ended(struct vm *vm, bool ended)
{
    if (vm->ended != ended)
        saver_soon(&vm->saver);
    vm->ended = ended;
}

/* There is no accepted connection any more. */
static void lose_connection(struct vm *vm, const char *reason, int error)
{
    vm_count_connection(vm, -1);
    report_disconnected(vm, reason, error);
    bringup_end(vm);
    guest_attach(vm->guest, NULL);
    execs_fail(vm, "the guest's connection closed");
    vm_set_ended(vm, vm->ended || vm->boot.farewell);
    operations_end_shut_down(vm);
    if (!vm->ended)
        vm_await_guest(vm);
}

void vm_drop_connection(struct vm *vm, const char *reason, int error)
{
    if (!vm->connection)
        return;
    vm->connection = connection_free(vm->connection);
    lose_connection(vm, reason, error);
}

static void violate(struct vm *vm, const char *reason)
{
    report_protocol_error(vm->services, vm, NULL, reason);
    vm_drop_connection(vm, "protocol-error", 0);
}

static void on_ended(void *userdata, enum connection_end how, int error)
{
    struct vm *vm = userdata;

    switch (how) {
    case CONNECTION_END_MAGIC:
        violate(vm, "magic");
        break;
    case CONNECTION_END_LENGTH:
        violate(vm, "length");
        break;
    case CONNECTION_END_SLOW:
        vm->services->counters.slow_guests++;
        report_line(vm, ALLOWANCE_RESET, LOG_WARNING,
                    "the guest does not read its messages, and %u bytes are buffered "
                    "(limits.connection_bytes); closing the connection",
                    vm->services->config->limits.connection_bytes);
        vm_drop_connection(vm, "does-not-read", 0);
        break;
    case CONNECTION_END_MEMORY:
        vm_drop_connection(vm, "no-memory", error);
        break;
    case CONNECTION_END_PEER:
        vm_drop_connection(vm, "closed", error);
        break;
    }
}

static void on_refused_ended(void *userdata, enum connection_end how, int error)
{
    struct vm *vm = userdata;

    (void)how;
    (void)error;
    vm->refused = connection_free(vm->refused);
}

static int on_refused_read(sd_event_source *source, uint64_t at_us, void *userdata)
{
    (void)source;
    (void)at_us;
    on_refused_ended(userdata, CONNECTION_END_PEER, 0);
    return 0;
}

static void on_refused_frame(void *userdata, const struct frame *frame)
{
    (void)userdata;
    (void)frame;
}

/* A close would take what was said last with it, where the guest has sent more already. */
static void linger(struct vm *vm)
{
    static const struct connection_events events = {.frame = on_refused_frame,
                                                    .ended = on_refused_ended};

    vm->refused = connection_free(vm->refused);
    if (clock_arm(vm->services->event, &vm->refused_timer, LIMITS_REFUSAL_LINGER_MS,
                  on_refused_read, vm) < 0) {
        vm_drop_connection(vm, "refused", 0);
        return;
    }
    vm->refused = vm->connection;
    vm->connection = NULL;
    connection_set_events(vm->refused, &events, vm);
    lose_connection(vm, "refused", 0);
}

static void on_frame(void *userdata, const struct frame *frame)
{
    struct vm *vm = userdata;
    struct session_facts facts = {.known = true, .privileged = true, .boot = vm_boot_report(vm)};
    struct session_decision decision;

    vm->last_seen_us = clock_real_us();
    silence_break(&vm->silence);
    session_judge(&vm->session, frame, &facts, &decision);
    switch (decision.verdict) {
    case SESSION_ANSWER:
        if (guest_take_answer(vm->guest, frame) != 0)
            violate(vm, "struct-size");
        break;
    case SESSION_EVENT:
        if (guest_event_take(vm, frame) != 0)
            violate(vm, "malformed-event");
        else if (frame->type == FRAME_FAREWELL)
            await_end(vm);
        break;
    case SESSION_PONG:
        guest_reply(vm->guest, frame->id, 0, "");
        break;
    case SESSION_UNSUPPORTED:
        guest_reply(vm->guest, frame->id, ENOSYS, "this host does not know that request");
        break;
    case SESSION_ACCEPT:
        greeting_send(vm->connection, frame->id, decision.minor, WELCOME_ACCEPTED,
                      vm->config->name);
        break;
    case SESSION_REFUSE:
        greeting_send(vm->connection, frame->id, PROTOCOL_MINOR, decision.status, vm->config->name);
        report_refused(vm->services, vm, NULL, decision.status, decision.reason);
        linger(vm);
        break;
    case SESSION_VIOLATION:
        violate(vm, decision.reason);
        break;
    case SESSION_IGNORE:
        break;
    }
}

static const struct connection_events connection_events = {.frame = on_frame, .ended = on_ended};

static uint32_t silence_timeout_ms(void *userdata)
{
    const struct vm *vm = userdata;

    return vm->connection ? vm->config->timeouts.silence : 0;
}

static bool silence_is_held_back(void *userdata)
{
    return connection_is_paused(((const struct vm *)userdata)->connection);
}

static void silence_ask(void *userdata)
{
    struct vm *vm = userdata;

    (void)guest_ask(vm->guest, FRAME_PING, NULL, 0, LIMITS_ANSWER_MS, NULL, NULL);
    guest_clock_check(vm); /* the answer of one that was asleep comes late */
}

static void silence_tick(void *userdata)
{
    guest_clock_tick(userdata);
}

static void silence_over(void *userdata)
{
    struct vm *vm = userdata;

    report_timeout(vm, "silence", vm->config->timeouts.silence, NULL);
    vm_drop_connection(vm, "silence", ETIMEDOUT);
}

static const struct silence_events silence_events = {.timeout_ms = silence_timeout_ms,
                                                     .is_held_back = silence_is_held_back,
                                                     .ask = silence_ask,
                                                     .tick = silence_tick,
                                                     .over = silence_over};

/* A pool was asked for and there is none: said once for a kernel release. */
static void warn_of_pool(struct vm *vm)
{
    enum boot_pool_trouble trouble = boot_pool_trouble(&vm->boot);

    if (trouble == BOOT_POOL_FINE || vm->policy.swiotlb_bytes == 0 || vm->config->bundled_kernel ||
        !warned_note(&vm->warned, vm->boot.capabilities.kernel_release))
        return;
    report_pool_trouble(vm, trouble);
}

static void begin_boot(struct vm *vm, const struct guest_capabilities *report, uint64_t accepted_us)
{
    uint64_t ago_us = clock_now_us() - accepted_us;

    boot_begin(&vm->boot, report, vm->config);
    vm->boot.timings.accepted_us = clock_real_us() - ago_us;
    vm->boot.timings.capabilities_ms = (uint32_t)(ago_us / 1000u);
    vm->boot.accepted_us = accepted_us;
    vm->exhausted = 0;
    vm->exhausted_us = 0;
    payload_reset(vm);
    vm->services->counters.boots++;
    report_connected(vm, false);
    report_kernel(vm);
    report_capabilities(vm, TELEMETRY_READ_GUEST_CAPABILITIES);
    report_capabilities(vm, TELEMETRY_APPLY_GUEST_CAPABILITIES);
    warn_of_pool(vm);
}

void vm_take_connection(struct vm *vm, struct connection *connection, uint32_t id,
                        const struct session_decision *decision, uint64_t accepted_us)
{
    struct daemon_counters *counters = &vm->services->counters;
    const uint64_t away_us = clock_real_us() - vm->last_seen_us;

    vm_drop_connection(vm, "replaced", 0);
    vm->connection = connection;
    vm->session = (struct session){.state = SESSION_ACCEPTED};
    vm->shutting_down = false;
    vm_set_ended(vm, false);
    vm->boot.farewell = false;
    vm->last_seen_us = clock_real_us();
    connection_set_events(connection, &connection_events, vm);
    guest_attach(vm->guest, connection);
    silence_begin(&vm->silence, vm->services->event, &silence_events, vm);
    greeting_send(connection, id, decision->minor, WELCOME_ACCEPTED, vm->config->name);
    counters->accepted++;
    latency_add(&vm->services->latencies.handshake, clock_now_us() - accepted_us);
    if (decision->same_boot)
        report_connected(vm, true);
    else
        begin_boot(vm, &decision->capabilities, accepted_us);
    vm_tell_host_error(vm);
    /* one that is back in the same boot brings nothing new to remember */
    if (!decision->same_boot || vm->unsaved)
        saver_soon(&vm->saver);
    if (!decision->same_boot || away_us >= LIMITS_CLOCK_AWAY_MS * UINT64_C(1000))
        guest_clock_begin(vm, decision->same_boot);
    bringup_begin(vm, decision->same_boot);
}
