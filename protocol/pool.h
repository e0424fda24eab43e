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
    POOL_E_NOT_RAM,       /* it is not all in the RAM that the VM has below 4 GiB */
};

/* Where a VM's RAM below 4 GiB is, as far as its host can know: without [hole, hole_end). */
struct pool_ram {
    uint64_t begin, end;
    uint64_t hole, hole_end;
};

/*
 * x86: from 0 to the end of memory, without the legacy devices and BIOS at 640 KiB to 1 MiB, and to
 * 3 GiB at most if there are 3.5 GiB or more: no VMM known to us has more of it in front of its
 * devices, the I/O APIC and the local APIC (QEMU pc, microvm and Cloud Hypervisor 3 GiB; of
 * Firecracker's 3.25 GiB the last quarter is not taken).
 *
 * q35: as x86, but to 2 GiB if there are 2.75 GiB or more.
 *
 * arm64: from 1 GiB on; below it are the devices of QEMU's and Cloud Hypervisor's machines.
 *
 * @param memory_bytes  of the VM, as its host has configured it; 0: not known
 */
struct pool_ram pool_ram_x86(uint64_t memory_bytes);
struct pool_ram pool_ram_q35(uint64_t memory_bytes);
struct pool_ram pool_ram_arm64(uint64_t memory_bytes);
/*
 * Of a guest with the processor of this host. Of others than these, all below 4 GiB.
 *
 * @param has_root_ports  its devices are plugged into PCIe root ports of QEMU's: on x86 that is q35
 */
struct pool_ram pool_ram_here(uint64_t memory_bytes, bool has_root_ports);

/*
 * Judges a pool that a guest reported.
 *
 * @param published     feature bit 4 of its capabilities
 * @param base, size    as reported, bytes
 * @param memory_bytes  the VM's memory as its host knows it; never the guest's word for it if the
 *                      host knows better
 * @param ram           by what the host itself knows
 */
enum pool_verdict pool_judge(bool published, uint64_t base, uint64_t size, uint64_t memory_bytes,
                             const struct pool_ram *ram);

/* The verdict as a short sentence part for people ("the base or the size is 0"). Static. */
const char *pool_verdict_text(enum pool_verdict verdict);

/* The verdict as a word for telemetry ("unaligned"). Static. */
const char *pool_verdict_name(enum pool_verdict verdict);

#endif
