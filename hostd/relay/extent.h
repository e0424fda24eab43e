/*
 * extent: which parts of a guest's memory an aperture is made of: the pool, and the pages of rings
 * beside it.
 */
#ifndef GUESTLINK_HOSTD_RELAY_EXTENT_H
#define GUESTLINK_HOSTD_RELAY_EXTENT_H

#include "memory_table.h"
#include "rings.h"

#include <stdint.h>

/* In the guest's physical addresses; whole pages. */
struct extent_pool {
    uint64_t base, size;
    uint64_t piece; /* it is cut at each multiple of this from its base */
};

/*
 * Works them out, in the order of their guest addresses, with those as user addresses.
 *
 * @param memory     QEMU's
 * @param had        with rings that are stopped, as far as they are in this table and in the
 * memory; NULL: without
 * @param ret_table  its files are those of @p memory
 * @return 0; -ENXIO: the pool is not all in the memory; -EFAULT: a part of a ring is not all in one
 *         region of the memory, or would not be in one of the process's; -E2BIG: too many regions
 */
int extent_find(const struct extent_pool *pool, const struct memory_table *memory,
                const struct rings *rings, const struct memory_table *had,
                struct memory_table *ret_table);

#endif
