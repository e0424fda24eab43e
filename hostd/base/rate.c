/* rate: a token bucket, so that what others cause costs a bounded amount. */
#include "rate.h"

#define TOKEN UINT64_C(1000) /* thousandths */

bool rate_allow(struct rate *rate, uint64_t now_us, uint32_t per_1000_s, uint32_t burst)
{
    return rate_allow_many(rate, now_us, per_1000_s, burst, 1);
}

bool rate_allow_many(struct rate *rate, uint64_t now_us, uint32_t per_1000_s, uint32_t burst,
                     uint32_t count)
{
    uint64_t full = burst * TOKEN;
    uint64_t passed_us = now_us - rate->at_us;

    if (rate->at_us == 0 || passed_us > UINT64_C(3600000000))
        rate->millis = full;
    else
        rate->millis += passed_us * per_1000_s / 1000000u;
    /* what is less than a thousandth of a token is not lost while the guest goes on */
    if (passed_us * per_1000_s >= 1000000u || rate->millis >= full)
        rate->at_us = now_us;
    if (rate->millis > full)
        rate->millis = full;
    if (rate->millis < count * TOKEN) {
        rate->dropped++;
        return false;
    }
    rate->millis -= count * TOKEN;
    return true;
}

uint64_t rate_take_dropped(struct rate *rate)
{
    uint64_t dropped = rate->dropped;

    rate->dropped = 0;
    return dropped;
}
