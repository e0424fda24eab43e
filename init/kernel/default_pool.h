/*
 * default_pool: the bounce pool that every kernel can have, as its own log tells of it.
 *
 * A kernel that publishes no pool in sysfs has its default one all the same, through which
 * `swiotlb=force` sends every device that goes by the DMA API. Nothing but the kernel's log says
 * where it is.
 */
#ifndef GUESTLINK_INIT_DEFAULT_POOL_H
#define GUESTLINK_INIT_DEFAULT_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct default_pool {
    uint64_t base, size; /* bytes; 0: none, or we do not know */
    bool unreadable;     /* the last record of it has words that we do not trust */
    bool torn_down;      /* the kernel gave it back */
    bool overwritten;    /* the log has lost its beginning */
};

/*
 * Takes one record of /dev/kmsg: where several speak of the pool, the last counts.
 *
 * @param record  ends with a NUL
 */
void default_pool_take(struct default_pool *pool, const char *record);

/*
 * Reads the log to its present end. Never blocks.
 *
 * @param fd  /dev/kmsg from its beginning, O_NONBLOCK
 * @return 0, or a negative errno (@p ret is then empty)
 */
int default_pool_read(int fd, struct default_pool *ret);

/*
 * Measures the pool of a kernel whose command line forces bouncing; logs why there is none.
 *
 * @param ret_base, ret_size  bytes, 0 if there is none
 * @return CAPABILITIES_SWIOTLB_DEFAULT, with CAPABILITIES_SWIOTLB_DYNAMIC where the kernel takes
 *         memory from elsewhere once the pool is full; or 0
 */
uint64_t default_pool_measure(uint64_t *ret_base, uint64_t *ret_size);

#endif
