/* vm: one virtual machine: its birth and end, and the one connection that its guest has. */
#include "vm.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "exec_parts.h"
#include "guest_event.h"
#include "report.h"
#include "vm_life.h"
#include "vm_parts.h"

#include "protocol/frame.h"
#include "protocol/welcome.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void on_warning(void *userdata, const char *remark)
{
    struct vm *vm = userdata;
    struct fields fields = {.count = 0};

    log_line(LOG_WARNING, "%s", remark);
    fields_text(&fields, "text", remark);
    report_emit(vm, TELEMETRY_CONFIG_WARNING, &fields);
}

static int add_devices(struct vm *vm)
{
    struct share *share;
    int r;

    for (size_t i = 0; i < vm->config->share_count; i++) {
        r = share_new(vm, &vm->config->shares[i], true, &share);
        if (r < 0 && r != -EEXIST)
            return r;
        /* one that was added at runtime has become the file's */
        if (r == -EEXIST)
            share_find(vm, vm->config->shares[i].tag)->configured = true;
    }
    for (size_t i = 0; i < vm->config->network_count; i++) {
        r = adapter_new(vm, vm->settings, &vm->config->networks[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int start(struct vm *vm)
{
    struct json_object *memory;
    int r;

    r = guest_new(vm->services->event, &vm->guest);
    if (r < 0)
        return r;
    vm->policy = policy_decide(vm->settings->config, vm->config, on_warning, vm);
    memory = vm_recall(vm);
    r = device_host_new(vm->services->event, vm->config, vm->services->config->state_dir, memory,
                        &vm_device_host_events, vm, &vm->host);
    (void)json_object_put(memory);
    if (r < 0)
        return r;
    r = add_devices(vm);
    if (r < 0)
        return r;
    vm_await_guest(vm);
    return 0;
}

int vm_new(struct services *services, struct settings *settings, const struct config_vm *config,
           struct vm **ret_vm)
{
    struct vm *vm = calloc(1, sizeof(*vm));
    int r;

    if (!vm)
        return -ENOMEM;
    vm->services = services;
    vm->settings = settings_ref(settings);
    vm->host_settings = settings_ref(settings);
    vm->config = config;
    TAILQ_INIT(&vm->handshakes.queue);
    if (getrandom(&vm->exec_next, sizeof(vm->exec_next), GRND_NONBLOCK) < 0)
        vm->exec_next = (uint32_t)clock_real_us();
    r = start(vm);
    if (r < 0) {
        (void)vm_free(vm);
        return r;
    }
    *ret_vm = vm;
    return 0;
}

struct vm *vm_free(struct vm *vm)
{
    if (!vm)
        return NULL;
    execs_orphan(vm);
    if (vm->connection) {
        vm->connection = connection_free(vm->connection);
        guest_attach(vm->guest, NULL);
    }
    vm_save_flush(vm);
    vm->refused = connection_free(vm->refused);
    report_dropped(vm);
    while (vm->operations)
        operation_finish(vm->operations, ECANCELED, "the daemon lets go of the VM");
    vm->host = device_host_free(vm->host, false);
    shares_done(vm);
    adapters_done(vm);
    vm->guest = guest_free(vm->guest);
    payload_reset(vm);
    warned_done(&vm->warned);
    silence_done(&vm->silence);
    (void)sd_event_source_disable_unref(vm->connect_timer);
    (void)sd_event_source_disable_unref(vm->refused_timer);
    (void)sd_event_source_disable_unref(vm->dropped_timer);
    (void)sd_event_source_disable_unref(vm->save_timer);
    (void)sd_event_source_disable_unref(vm->leave_timer);
    free(vm->host_error);
    (void)settings_unref(vm->settings);
    (void)settings_unref(vm->host_settings);
    free(vm);
    return NULL;
}

const struct config_vm *vm_config(const struct vm *vm)
{
    return vm->config;
}

unsigned vm_count_connection(struct vm *vm, int change)
{
    vm->connections += (unsigned)change;
    return vm->connections;
}

struct vm_handshakes *vm_handshakes(struct vm *vm)
{
    return &vm->handshakes;
}

const struct guest_capabilities *vm_boot_report(const struct vm *vm)
{
    return vm->boot.known ? &vm->boot.capabilities : NULL;
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

static void set_ended(struct vm *vm, bool ended)
{
    if (vm->ended != ended)
        vm_save_soon(vm);
    vm->ended = ended;
}

/* There is no accepted connection any more. */
static void lose_connection(struct vm *vm, const char *reason, int error)
{
    vm_count_connection(vm, -1);
    report_disconnected(vm, reason, error);
    bringup_end(vm);
    guest_attach(vm->guest, NULL);
    execs_fail(vm, "the guest's connection ended");
    set_ended(vm, vm->ended || vm->boot.farewell);
    vm_said_farewell(vm);
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
    vm->services->counters.malformed++;
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
        log_vm(LOG_WARNING, vm->config->name, vm->boot.id,
               "the guest does not read what it is sent, and %u bytes are held for it "
               "(limits.connection_bytes); its connection is closed",
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

static void welcome(struct vm *vm, uint32_t id, uint16_t minor, uint32_t status)
{
    uint8_t payload[WELCOME_SIZE + LIMITS_VM_NAME];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    welcome_pack(&writer, &(struct welcome){.major = PROTOCOL_MAJOR,
                                            .minor = minor,
                                            .status = status,
                                            .name = wire_text_of(vm->config->name)});
    (void)connection_send(vm->connection, FRAME_WELCOME, FRAME_FLAG_ANSWER, id, payload,
                          writer.size);
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
        break;
    case SESSION_PONG:
        guest_reply(vm->guest, frame->id, 0, "");
        break;
    case SESSION_UNSUPPORTED:
        guest_reply(vm->guest, frame->id, ENOSYS, "this host does not know that request");
        break;
    case SESSION_ACCEPT:
        welcome(vm, frame->id, decision.minor, WELCOME_ACCEPTED);
        break;
    case SESSION_REFUSE:
        welcome(vm, frame->id, PROTOCOL_MINOR, decision.status);
        vm->services->counters.refused[decision.status]++;
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

    boot_begin(&vm->boot, report, vm->config->memory);
    vm->boot.timings.accepted_us = clock_real_us() - ago_us;
    vm->boot.timings.capabilities_ms = (uint32_t)(ago_us / 1000u);
    vm->accepted_us = accepted_us;
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

    vm_drop_connection(vm, "replaced", 0);
    vm->connection = connection;
    vm->session = (struct session){.state = SESSION_ACCEPTED};
    vm->shutting_down = false;
    set_ended(vm, false);
    vm->boot.farewell = false;
    vm->last_seen_us = clock_real_us();
    connection_set_events(connection, &connection_events, vm);
    guest_attach(vm->guest, connection);
    silence_begin(vm);
    welcome(vm, id, decision->minor, WELCOME_ACCEPTED);
    counters->accepted++;
    latency_add(&vm->services->latencies.handshake, clock_now_us() - accepted_us);
    if (decision->same_boot)
        report_connected(vm, true);
    else
        begin_boot(vm, &decision->capabilities, accepted_us);
    vm_tell_host_error(vm);
    /* one that is back in the same boot brings nothing new to remember */
    if (!decision->same_boot || vm->unsaved)
        vm_save_soon(vm);
    bringup_begin(vm, decision->same_boot);
}
