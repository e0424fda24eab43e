/* pool: is the SWIOTLB pool that a guest claims one that devices may be given? */
#include "pool.h"

enum pool_verdict pool_judge(bool published, uint64_t base, uint64_t size, uint64_t memory_bytes)
{
    if (!published && base == 0 && size == 0)
        return POOL_E_NOT_PUBLISHED;
    if (base == 0 || size == 0)
        return POOL_E_ZERO;
    if (base % POOL_ALIGNMENT != 0 || size % POOL_ALIGNMENT != 0)
        return POOL_E_UNALIGNED;
    if (size > UINT64_MAX - base)
        return POOL_E_OVERFLOW;
    if (base + size > POOL_LIMIT)
        return POOL_E_BEYOND_4G;
    if (size > memory_bytes / 2)
        return POOL_E_TOO_LARGE;
    return POOL_USABLE;
}

const char *pool_verdict_text(enum pool_verdict verdict)
{
    switch (verdict) {
    case POOL_USABLE:
        return "usable";
    case POOL_E_NOT_PUBLISHED:
        return "not published";
    case POOL_E_ZERO:
        return "the base or the size is 0";
    case POOL_E_UNALIGNED:
        return "the base or the size is no multiple of 4096";
    case POOL_E_OVERFLOW:
        return "base + size overflows 64 bits";
    case POOL_E_BEYOND_4G:
        return "it ends above 4 GiB";
    case POOL_E_TOO_LARGE:
        return "it is larger than half of the VM's memory";
    }
    return "unknown";
}

const char *pool_verdict_name(enum pool_verdict verdict)
{
    switch (verdict) {
    case POOL_USABLE:
        return "usable";
    case POOL_E_NOT_PUBLISHED:
        return "not-published";
    case POOL_E_ZERO:
        return "zero";
    case POOL_E_UNALIGNED:
        return "unaligned";
    case POOL_E_OVERFLOW:
        return "overflow";
    case POOL_E_BEYOND_4G:
        return "beyond-4g";
    case POOL_E_TOO_LARGE:
        return "too-large";
    }
    return "unknown";
}
