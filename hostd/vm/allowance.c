/* allowance: how many lines others may cause, by what kind of line. */
#include "allowance.h"

#include "base/limits.h"

static const struct kind {
    const char *reason;
    uint32_t percent; /* of the limits */
    uint32_t least;   /* lines in a burst, however low the limits are */
    bool shared;      /* counts against the bucket of all VMs, too */
} kinds[ALLOWANCE_KINDS] = {
    /* What it costs to look into: a few examples. */
    [ALLOWANCE_STRANGER] = {"stranger-rate", 10, 2, true},
    [ALLOWANCE_REFUSAL] = {"refusal-rate", 10, 2, true},
    /* What the limits are named for. */
    [ALLOWANCE_LOG] = {"guest-log-rate", 100, 1, true},
    [ALLOWANCE_OUTPUT] = {"payload-output-rate", 100, 1, true},
    /* Four or five lines in a boot. */
    [ALLOWANCE_CONNECT] = {"connect-rate", 20, 8, false},
    /* One in a boot each. */
    [ALLOWANCE_RESET] = {"reset-rate", 5, 4, false},
    [ALLOWANCE_DISCONNECT] = {"disconnect-rate", 5, 4, false},
    [ALLOWANCE_READY] = {"ready-rate", 5, 4, false},
    [ALLOWANCE_FAREWELL] = {"farewell-rate", 5, 4, false},
    [ALLOWANCE_EXHAUSTED] = {"pool-exhausted-rate", 5, 4, false},
    [ALLOWANCE_PAYLOAD] = {"payload-rate", 5, 4, false},
    /* As often as operators run one. */
    [ALLOWANCE_COMMAND] = {"command-rate", 20, 4, false},
    /* Two or three a device: a boot with dozens of them. */
    [ALLOWANCE_DEVICE] = {"device-rate", 40, 8, false},
    [ALLOWANCE_FAILURE] = {"failure-rate", 10, 4, false},
};

const char *allowance_reason(enum allowance_kind kind)
{
    return kinds[kind].reason;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

bool allowance_take(struct allowances *allowances, enum allowance_kind kind, struct rate *shared,
                    const struct config_limits *limits, uint64_t now_us)
{
    const struct kind *one = &kinds[kind];
    uint32_t per_s = limits->guest_events_per_s, burst = limits->guest_events_burst;

    if (!rate_allow(&allowances->rates[kind], now_us, per_s * one->percent * 10,
                    larger(burst * one->percent / 100, one->least)))
        return false;
    if (!one->shared || rate_allow(shared, now_us, larger(per_s, LIMITS_SHARED_EVENTS_PER_S) * 1000,
                                   larger(burst, LIMITS_SHARED_EVENTS_BURST)))
        return true;
    allowances->rates[kind].dropped++;
    return false;
}

uint64_t allowance_dropped(const struct allowances *allowances)
{
    uint64_t dropped = allowances->told;

    for (unsigned i = 0; i < ALLOWANCE_KINDS; i++)
        dropped += allowances->rates[i].dropped;
    return dropped;
}
