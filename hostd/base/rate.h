/*
 * rate: a token bucket, so that what others cause costs a bounded amount.
 */
#ifndef GUESTLINK_HOSTD_RATE_H
#define GUESTLINK_HOSTD_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
    uint64_t at_us;   /* when `millis` was right; 0: it was not used yet */
    uint64_t millis;  /* tokens in the bucket, in thousandths */
    uint64_t dropped; /* refused since rate_take_dropped() */
};

/*
 * Takes one token.
 *
 * @param per_1000_s  tokens that come back in a thousand seconds, at most 10^9
 * @param burst       tokens that the bucket holds; it begins full
 * @return false if there is none; that is counted
 */
bool rate_allow(struct rate *rate, uint64_t now_us, uint32_t per_1000_s, uint32_t burst);

/* As rate_allow(), of @p count tokens at once; without all of them it takes none. */
bool rate_allow_many(struct rate *rate, uint64_t now_us, uint32_t per_1000_s, uint32_t burst,
                     uint32_t count);

/* How many were refused since this was last asked. */
uint64_t rate_take_dropped(struct rate *rate);

#endif
