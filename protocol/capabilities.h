/*
 * capabilities: what a guest kernel can do, as its PID 1 tells the host.
 *
 * The payload of CAPABILITIES, guest_capabilities 1.0 (PROTOCOL.md, "CAPABILITIES"). Everything in
 * it is a claim of the guest's: see pool.h for what the host makes of the swiotlb fields.
 */
#ifndef GUESTLINK_PROTOCOL_CAPABILITIES_H
#define GUESTLINK_PROTOCOL_CAPABILITIES_H

#include "wire.h"

#define CAPABILITIES_SIZE 176u /* bytes of the struct in 1.0 */

#define CAPABILITIES_SECCOMP_USER_NOTIF (UINT64_C(1) << 0)
#define CAPABILITIES_VIRTIOFS           (UINT64_C(1) << 1)
#define CAPABILITIES_9P                 (UINT64_C(1) << 2)
#define CAPABILITIES_OVERLAY            (UINT64_C(1) << 3)
#define CAPABILITIES_SWIOTLB_PUBLISHED  (UINT64_C(1) << 4) /* both files are in sysfs */
#define CAPABILITIES_SWIOTLB_ASKED      (UINT64_C(1) << 5) /* hv_pci_swiotlb= on the command line */
#define CAPABILITIES_SWIOTLB_LEFT       (UINT64_C(1) << 6) /* and left in the environment */
#define CAPABILITIES_SWIOTLB_DEFAULT    (UINT64_C(1) << 7) /* base, size: the default pool's */
#define CAPABILITIES_SWIOTLB_DYNAMIC    (UINT64_C(1) << 8) /* which other memory helps out */
#define CAPABILITIES_TERMINAL           (UINT64_C(1) << 9) /* REQUEST_PROCESS_PTY is understood */
#define CAPABILITIES_CONNECTIONS        (UINT64_C(1) << 10) /* REQUEST_PROCESS_CONNECTION */

#define CAPABILITIES_RELEASE_SIZE 64u /* bytes, with the NUL at the end */
#define CAPABILITIES_VERSION_SIZE 32u

struct guest_capabilities {
    uint16_t major;
    uint16_t minor;
    uint64_t features;     /* CAPABILITIES_… bits */
    uint64_t swiotlb_base; /* guest physical address, 0 if there is none of either kind */
    uint64_t swiotlb_size; /* bytes, 0 if there is none of either kind */
    uint64_t memory_bytes; /* MemTotal */
    uint32_t page_size;    /* bytes */
    uint32_t cpu_count;
    uint8_t boot_id[16];
    char kernel_release[CAPABILITIES_RELEASE_SIZE];
    char init_version[CAPABILITIES_VERSION_SIZE];
    uint64_t started_ns; /* CLOCK_BOOTTIME, ns, when PID 1 began */
    uint64_t sent_ns;    /* CLOCK_BOOTTIME, ns, when this was encoded */
};

/* Which pool it is that @p capabilities reports, as a word: "published" (in sysfs), "default" or
 * "none". Static. */
const char *capabilities_pool_kind(const struct guest_capabilities *capabilities);

enum {
    /* 1 and 2 are WIRE_E_… */
    CAPABILITIES_E_VERSION = 16, /* another major version; only major and minor were read */
    CAPABILITIES_E_MALFORMED,    /* a name without NUL at its end, not UTF-8, or with controls */
};

/* Writes the payload; struct_size and the version are those of 1.0, whatever @p capabilities says.
 */
void capabilities_pack(struct wire_writer *writer, const struct guest_capabilities *capabilities);

/*
 * Reads the payload of a CAPABILITIES frame of any minor version.
 *
 * @param ret_capabilities  on 0, everything; on CAPABILITIES_E_VERSION, major and minor alone
 * @return 0, WIRE_E_STRUCT_SIZE, CAPABILITIES_E_VERSION or CAPABILITIES_E_MALFORMED
 */
int capabilities_unpack(const uint8_t *payload, size_t size,
                        struct guest_capabilities *ret_capabilities);

/*
 * True if both describe the same kernel in the same way: everything but the two times. The host
 * refuses a second report of one boot that differs.
 */
bool capabilities_same_facts(const struct guest_capabilities *a,
                             const struct guest_capabilities *b);

#endif
