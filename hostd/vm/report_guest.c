/* report guest: what guests say and do once they are accepted. */
#include "base/limits.h"
#include "base/log.h"
#include "report.h"
#include "services.h"
#include "telemetry/fields.h"
#include "vm_parts.h"

#include "protocol/pool.h"
#include "protocol/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Linux' IO_TLB_SIZE. */
#define SWIOTLB_SLOT_BYTES 2048u
/* What is advised is a number of MiB that a person remembers, and that a guest's kernel keeps. */
#define GRANULE (UINT64_C(2) << 20)

#define SAY(vm, level, ...) log_vm(level, (vm)->config->name, (vm)->boot.id, __VA_ARGS__)

void report_connected(struct vm *vm, bool same_boot)
{
    const struct guest_capabilities *c = &vm->boot.capabilities;
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_CONNECT))
        return;
    SAY(vm, LOG_INFO, "the guest %s: Linux %s, guestlink-init %s",
        same_boot ? "is back" : "connected", c->kernel_release, c->init_version);
    fields_text(&fields, "release", c->kernel_release);
    fields_text(&fields, "init_version", c->init_version);
    fields_flag(&fields, "same_boot", same_boot);
    fields_number(&fields, "started_ns", c->started_ns);
    fields_number(&fields, "sent_ns", c->sent_ns);
    report_emit(vm, TELEMETRY_GUEST_CONNECTED, &fields);
}

static void add_pool(struct fields *fields, const struct guest_capabilities *c)
{
    fields_address(fields, "HvPciSwiotlbBase", c->swiotlb_base);
    fields_number(fields, "HvPciSwiotlbSize", c->swiotlb_size);
    fields_text(fields, "SwiotlbKind", capabilities_pool_kind(c));
}

/* "6.18.26.3-1" begins with three numbers; those that a release lacks are 0. */
static void read_numbers(const char *release, unsigned long ret_numbers[3])
{
    char *end = NULL;

    for (unsigned i = 0; i < 3; i++) {
        ret_numbers[i] = strtoul(release, &end, 10);
        release = end != release && *end == '.' ? end + 1 : "";
    }
}

void report_kernel(struct vm *vm)
{
    const struct guest_capabilities *c = &vm->boot.capabilities;
    struct fields fields = {.count = 0};
    unsigned long numbers[3];

    if (!report_allow(vm, ALLOWANCE_CONNECT))
        return;
    read_numbers(c->kernel_release, numbers);
    fields_text(&fields, "release", c->kernel_release);
    fields_number(&fields, "version", numbers[0]);
    fields_number(&fields, "revision", numbers[1]);
    fields_number(&fields, "minor", numbers[2]);
    fields_flag(&fields, "SeccompAvailable", c->features & CAPABILITIES_SECCOMP_USER_NOTIF);
    add_pool(&fields, c);
    report_emit(vm, TELEMETRY_GUEST_KERNEL_INFO, &fields);
}

void report_capabilities(struct vm *vm, enum telemetry_event event)
{
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_CONNECT))
        return;
    fields_address(&fields, "features", vm->boot.capabilities.features);
    add_pool(&fields, &vm->boot.capabilities);
    if (event == TELEMETRY_APPLY_GUEST_CAPABILITIES) {
        if (boot_has_token(&vm->boot))
            SAY(vm, LOG_INFO, "devices get the token %s (%s pool)", vm->boot.token,
                capabilities_pool_kind(&vm->boot.capabilities));
        if (boot_pool_is_dynamic(&vm->boot))
            SAY(vm, LOG_WARNING,
                "the guest's kernel (CONFIG_SWIOTLB_DYNAMIC) uses other memory once its pool is "
                "full; not confining any device to the pool; to confine them, boot a kernel "
                "without that option");
        fields_text(&fields, "token", vm->boot.token);
    }
    report_emit(vm, event, &fields);
}

static void report_rejected(struct vm *vm)
{
    const struct guest_capabilities *c = &vm->boot.capabilities;
    const char *text = pool_verdict_text(vm->boot.verdict);
    struct fields fields = {.count = 0};

    SAY(vm, LOG_WARNING,
        "refused the guest's SWIOTLB pool of %" PRIu64 " bytes at 0x%" PRIx64
        ": %s; creating devices without a token; check the guest's kernel %s, or set swiotlb to "
        "off or to a smaller size",
        c->swiotlb_size, c->swiotlb_base, text, c->kernel_release);
    add_pool(&fields, c);
    fields_text(&fields, "reason", pool_verdict_name(vm->boot.verdict));
    fields_text(&fields, "text", text);
    fields_text(&fields, "release", c->kernel_release);
    fields_number(&fields, "memory", vm->config->memory);
    report_emit(vm, TELEMETRY_SWIOTLB_POOL_REJECTED, &fields);
}

static void report_unsupported(struct vm *vm, const char *reason, const char *text,
                               const char *advice)
{
    struct fields fields = {.count = 0};

    SAY(vm, LOG_WARNING, "%s (kernel %s); creating devices without a token; %s", text,
        vm->boot.capabilities.kernel_release, advice);
    fields_text(&fields, "reason", reason);
    fields_text(&fields, "release", vm->boot.capabilities.kernel_release);
    fields_text(&fields, "text", text);
    fields_text(&fields, "advice", advice);
    report_emit(vm, TELEMETRY_SWIOTLB_KERNEL_UNSUPPORTED, &fields);
}

void report_pool_trouble(struct vm *vm, enum boot_pool_trouble trouble)
{
    if (trouble == BOOT_POOL_FINE || !report_allow(vm, ALLOWANCE_CONNECT))
        return;
    switch (trouble) {
    case BOOT_POOL_NOT_ASKED:
        report_unsupported(vm, "not-on-command-line",
                           "a SWIOTLB pool is configured, but the guest's kernel command line "
                           "does not request one",
                           "add what `guestlinkctl cmdline` prints to the guest's kernel command "
                           "line");
        break;
    case BOOT_POOL_OLD_KERNEL:
        report_unsupported(vm, "kernel-too-old",
                           "the guest's kernel does not know hv_pci_swiotlb, and reports no "
                           "default pool either",
                           "add what `guestlinkctl cmdline` prints to the guest's kernel command "
                           "line (swiotlb=…,force gives any kernel a pool), update the guest's "
                           "kernel, or set swiotlb to off");
        break;
    case BOOT_POOL_NOT_MADE:
        report_unsupported(vm, "allocation-failed",
                           "the guest's kernel could not reserve its SWIOTLB pool below 4 GiB",
                           "give the VM more memory, or set swiotlb to a smaller size");
        break;
    case BOOT_POOL_REJECTED:
        report_rejected(vm);
        break;
    case BOOT_POOL_FINE:
        break;
    }
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Twice the pool that there is: one that the host found usable, or else the one that it asked for.
 * No number that a guest says unchecked comes into it. The guest's kernel makes its pool as its
 * command line says: a stock kernel by swiotlb=, another by hv_pci_swiotlb=. */
static void pool_advice(const struct vm *vm, char *text, size_t size)
{
    uint64_t there = vm->boot.verdict == POOL_USABLE ? vm->boot.capabilities.swiotlb_size
                                                     : vm->policy.swiotlb_bytes;
    uint64_t twice = there ? 2 * there + GRANULE - 1 : POLICY_SWIOTLB_AUTO_BYTES;
    uint64_t largest = boot_pool_most(vm->config->memory) / 2;
    uint64_t wanted = smaller(twice, largest) / GRANULE * GRANULE;

    if (wanted > there && vm->boot.capabilities.features & CAPABILITIES_SWIOTLB_DEFAULT)
        (void)snprintf(text, size,
                       "set \"swiotlb\" of the VM to \"%" PRIu64 "M\" and restart it with "
                       "swiotlb=%" PRIu64 ",force on its kernel command line (see "
                       "`guestlinkctl cmdline`)",
                       wanted >> 20, policy_swiotlb_slots(wanted));
    else if (wanted > there)
        (void)snprintf(text, size,
                       "set \"swiotlb\" of the VM to \"%" PRIu64 "M\" and restart it with "
                       "hv_pci_swiotlb=%" PRIu64 " on its kernel command line (see "
                       "`guestlinkctl cmdline`)",
                       wanted >> 20, wanted);
    else
        (void)snprintf(text, size,
                       "give the VM more memory and a larger \"swiotlb\", which can be half of it "
                       "and is below 4 GiB, and restart it");
}

void report_pool_exhausted(struct vm *vm, const struct event_pool_exhausted *exhausted)
{
    uint64_t most = boot_pool_most(vm->config->memory);
    uint64_t total = smaller(exhausted->total, most / SWIOTLB_SLOT_BYTES);
    uint64_t used = smaller(exhausted->used, total);
    struct fields fields = {.count = 0};
    char advice[LIMITS_TEXT];

    if (!report_allow(vm, ALLOWANCE_EXHAUSTED))
        return;
    pool_advice(vm, advice, sizeof(advice));
    SAY(vm, LOG_WARNING,
        "the guest's SWIOTLB pool is full: %" PRIu64 " of %" PRIu64 " slots used, %" PRIu64
        " mappings failed so far; %s",
        used, total, exhausted->count, advice);
    fields_number(&fields, "count", exhausted->count);
    fields_number(&fields, "used", used);
    fields_number(&fields, "total", total);
    fields_number(&fields, "bytes", smaller(exhausted->bytes, most));
    fields_text(&fields, "advice", advice);
    report_emit(vm, TELEMETRY_SWIOTLB_POOL_EXHAUSTED, &fields);
}

void report_ready(struct vm *vm, bool again)
{
    const struct vm_timings *t = &vm->boot.timings;
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_READY))
        return;
    if (again)
        SAY(vm, LOG_INFO, "ready again");
    else
        SAY(vm, LOG_INFO, "ready, %u ms after it connected", t->ready_ms);
    fields_flag(&fields, "again", again);
#define HOST(name)  fields_number(&fields, "host_" #name, t->name);
#define GUEST(name) fields_number(&fields, #name, t->guest.name);
    VM_TIMINGS_GUEST(GUEST)
    VM_TIMINGS_HOST(HOST)
    report_emit(vm, TELEMETRY_GUEST_READY, &fields);
}

void report_child_exit(struct vm *vm, const struct event_child_exited *exited)
{
    bool payload = exited->role == REQUEST_ROLE_PAYLOAD;
    bool again = exited->again_ms != EVENT_NOT_AGAIN;
    struct output_tail *tail = &vm->payload.output;
    char output[OUTPUT_TAIL_BYTES + 1];
    struct fields fields = {.count = 0};

    if (!report_allow(vm, payload ? ALLOWANCE_PAYLOAD : ALLOWANCE_COMMAND))
        return;
    if (payload)
        report_last_output(vm);
    SAY(vm, payload && exited->status != 0 ? LOG_WARNING : LOG_INFO,
        "the %s %u exited with status %u%s", payload ? "payload" : "command", exited->process,
        exited->status, again ? "; restarting it" : "");
    fields_number(&fields, "process", exited->process);
    fields_text(&fields, "role", payload ? "payload" : "command");
    fields_number(&fields, "status", exited->status);
    fields_number(&fields, "signal", exited->signal);
    fields_number(&fields, "pid", exited->pid);
    fields_number(&fields, "restarts", exited->restarts);
    if (again)
        fields_number(&fields, "again_ms", exited->again_ms);
    fields_number(&fields, "exited_ns", exited->exited_ns);
    if (payload && output_tail_copy(tail, false, output) > 0)
        fields_text(&fields, "output", output);
    if (payload)
        output_tail_clear(tail);
    report_emit(vm, TELEMETRY_CHILD_EXIT, &fields);
}

void report_guest_log(struct vm *vm, const struct event_log_record *record)
{
    int level = record->level <= LOG_DEBUG ? record->level : LOG_INFO;
    struct fields fields = {.count = 0};
    char text[LIMITS_TEXT];

    if (!report_allow(vm, ALLOWANCE_LOG))
        return;
    text_take(record->text, text, sizeof(text));
    SAY(vm, level < LOG_ERR ? LOG_ERR : level, "guest log: %s", text);
    fields_number(&fields, "level", record->level);
    fields_number(&fields, "time_ns", record->time_ns);
    if (record->dropped > 0)
        fields_number(&fields, "dropped", record->dropped);
    fields_text(&fields, "text", text);
    report_emit(vm, TELEMETRY_GUEST_LOG, &fields);
}

void report_clock_stepped(struct vm *vm, const struct event_clock_stepped *stepped)
{
    const bool is_ahead = stepped->before_ns > stepped->after_ns;
    const uint64_t by_ns =
        is_ahead ? stepped->before_ns - stepped->after_ns : stepped->after_ns - stepped->before_ns;
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_CLOCK))
        return;
    SAY(vm, LOG_NOTICE, "the guest's clock was %" PRIu64 " ms %s; stepped it", by_ns / 1000000u,
        is_ahead ? "ahead" : "behind");
    fields_number(&fields, "before", stepped->before_ns);
    fields_number(&fields, "after", stepped->after_ns);
    report_emit(vm, TELEMETRY_CLOCK_STEPPED, &fields);
}

void report_farewell(struct vm *vm, const struct event_farewell *farewell)
{
    static const char *const hows[] = {"power-off", "reboot", "halt"};
    static const char *const reasons[] = {"host", "signal", "host-loss", "payload"};
    const char *how = farewell->how < 3 ? hows[farewell->how] : "unknown";
    const char *reason = farewell->reason < 4 ? reasons[farewell->reason] : "unknown";
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_FAREWELL))
        return;
    SAY(vm, LOG_INFO, "the guest sent farewell: %s, requested by %s", how, reason);
    fields_text(&fields, "how", how);
    fields_text(&fields, "reason", reason);
    fields_number(&fields, "killed", farewell->killed);
    fields_number(&fields, "mounted", farewell->mounted);
    report_emit(vm, TELEMETRY_GUEST_FAREWELL, &fields);
}

void report_disconnected(struct vm *vm, const char *reason, int error)
{
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_DISCONNECT))
        return;
    report_last_output(vm);
    SAY(vm, LOG_INFO, "the guest disconnected: %s%s%s", reason, error ? ": " : "",
        error ? strerrordesc_np(error) : "");
    fields_text(&fields, "reason", reason);
    if (error)
        fields_number(&fields, "error", (uint64_t)error);
    fields_flag(&fields, "farewell", vm->boot.farewell);
    report_emit(vm, TELEMETRY_GUEST_DISCONNECTED, &fields);
}

static void say_payload(struct vm *vm, const char *program, int error, const char *text)
{
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_DEVICE))
        return;
    if (error)
        SAY(vm, LOG_ERR,
            "cannot start the payload %s: %s (%s); fix \"payload\" in the configuration", program,
            strerrordesc_np(error), text);
    else
        SAY(vm, LOG_INFO, "started the payload %s", program);
    fields_text(&fields, "argv0", program);
    fields_number(&fields, "error", (uint64_t)error);
    fields_text(&fields, "text", text);
    report_emit(vm, TELEMETRY_START_PAYLOAD, &fields);
}

void report_payload(struct vm *vm, int error, const char *text)
{
    /* A reload may have removed it while it starts. */
    const struct config_strings *argv = &vm->config->payload.argv;
    const char *program = argv->count > 0 ? argv->items[0] : "(removed from the configuration)";

    say_payload(vm, program, error, text);
    if (error == ETIMEDOUT)
        report_timeout(vm, "payload", vm->config->timeouts.payload, program);
}

void report_step_failed(struct vm *vm, const char *step, int error, const char *text)
{
    if (report_allow(vm, ALLOWANCE_STEP))
        SAY(vm, LOG_WARNING, "%s failed in the guest: %s%s%s; the guest continues without it", step,
            strerrordesc_np(error), *text ? ": " : "", text);
}

void report_timeout(struct vm *vm, const char *phase, uint32_t timeout_ms, const char *what)
{
    struct fields fields = {.count = 0};

    if (!report_allow(vm, ALLOWANCE_FAILURE))
        return;
    SAY(vm, LOG_ERR,
        "phase %s%s%s: no answer within %u ms (timeouts_ms.%s); the daemon "
        "continues without it",
        phase, what ? " of " : "", what ? what : "", timeout_ms, phase);
    fields_text(&fields, "phase", phase);
    fields_number(&fields, "timeout_ms", timeout_ms);
    if (what)
        fields_text(&fields, "device", what);
    report_emit(vm, TELEMETRY_GUEST_TIMEOUT, &fields);
}
