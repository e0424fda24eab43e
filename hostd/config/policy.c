/*
 * policy: what a VM's settings come to.
 *
 *     virtio  virtiofs   may make virtiofs devices
 *     off     any        no
 *     on      off        no
 *     on      on         yes
 *
 *     virtio  networking                 becomes
 *     on      any                        itself
 *     off     virtioproxy, by default    none, with a warning
 *     off     virtioproxy, as written    nat, with a warning
 *     off     nat, none                  itself
 *
 *     virtio  swiotlb    and                                    pool to ask for
 *     off     a size     any                                    none, with a warning
 *     off     auto, off  any                                    none
 *     on      off        any                                    none
 *     on      a size     at most half of the memory             that size
 *     on      a size     more than half of the memory           half, with a warning
 *     on      auto       less than 1 GiB + 64 MiB, or unknown   none
 *     on      auto       no share, networking not virtioproxy   none
 *     on      auto       a share, or networking virtioproxy     64 MiB
 *
 * "aperture": "require" without a pool, or with a device host whose devices the daemon does not
 * confine, is kept to the letter: no virtiofs device is made, and that is warned of.
 *
 * 9P over a vsock connection needs no device that virtio=false takes away and is always allowed.
 */
#include "policy.h"

#include "base/address.h"
#include "base/limits.h"
#include "protocol/capabilities.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* The guest's kernel rounds a pool up to this. */
#define POOL_GRANULE (UINT64_C(2) << 20)

/* Linux' IO_TLB_SIZE: `swiotlb=` counts in slots. */
#define SLOT_BYTES 2048u

/* Without this word, x86 says where the pool is only of a guest with more than 4 GiB of memory. */
#if defined(__x86_64__) || defined(__i386__)
#define SAY_WHERE " iommu=soft"
#else
#define SAY_WHERE ""
#endif

struct teller {
    const struct config *config;
    const struct config_vm *vm;
    config_remark_fn fn;
    void *userdata;
};

/* @param line  of the key; 0: the VM's */
__attribute__((format(printf, 4, 5))) static void warn(const struct teller *teller, unsigned line,
                                                       const char *key, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    int n;

    if (teller->fn == NULL)
        return;
    n = snprintf(text, sizeof(text), "%.400s:%u: vm %s: %s: ", teller->config->file,
                 line != 0 ? line : teller->vm->line, teller->vm->name, key);
    va_start(arguments, format);
    (void)vsnprintf(text + n, sizeof(text) - (size_t)n, format, arguments);
    va_end(arguments);
    teller->fn(teller->userdata, text);
}

static enum config_networking decide_networking(const struct config_vm *vm,
                                                const struct teller *teller)
{
    enum config_networking fallback =
        vm->networking_is_default ? CONFIG_NETWORKING_NONE : CONFIG_NETWORKING_NAT;

    if (vm->virtio || vm->networking != CONFIG_NETWORKING_VIRTIOPROXY)
        return vm->networking;
    warn(teller, vm->networking_line, "networking",
         "virtioproxy networking is not supported when virtio is off, expected nat or none; "
         "falling back to %s",
         fallback == CONFIG_NETWORKING_NAT ? "nat" : "none");
    return fallback;
}

static bool may_be_used(const struct policy *policy, const struct config_share *share)
{
    return policy->virtiofs || (policy->p9 && share->transport != CONFIG_TRANSPORT_VIRTIOFS);
}

/* What 9P does not do. */
static void check_serving(const struct policy *policy, const struct config_share *share,
                          const struct teller *teller)
{
    const char *key = config_serving_needs_virtiofs(&share->serving);

    if (policy_chosen_transport(policy, share) != POLICY_TRANSPORT_9P)
        return;
    if (key != NULL)
        warn(teller, share->line, "shares",
             "share %s: 9P does not support %s, expected virtiofs; not creating the share",
             share->tag, key);
    else if (share->serving.file_handles || share->serving.cache != CONFIG_CACHE_AUTO)
        warn(teller, share->line, "shares",
             "share %s: %s is an option of virtiofsd, but the share uses 9P; ignoring the option",
             share->tag, share->serving.file_handles ? "file_handles" : "cache");
}

/* @return true if a share will be there, of either transport */
static bool uses_shares(const struct policy *policy, const struct config_vm *vm,
                        const struct teller *teller)
{
    bool any = false;

    for (size_t i = 0; i < vm->share_count; i++) {
        check_serving(policy, &vm->shares[i], teller);
        if (may_be_used(policy, &vm->shares[i]))
            any = true;
        else
            warn(teller, vm->shares[i].line, "shares",
                 "share %s: needs virtiofs, which %s disables, expected transport auto or 9p; "
                 "not creating the share",
                 vm->shares[i].tag, vm->virtio ? "virtiofs=false" : "virtio=false");
    }
    return any;
}

static uint64_t decide_size(const struct config_vm *vm, const struct teller *teller)
{
    uint64_t largest = vm->memory / 2 & ~(POOL_GRANULE - 1);
    uint64_t rounded = (vm->swiotlb_size + POOL_GRANULE - 1) & ~(POOL_GRANULE - 1);

    if (!vm->virtio) {
        warn(teller, vm->swiotlb_line, "swiotlb",
             "a pool of %" PRIu64
             " bytes has no use when virtio is off, expected off; not requesting a pool",
             vm->swiotlb_size);
        return 0;
    }
    if (vm->memory == 0 || rounded <= largest)
        return vm->swiotlb_size;
    warn(teller, vm->swiotlb_line, "swiotlb",
         "a pool of %" PRIu64 " bytes is more than half of the VM's %" PRIu64
         " bytes of memory and would be refused, expected at most half; requesting %" PRIu64,
         vm->swiotlb_size, vm->memory, largest);
    return largest;
}

/* Last of all: it hangs on what the others came to. */
static uint64_t decide_swiotlb(const struct policy *policy, const struct config_vm *vm, bool shares,
                               const struct teller *teller)
{
    switch (vm->swiotlb) {
    case CONFIG_SWIOTLB_SIZE:
        return decide_size(vm, teller);
    case CONFIG_SWIOTLB_AUTO:
        if (vm->virtio && vm->memory >= POLICY_SWIOTLB_AUTO_MEMORY &&
            (shares || policy->networking == CONFIG_NETWORKING_VIRTIOPROXY))
            return POLICY_SWIOTLB_AUTO_BYTES;
        return 0;
    case CONFIG_SWIOTLB_OFF:
    default:
        return 0;
    }
}

/* Which devices a separate process serves, so that they have an aperture, for a person; or NULL. */
static const char *confined_devices(const struct policy *policy, const struct config_vm *vm,
                                    bool shares)
{
    bool passt = false;

    for (size_t i = 0; policy->networking == CONFIG_NETWORKING_VIRTIOPROXY && i < vm->network_count;
         i++)
        passt = passt || vm->networks[i].backend == CONFIG_BACKEND_PASST;
    if (!shares || !policy->virtiofs)
        return passt ? "passt adapter" : NULL;
    return passt ? "virtiofs share or passt adapter" : "virtiofs share";
}

/* Of what can never be kept. */
static void check_aperture(const struct policy *policy, const struct config_vm *vm, bool shares,
                           const struct teller *teller)
{
    const char *devices = confined_devices(policy, vm, shares);

    if (vm->aperture != CONFIG_APERTURE_REQUIRE || !devices)
        return;
    if (!config_vm_has_qemu(vm))
        warn(teller, vm->aperture_line, "aperture",
             "require needs a device_host of type qemu or libvirt, the only ones that confine "
             "devices; not creating any %s",
             devices);
    else if (policy->swiotlb_bytes == 0)
        warn(teller, vm->aperture_line, "aperture",
             "require needs a pool, and swiotlb requests none, expected a size such as \"64M\"; "
             "not creating any %s unless the guest's kernel makes a pool anyway",
             devices);
}

struct policy policy_decide(const struct config *config, const struct config_vm *vm,
                            config_remark_fn on_warning, void *userdata)
{
    const struct teller teller = {config, vm, on_warning, userdata};
    struct policy policy = {
        .virtiofs = vm->virtio && vm->virtiofs,
        .p9 = true,
        .calls_by_channel = vm->device_host.type == CONFIG_DEVICE_HOST_LIBVIRT && vm->cid == 0,
    };
    bool shares;

    policy.networking = decide_networking(vm, &teller);
    shares = uses_shares(&policy, vm, &teller);
    policy.swiotlb_bytes = decide_swiotlb(&policy, vm, shares, &teller);
    check_aperture(&policy, vm, shares, &teller);
    return policy;
}

enum policy_transport policy_chosen_transport(const struct policy *policy,
                                              const struct config_share *share)
{
    if (share->transport == CONFIG_TRANSPORT_9P)
        return policy->p9 ? POLICY_TRANSPORT_9P : POLICY_TRANSPORT_NONE;
    if (policy->virtiofs)
        return POLICY_TRANSPORT_VIRTIOFS;
    return policy->p9 && share->transport == CONFIG_TRANSPORT_AUTO ? POLICY_TRANSPORT_9P
                                                                   : POLICY_TRANSPORT_NONE;
}

enum policy_transport policy_share_transport(const struct policy *policy,
                                             const struct config_share *share, uint64_t features)
{
    enum policy_transport chosen = policy_chosen_transport(policy, share);
    uint64_t needed = chosen == POLICY_TRANSPORT_9P ? CAPABILITIES_9P : CAPABILITIES_VIRTIOFS;

    return (features & needed) != 0 ? chosen : POLICY_TRANSPORT_NONE;
}

uint32_t policy_guest_port(const struct config *config, const struct config_vm *vm)
{
    struct address address;
    uint32_t port;

    if (vm->socket && address_hybrid_port(vm->socket, &port, NULL) == 0)
        return port;
    for (size_t i = 0; i < config->listen.count; i++) {
        if (address_parse(config->listen.items[i], &address) == 0 &&
            address.family == ADDRESS_VSOCK)
            return address.port;
    }
    return LIMITS_PORT;
}

uint64_t policy_swiotlb_slots(uint64_t bytes)
{
    return bytes / SLOT_BYTES + (bytes % SLOT_BYTES != 0);
}

int policy_format_cmdline(const struct policy *policy, uint32_t port, char *buffer, size_t capacity)
{
    char text[128];
    int n;

    if (policy->calls_by_channel)
        n = snprintf(text, sizeof(text), "guestlink.host=virtio-port:" POLICY_CHANNEL);
    else
        n = snprintf(text, sizeof(text), "guestlink.host=vsock:2:%" PRIu32, port);
    if (policy->swiotlb_bytes > 0)
        n += snprintf(text + n, sizeof(text) - (size_t)n,
                      " swiotlb=%" PRIu64 ",force" SAY_WHERE " hv_pci_swiotlb=%" PRIu64,
                      policy_swiotlb_slots(policy->swiotlb_bytes), policy->swiotlb_bytes);
    if ((size_t)n >= capacity)
        return -ENOBUFS;
    memcpy(buffer, text, (size_t)n + 1);
    return 0;
}
