/* boot: what is known of one boot of a VM's guest, and the token that its devices get. */
#include "boot.h"

#include <string.h>

void boot_begin(struct boot *boot, const struct guest_capabilities *report,
                const struct config_vm *config)
{
    uint64_t memory = config->memory;
    struct pool_ram ram = pool_ram_here(memory, config_vm_has_qemu(config));

    *boot = (struct boot){.known = true, .capabilities = *report};
    text_uuid(report->boot_id, boot->id);
    boot->verdict =
        pool_judge((report->features & CAPABILITIES_SWIOTLB_PUBLISHED) != 0, report->swiotlb_base,
                   report->swiotlb_size, memory != 0 ? memory : report->memory_bytes, &ram);
    if (boot->verdict == POOL_USABLE)
        token_format(boot->token, report->swiotlb_base, report->swiotlb_size);
    boot->timings.guest_sent_ns = report->sent_ns;
    boot->timings.guest_started_ns = report->started_ns;
}

int boot_join_options(const struct boot *boot, bool read_only, const char *vm_id,
                      char buffer[OPTIONS_SIZE])
{
    return options_join(buffer, OPTIONS_SIZE, read_only, boot->token, vm_id);
}

bool boot_options_are_stale(const struct boot *boot, bool read_only, const char *vm_id,
                            const char *options)
{
    char now[OPTIONS_SIZE];

    return boot_join_options(boot, read_only, vm_id, now) < 0 || strcmp(now, options) != 0;
}

uint64_t boot_pool_most(uint64_t memory)
{
    return memory != 0 && memory < POOL_LIMIT ? memory : POOL_LIMIT;
}

static void bound(uint64_t *number, uint64_t most)
{
    if (*number > most)
        *number = most;
}

void boot_bound_usage(uint64_t memory, struct event_pool_usage *usage)
{
    uint64_t most = usage->slot_bytes > 0 ? boot_pool_most(memory) / usage->slot_bytes : 0;

    for (uint16_t i = 0; i < usage->count; i++) {
        bound(&usage->pools[i].total, most);
        bound(&usage->pools[i].used, usage->pools[i].total);
        bound(&usage->pools[i].high_water, usage->pools[i].total);
    }
}

enum boot_pool_trouble boot_pool_trouble(const struct boot *boot)
{
    uint64_t features = boot->capabilities.features;

    if (boot->verdict == POOL_USABLE)
        return BOOT_POOL_FINE;
    if (boot->verdict != POOL_E_NOT_PUBLISHED)
        return BOOT_POOL_REJECTED;
    if (!(features & CAPABILITIES_SWIOTLB_ASKED))
        return BOOT_POOL_NOT_ASKED;
    return features & CAPABILITIES_SWIOTLB_LEFT ? BOOT_POOL_OLD_KERNEL : BOOT_POOL_NOT_MADE;
}
