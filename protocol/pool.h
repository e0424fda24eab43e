/*
 * pool: is the SWIOTLB pool that a guest claims one that devices may be given?
 */
#ifndef GUESTLINK_PROTOCOL_POOL_H
#define GUESTLINK_PROTOCOL_POOL_H

#include <stdbool.h>
#include <stdint.h>

#define POOL_ALIGNMENT UINT64_C(4096)
#define POOL_LIMIT     (UINT64_C(1) << 32) /* a pool ends at or below 4 GiB */

/* In the order in which they are found. */
enum pool_verdict {
    POOL_USABLE = 0,
    POOL_E_NOT_PUBLISHED, /* feature bit 4 is clear and base and size are 0 */
    POOL_E_ZERO,          /* published, but base or size is 0 */
    POOL_E_UNALIGNED,     /* base or size is no multiple of 4096 */
    POOL_E_OVERFLOW,      /* base + size does not fit into 64 bits */
    POOL_E_BEYOND_4G,     /* base + size is over 4 GiB */
    POOL_E_TOO_LARGE,     /* size is over half of the VM's memory */
};

/*
 * Judges a pool that a guest reported.
 *
 * @param published     feature bit 4 of its capabilities
 * @param base, size    as reported, bytes
 * @param memory_bytes  the VM's memory as its host knows it; never the guest's word for it if the
 *                      host knows better
 */
enum pool_verdict pool_judge(bool published, uint64_t base, uint64_t size, uint64_t memory_bytes);

/* The verdict as a short sentence part for people ("the base or the size is 0"). Static. */
const char *pool_verdict_text(enum pool_verdict verdict);

/* The verdict as a word for telemetry ("unaligned"). Static. */
const char *pool_verdict_name(enum pool_verdict verdict);

#endif
