/* pool: is the SWIOTLB pool that a guest claims one that devices may be given? */
#include "pool.h"

#define KIB UINT64_C(1024)
#define GIB (KIB * KIB * KIB)

#define X86_LEGACY     (640 * KIB)
#define X86_LEGACY_END (1024 * KIB)
/* From so much memory on a VMM leaves room for devices, and moves the rest above 4 GiB. */
#define X86_SPLIT     (7 * GIB / 2)
#define X86_SPLIT_END (3 * GIB)
/* QEMU's hw/i386/pc_q35.c: from 2.75 GiB on, the configuration space of PCIe begins at 2 GiB. */
#define Q35_SPLIT     (11 * GIB / 4)
#define Q35_SPLIT_END (2 * GIB)
#define ARM64_BEGIN   GIB

static struct pool_ram ram_with_split(uint64_t memory_bytes, uint64_t split, uint64_t split_end)
{
    bool is_split = memory_bytes == 0 || memory_bytes >= split;

    return (struct pool_ram){
        .end = is_split ? split_end : memory_bytes, .hole = X86_LEGACY, .hole_end = X86_LEGACY_END};
}

struct pool_ram pool_ram_x86(uint64_t memory_bytes)
{
    return ram_with_split(memory_bytes, X86_SPLIT, X86_SPLIT_END);
}

struct pool_ram pool_ram_q35(uint64_t memory_bytes)
{
    return ram_with_split(memory_bytes, Q35_SPLIT, Q35_SPLIT_END);
}

struct pool_ram pool_ram_arm64(uint64_t memory_bytes)
{
    bool known = memory_bytes != 0 && memory_bytes < POOL_LIMIT - ARM64_BEGIN;

    return (struct pool_ram){.begin = ARM64_BEGIN,
                             .end = known ? ARM64_BEGIN + memory_bytes : POOL_LIMIT};
}

struct pool_ram pool_ram_here(uint64_t memory_bytes, bool has_root_ports)
{
#if defined(__x86_64__) || defined(__i386__)
    return has_root_ports ? pool_ram_q35(memory_bytes) : pool_ram_x86(memory_bytes);
#elif defined(__aarch64__)
    (void)has_root_ports;
    return pool_ram_arm64(memory_bytes);
#else
    (void)memory_bytes;
    (void)has_root_ports;
    return (struct pool_ram){.end = POOL_LIMIT};
#endif
}

/* Of a range that does not overflow. */
static bool is_ram(const struct pool_ram *ram, uint64_t base, uint64_t end)
{
    return base >= ram->begin && end <= ram->end && (base >= ram->hole_end || end <= ram->hole);
}

enum pool_verdict pool_judge(bool published, uint64_t base, uint64_t size, uint64_t memory_bytes,
                             const struct pool_ram *ram)
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
    if (!is_ram(ram, base, base + size))
        return POOL_E_NOT_RAM;
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
        return "the base or the size is not a multiple of 4096";
    case POOL_E_OVERFLOW:
        return "base + size overflows 64 bits";
    case POOL_E_BEYOND_4G:
        return "ends above 4 GiB";
    case POOL_E_TOO_LARGE:
        return "larger than half of the VM's memory";
    case POOL_E_NOT_RAM:
        return "not all in memory that the VM has below 4 GiB";
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
    case POOL_E_NOT_RAM:
        return "not-ram";
    }
    return "unknown";
}
