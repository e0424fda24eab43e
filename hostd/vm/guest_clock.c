/* guest clock: the time of day of a VM's guest, set right. */
#include "guest_clock.h"

#include "base/clock.h"
#include "base/limits.h"
#include "guest/guest.h"
#include "report.h"
#include "vm_parts.h"

#include "protocol/request.h"

#include <errno.h>
#include <sys/random.h>
#include <syslog.h>
#include <time.h>

#define US_PER_MS UINT64_C(1000)

/* Of this turn of the loop. */
static uint64_t now_us(const struct vm *vm)
{
    uint64_t now = 0;

    (void)sd_event_now(vm->services->event, CLOCK_BOOTTIME, &now);
    return now;
}

/* One that slept with the message unread took a time that was over, and answers late. */
static void on_answer(void *userdata, const struct guest_answer *answer)
{
    struct vm *vm = userdata;
    struct guest_clock *clock = &vm->clock;
    uint64_t took_us = now_us(vm) - clock->sent_us;
    bool again = clock->again || took_us > LIMITS_CLOCK_LATE_MS * US_PER_MS;

    clock->outstanding = clock->again = false;
    if (answer->error == ECONNRESET)
        return;
    clock->unknown = answer->error == ENOSYS;
    if (clock->unknown)
        report_line(vm, ALLOWANCE_STEP, LOG_INFO,
                    "the guest's guestlink-init is too old to set its clock; install 0.2");
    else if (answer->error != 0)
        report_step_failed(vm, "set-time", answer->error, answer->text);
    else if (again)
        guest_clock_check(vm);
}

static void on_entropy(void *userdata, const struct guest_answer *answer)
{
    struct vm *vm = userdata;

    if (answer->error != 0 && answer->error != ECONNRESET)
        report_step_failed(vm, "add-entropy", answer->error, answer->text);
}

static void add_entropy(struct vm *vm)
{
    uint8_t entropy[LIMITS_ENTROPY_BYTES];
    uint8_t payload[LIMITS_ENTROPY_BYTES + 64u];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    ssize_t size = getrandom(entropy, sizeof(entropy), GRND_NONBLOCK);

    if (size <= 0 || !guest_is_attached(vm->guest))
        return;
    request_add_entropy_pack(&writer,
                             &(struct request_add_entropy){
                                 .bits = (uint32_t)size * 8u,
                                 .data = {.data = (const char *)entropy, .size = (size_t)size}});
    (void)guest_ask(vm->guest, FRAME_ADD_ENTROPY, payload, writer.size, LIMITS_ANSWER_MS,
                    on_entropy, vm);
}

static void send_time(struct vm *vm)
{
    uint8_t payload[32];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    struct guest_clock *clock = &vm->clock;

    request_set_time_pack(&writer,
                          &(struct request_set_time){.realtime_ns = clock_real_us() * 1000u});
    clock->sent_us = now_us(vm);
    clock->due = false;
    clock->outstanding =
        guest_ask(vm->guest, FRAME_SET_TIME, payload, writer.size, 0, on_answer, vm) == 0;
}

void guest_clock_check(struct vm *vm)
{
    struct guest_clock *clock = &vm->clock;
    uint64_t ago_us = now_us(vm) - clock->sent_us;

    if (vm->config->clock != CONFIG_CLOCK_HOST || clock->unknown || !guest_is_attached(vm->guest))
        return;
    if (clock->outstanding)
        clock->again = true;
    else if (ago_us < LIMITS_CLOCK_AGAIN_MS * US_PER_MS)
        clock->due = true;
    else
        send_time(vm);
}

void guest_clock_tick(struct vm *vm)
{
    if (vm->clock.due || now_us(vm) - vm->clock.sent_us >= LIMITS_CLOCK_MS * US_PER_MS)
        guest_clock_check(vm);
}

void guest_clock_begin(struct vm *vm, bool same_boot)
{
    add_entropy(vm);
    vm->clock.outstanding = vm->clock.again = vm->clock.unknown = false;
    vm->clock.sent_us = vm->clock.woken_us = now_us(vm);
    if (vm->config->clock != CONFIG_CLOCK_HOST)
        return;
    if (same_boot)
        send_time(vm);
    else
        vm->clock.due = true;
}

void guest_clock_resumed(struct vm *vm)
{
    uint64_t woken_us = now_us(vm);

    if (woken_us - vm->clock.woken_us >= LIMITS_CLOCK_AGAIN_MS * US_PER_MS) {
        vm->clock.woken_us = woken_us;
        add_entropy(vm);
    }
    guest_clock_check(vm);
}
