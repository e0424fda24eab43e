/* allowance: how many lines others may cause, by what kind of line. */
#include "allowance.h"

#include "base/limits.h"

/* In hundredths of limits.guest_events_per_s and guest_events_burst. What comes only once in a
 * boot, or in a restart, may come in a burst of some, and then seldom. */
static const struct kind {
    const char *reason;
    uint32_t rate, burst;
    uint32_t least; /* lines in a burst, however low the limit is */
} kinds[ALLOWANCE_KINDS] = {
    /* A few examples for who looks into it. */
    [ALLOWANCE_STRANGER] = {"stranger-rate", 10, 10, 2},
    [ALLOWANCE_REFUSAL] = {"refusal-rate", 10, 10, 2},
    /* What the limits are named for. */
    [ALLOWANCE_LOG] = {"guest-log-rate", 100, 100, 1},
    /* Four or five lines in a boot. */
    [ALLOWANCE_CONNECT] = {"connect-rate", 20, 50, 8},
    [ALLOWANCE_RESET] = {"reset-rate", 5, 5, 4},
    /* One in a boot. */
    [ALLOWANCE_DISCONNECT] = {"disconnect-rate", 5, 10, 4},
    [ALLOWANCE_READY] = {"ready-rate", 5, 10, 4},
    [ALLOWANCE_FAREWELL] = {"farewell-rate", 5, 10, 4},
    [ALLOWANCE_EXHAUSTED] = {"pool-exhausted-rate", 5, 5, 4},
    [ALLOWANCE_CLOCK] = {"clock-rate", 5, 5, 4},
    [ALLOWANCE_PAYLOAD] = {"payload-rate", 5, 10, 4},
    /* As often as operators run one. */
    [ALLOWANCE_COMMAND] = {"command-rate", 20, 50, 4},
    /* Two or three a device: a boot with dozens of them. */
    [ALLOWANCE_DEVICE] = {"device-rate", 40, 50, 8},
    [ALLOWANCE_APERTURE] = {"aperture-rate", 5, 10, 4},
    [ALLOWANCE_STEP] = {"guest-failure-rate", 10, 10, 4},
    [ALLOWANCE_FAILURE] = {"failure-rate", 10, 10, 4},
    [ALLOWANCE_OUTPUT] = {.reason = "payload-output-rate"},
};

const char *allowance_reason(enum allowance_kind kind)
{
    return kinds[kind].reason;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* A few that are the VM's own, or one of those that all VMs share. */
static bool take_shared(struct rate *own, struct rate *shared, const struct config_limits *limits,
                        uint64_t now_us)
{
    uint32_t per_s = larger(limits->guest_events_per_s, LIMITS_SHARED_EVENTS_PER_S);
    uint32_t burst = larger(limits->guest_events_burst, LIMITS_SHARED_EVENTS_BURST);

    return rate_allow(own, now_us, LIMITS_OWN_EVENTS_IN_1000_S, LIMITS_OWN_EVENTS_BURST) ||
           rate_allow(shared, now_us, per_s * 1000, burst);
}

bool allowance_take(struct allowances *allowances, enum allowance_kind kind, struct rate *shared,
                    const struct config_limits *limits, uint64_t now_us)
{
    struct rate *rate = &allowances->rates[kind];
    const struct kind *one = &kinds[kind];
    uint32_t burst = larger(limits->guest_events_burst * one->burst / 100, one->least);

    if (!rate_allow(rate, now_us, limits->guest_events_per_s * one->rate * 10, burst))
        return false;
    if (kind >= ALLOWANCE_CHEAP || take_shared(&allowances->own[kind], shared, limits, now_us))
        return true;
    rate->dropped++;
    return false;
}

bool allowance_take_output(struct allowances *allowances, size_t size, struct rate *shared,
                           const struct config_limits *limits, uint64_t now_us)
{
    uint32_t per_s = larger(limits->payload_output_per_s, LIMITS_SHARED_OUTPUT_PER_S);
    uint32_t burst = larger(limits->payload_output_burst, LIMITS_SHARED_OUTPUT_BURST);
    uint32_t cost = (uint32_t)size + LIMITS_OUTPUT_LINE_BYTES;
    struct rate *rate = &allowances->rates[ALLOWANCE_OUTPUT];

    if (!rate_allow_many(rate, now_us, limits->payload_output_per_s * 1000,
                         larger(limits->payload_output_burst, cost), cost))
        return false;
    if (rate_allow(&allowances->own_output, now_us, LIMITS_OWN_EVENTS_IN_1000_S,
                   LIMITS_OWN_EVENTS_BURST) ||
        rate_allow_many(shared, now_us, per_s * 1000, burst, cost))
        return true;
    rate->dropped++;
    return false;
}

uint64_t allowance_dropped(const struct allowances *allowances)
{
    uint64_t dropped = allowances->told;

    for (unsigned i = 0; i < ALLOWANCE_KINDS; i++)
        dropped += allowances->rates[i].dropped;
    return dropped;
}
