/*
 * latency: how long one kind of thing took, as a histogram that metrics can show.
 */
#ifndef GUESTLINK_HOSTD_LATENCY_H
#define GUESTLINK_HOSTD_LATENCY_H

#include <stdint.h>

/* Upper bounds in µs: 100 µs to about 100 s, each 10^(1/2) times the one before; the last bucket
 * takes all that is longer. */
#define LATENCY_BOUNDS 13u

struct latency {
    uint64_t buckets[LATENCY_BOUNDS + 1]; /* not cumulative */
    uint64_t count;
    uint64_t sum_us;
};

/* The upper bound of a bucket in µs. @param index below LATENCY_BOUNDS */
uint64_t latency_bound_us(unsigned index);

void latency_add(struct latency *latency, uint64_t us);

#endif
