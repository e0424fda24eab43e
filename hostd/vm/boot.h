/*
 * boot: what is known of one boot of a VM's guest, and the token that its devices get. Pure.
 */
#ifndef GUESTLINK_HOSTD_BOOT_H
#define GUESTLINK_HOSTD_BOOT_H

#include "base/text.h"
#include "config/config.h"
#include "vm.h"

#include "protocol/capabilities.h"
#include "protocol/options.h"
#include "protocol/pool.h"
#include "protocol/token.h"

#include <stdbool.h>
#include <stdint.h>

struct boot {
    bool known; /* there was a report; else everything else is empty */
    struct guest_capabilities capabilities;
    char id[TEXT_UUID_SIZE];
    enum pool_verdict verdict;
    char token[TOKEN_SIZE]; /* "" for none */
    bool farewell;          /* it ended in good order */
    bool ready;
    bool payload_started; /* once in a boot, also across restarts of the daemon */
    uint64_t
        accepted_us; /* monotonic, accept(2) of its first connection; 0: by an earlier daemon */
    struct vm_timings timings;
};

/*
 * Begins a boot with its first report: judges the pool and makes the token, once.
 *
 * @param config  the VM's: if its memory is 0, not known, the guest's word is all there is; a QEMU
 *                that devices are plugged into has its memory where q35 has it
 */
void boot_begin(struct boot *boot, const struct guest_capabilities *report,
                const struct config_vm *config);

/* Milliseconds since its first connection was accepted, at least 1; 0: by an earlier daemon. */
static inline uint32_t boot_age_ms(const struct boot *boot, uint64_t now_us)
{
    uint64_t ms = (now_us - boot->accepted_us) / 1000u;

    return boot->accepted_us == 0 ? 0 : (uint32_t)(ms > 0 ? ms : 1);
}

/* True if a token is in force. */
static inline bool boot_has_token(const struct boot *boot)
{
    return boot->token[0] != '\0';
}

/* True if the guest's kernel uses memory outside of the pool once the pool is full: a device that
 * reached the pool alone would then fail. */
static inline bool boot_pool_is_dynamic(const struct boot *boot)
{
    return boot_has_token(boot) &&
           (boot->capabilities.features & CAPABILITIES_SWIOTLB_DYNAMIC) != 0;
}

/* True if a device's process may be confined to the pool. */
static inline bool boot_may_confine(const struct boot *boot)
{
    return boot_has_token(boot) && !boot_pool_is_dynamic(boot);
}

/*
 * Joins the options of a device of this boot; see options_join().
 *
 * @param vm_id  the VM's UUID
 * @return the length of the string, or -ENOBUFS or -EINVAL
 */
int boot_join_options(const struct boot *boot, bool read_only, const char *vm_id,
                      char buffer[OPTIONS_SIZE]);

/* True if @p options, of a device of this boot or an earlier one, are not what such a device gets
 * in this one. */
bool boot_options_are_stale(const struct boot *boot, bool read_only, const char *vm_id,
                            const char *options);

/*
 * Bytes that no pool of a VM can be over, whatever a guest says.
 *
 * @param memory  of the VM in bytes, as its configuration says; 0: not known
 */
uint64_t boot_pool_most(uint64_t memory);

/* Cuts what a guest says of its pools' use to what can be: no pool is larger than boot_pool_most(),
 * and no more of one is, or was, used than there is. */
void boot_bound_usage(uint64_t memory, struct event_pool_usage *usage);

/* Why there is no pool although one was asked for. */
enum boot_pool_trouble {
    BOOT_POOL_FINE,
    BOOT_POOL_NOT_ASKED,  /* the parameter is not on the guest's kernel command line */
    BOOT_POOL_OLD_KERNEL, /* the kernel does not know the parameter */
    BOOT_POOL_NOT_MADE,   /* it knows it and could not reserve the memory */
    BOOT_POOL_REJECTED,   /* it reported one that is not usable: boot.verdict */
};

/* Tells them apart by the feature bits. For a boot whose VM was to have a pool. */
enum boot_pool_trouble boot_pool_trouble(const struct boot *boot);

#endif
