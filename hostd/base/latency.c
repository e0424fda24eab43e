/* latency: how long one kind of thing took, as a histogram that metrics can show. */
#include "latency.h"

static const uint64_t bounds_us[LATENCY_BOUNDS] = {
    100,    316,     1000,    3162,     10000,    31623,     100000,
    316228, 1000000, 3162278, 10000000, 31622777, 100000000,
};

uint64_t latency_bound_us(unsigned index)
{
    return bounds_us[index];
}

void latency_add(struct latency *latency, uint64_t us)
{
    unsigned i = 0;

    while (i < LATENCY_BOUNDS && us > bounds_us[i])
        i++;
    latency->buckets[i]++;
    latency->count++;
    latency->sum_us += us;
}
