/*
 * policy: what a VM's settings come to, decided once, after all of them are final.
 */
#ifndef GUESTLINK_HOSTD_POLICY_H
#define GUESTLINK_HOSTD_POLICY_H

#include "config.h"

#define POLICY_SWIOTLB_AUTO_BYTES (UINT64_C(64) << 20)
/* A VM with less memory is not asked to give 64 MiB of it away by `auto`. */
#define POLICY_SWIOTLB_AUTO_MEMORY ((UINT64_C(1) << 30) + POLICY_SWIOTLB_AUTO_BYTES)

enum policy_transport { POLICY_TRANSPORT_NONE, POLICY_TRANSPORT_VIRTIOFS, POLICY_TRANSPORT_9P };

/* The name of the virtio port by which a libvirt domain without a CID reaches the host. */
#define POLICY_CHANNEL "org.guestlink.0"

struct policy {
    bool virtiofs; /* virtiofs devices may be made */
    bool p9;       /* 9P over a vsock connection may be used (needs no further virtio device) */
    enum config_networking networking;
    uint64_t swiotlb_bytes; /* the pool to ask the guest's kernel for; 0: none */
    bool calls_by_channel;  /* the guest, of libvirt's, through a <channel> (POLICY_CHANNEL) */
};

/*
 * Decides.
 *
 * @param on_warning  told of each fallback, one sentence a remark; may be NULL
 */
struct policy policy_decide(const struct config *config, const struct config_vm *vm,
                            config_remark_fn on_warning, void *userdata);

/*
 * The transport that the operator chose for a share: 9P only where the share names it, or the VM
 * has no virtiofs. What the guest says of itself plays no part.
 */
enum policy_transport policy_chosen_transport(const struct policy *policy,
                                              const struct config_share *share);

/*
 * The same, once the guest's features are known: POLICY_TRANSPORT_NONE if its kernel has not what
 * was chosen.
 *
 * @param features  guest_capabilities.features
 */
enum policy_transport policy_share_transport(const struct policy *policy,
                                             const struct config_share *share, uint64_t features);

/*
 * The port of the host that the VM's guest is to connect to: of the VM's own socket ("…_PORT"),
 * else of the first vsock `listen`, else the default.
 */
uint32_t policy_guest_port(const struct config *config, const struct config_vm *vm);

/* The slots of 2 KiB that a stock kernel's `swiotlb=` asks for to get a pool of @p bytes. */
uint64_t policy_swiotlb_slots(uint64_t bytes);

/*
 * Writes what to add to the guest's kernel command line: `guestlink.host=…`, and if a pool is asked
 * for, what a stock kernel understands (`swiotlb=<slots>,force`; on x86 `iommu=soft` too) and what
 * a kernel that publishes its pool does (`hv_pci_swiotlb=<bytes>`). The guest's processor is that
 * of the host.
 *
 * @param port  policy_guest_port()
 * @return 0, or -ENOBUFS
 */
int policy_format_cmdline(const struct policy *policy, uint32_t port, char *buffer,
                          size_t capacity);

#endif
