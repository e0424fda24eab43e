/* extent: which parts of a guest's memory an aperture is made of. */
#include "extent.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

struct range {
    uint64_t begin, end;
};

struct ranges {
    struct range items[RINGS_MAX * RING_PARTS];
    size_t count;
};

/* Where a ring's parts are in the guest. @return 0 or -EFAULT */
static int find_parts(const struct memory_table *memory, const struct ring *ring,
                      struct range parts[RING_PARTS])
{
    for (size_t i = 0; i < RING_PARTS; i++) {
        if (memory_table_find(memory, ring->parts[i].address, ring->parts[i].size,
                              &parts[i].begin) < 0)
            return -EFAULT;
        parts[i].end = parts[i].begin + ring->parts[i].size;
    }
    return 0;
}

/* Adds the pages of a range, in order; those that touch each other become one. */
static void add_pages(struct ranges *ranges, struct range range)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct ranges merged = {.count = 0};

    range.begin -= range.begin % page;
    range.end += (page - range.end % page) % page;
    for (size_t i = 0; i < ranges->count; i++) {
        const struct range *other = &ranges->items[i];

        if (other->end < range.begin || range.end < other->begin) {
            merged.items[merged.count++] = *other;
            continue;
        }
        if (other->begin < range.begin)
            range.begin = other->begin;
        if (other->end > range.end)
            range.end = other->end;
    }
    merged.items[merged.count++] = range;
    *ranges = merged;
}

/* The pages of rings that the pool does not have. */
static int add_rings(const struct extent_pool *pool, const struct memory_table *memory,
                     const struct ranges *ranges, struct memory_table *table)
{
    const uint64_t pool_end = pool->base + pool->size;
    int r = 0;

    for (size_t i = 0; i < ranges->count && r == 0; i++) {
        struct range range = ranges->items[i];
        uint64_t front = range.end < pool->base ? range.end : pool->base;
        uint64_t back = range.begin > pool_end ? range.begin : pool_end;

        if (range.begin < front)
            r = memory_table_add(table, memory, range.begin, front);
        if (r == 0 && back < range.end)
            r = memory_table_add(table, memory, back, range.end);
    }
    return r;
}

static int add_pool(const struct extent_pool *pool, const struct memory_table *memory,
                    struct memory_table *table)
{
    const uint64_t end = pool->base + pool->size;
    int r = 0;

    for (uint64_t begin = pool->base; begin < end && r == 0; begin += pool->piece)
        r = memory_table_add(table, memory, begin,
                             end - begin < pool->piece ? end : begin + pool->piece);
    return r;
}

/* Each in one region: the process maps them one by one. */
static bool has_parts(const struct memory_table *table, const struct range parts[RING_PARTS])
{
    uint64_t address;

    for (size_t i = 0; i < RING_PARTS; i++)
        if (memory_table_find(table, parts[i].begin, parts[i].end - parts[i].begin, &address) < 0)
            return false;
    return true;
}

static int check_rings(const struct memory_table *memory, const struct rings *rings,
                       const struct memory_table *table)
{
    struct range parts[RING_PARTS];

    for (size_t i = 0; i < rings->count; i++)
        if (!rings->items[i].is_stopped &&
            (find_parts(memory, &rings->items[i], parts) < 0 || !has_parts(table, parts)))
            return -EFAULT;
    return 0;
}

static int collect(const struct memory_table *memory, const struct rings *rings,
                   const struct memory_table *had, struct ranges *ranges)
{
    struct range parts[RING_PARTS];

    for (size_t i = 0; i < rings->count; i++) {
        bool is_stopped = rings->items[i].is_stopped;
        int r = find_parts(memory, &rings->items[i], parts);

        if (is_stopped && (r < 0 || !had || !has_parts(had, parts)))
            continue;
        if (r < 0)
            return r;
        for (size_t j = 0; j < RING_PARTS; j++)
            add_pages(ranges, parts[j]);
    }
    return 0;
}

int extent_find(const struct extent_pool *pool, const struct memory_table *memory,
                const struct rings *rings, const struct memory_table *had,
                struct memory_table *ret_table)
{
    struct memory_table table = {.count = 0};
    struct ranges ranges = {.count = 0};
    int r = add_pool(pool, memory, &table);

    if (r < 0)
        return r == -EFAULT ? -ENXIO : r;
    r = collect(memory, rings, had, &ranges);
    if (r == 0)
        r = add_rings(pool, memory, &ranges, &table);
    if (r == 0)
        r = check_rings(memory, rings, &table);
    if (r < 0)
        return r;
    memory_table_sort(&table);
    *ret_table = table;
    return 0;
}
