// SPDX-License-Identifier: GPL-2.0
/*
 * pool: stands in for the publisher of the SWIOTLB pool in WSL's kernel.
 *
 * A distribution's kernel has no such publisher. This module does what a guest's PID 1 can see of
 * it: it takes a contiguous, zeroed range below 4 GiB from the page allocator and publishes it as
 * /sys/bus/vmbus/drivers/hv_pci/swiotlb_{base,size}, both files or none. The range is really
 * reserved; no device uses it.
 *
 * With says= it writes one line of the kernel's log instead, as only the kernel can, and is gone.
 *
 * It says GPL because the kernel exports driver attributes and alloc_contig_range() to GPL modules
 * alone; nothing else of guestlink is linked with it.
 */
#include <linux/device.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/memory_hotplug.h>
#include <linux/module.h>
#include <linux/sizes.h>

#define POOL_START SZ_16M /* the DMA zone below it is for old devices */
#define POOL_LIMIT (1ull << 32)
#define POOL_STEP  SZ_2M

static char *size = "";
module_param(size, charp, 0444);
MODULE_PARM_DESC(size, "bytes, with K, M or G: what hv_pci_swiotlb= says");

static char *says;
module_param(says, charp, 0444);
MODULE_PARM_DESC(says, "a line for the kernel's log; no pool is made then");

static unsigned long pool_pfn;
static size_t pool_bytes;

static ssize_t swiotlb_base_show(struct device_driver *driver, char *text)
{
    return sysfs_emit(text, "0x%llx\n", (unsigned long long)PFN_PHYS(pool_pfn));
}
static DRIVER_ATTR_RO(swiotlb_base);

static ssize_t swiotlb_size_show(struct device_driver *driver, char *text)
{
    return sysfs_emit(text, "%zu\n", pool_bytes);
}
static DRIVER_ATTR_RO(swiotlb_size);

static struct attribute *pool_attrs[] = {
    &driver_attr_swiotlb_base.attr,
    &driver_attr_swiotlb_size.attr,
    NULL,
};
ATTRIBUTE_GROUPS(pool);

static struct bus_type pool_bus = {
    .name = "vmbus",
};

static struct device_driver pool_driver = {
    .name = "hv_pci",
    .bus = &pool_bus,
    .groups = pool_groups,
};

/* True if all of the range is memory of one zone, as alloc_contig_range() demands. */
static bool pool_is_memory(unsigned long pfn, unsigned long pages)
{
    struct page *first = pfn_to_online_page(pfn);
    unsigned long i;

    if (!first)
        return false;
    for (i = 0; i < pages; i += SZ_2M / PAGE_SIZE) {
        struct page *page = pfn_to_online_page(pfn + i);

        if (!page || page_zone(page) != page_zone(first))
            return false;
    }
    return true;
}

static int pool_reserve(size_t bytes)
{
    unsigned long pages = bytes >> PAGE_SHIFT;
    unsigned long pfn, i;

    for (pfn = PFN_DOWN(POOL_START); PFN_PHYS(pfn) + bytes <= POOL_LIMIT;
         pfn += PFN_DOWN(POOL_STEP)) {
        if (!pool_is_memory(pfn, pages))
            continue;
        if (alloc_contig_range(pfn, pfn + pages, MIGRATE_MOVABLE, GFP_KERNEL | __GFP_NOWARN))
            continue;
        for (i = 0; i < pages; i++)
            clear_highpage(pfn_to_page(pfn + i));
        pool_pfn = pfn;
        pool_bytes = bytes;
        return 0;
    }
    return -ENOMEM;
}

static int __init pool_init(void)
{
    size_t bytes = round_up(memparse(size, NULL), POOL_STEP);
    int r;

    if (says) {
        pr_info("%s\n", says);
        return -ECANCELED;
    }
    if (!bytes || bytes > POOL_LIMIT)
        return -EINVAL;
    r = pool_reserve(bytes);
    if (r) {
        pr_warn("hv_pci: no room for a pool of %zu bytes below 4 GiB\n", bytes);
        return r;
    }
    r = bus_register(&pool_bus);
    if (!r) {
        r = driver_register(&pool_driver);
        if (r)
            bus_unregister(&pool_bus);
    }
    if (r) {
        free_contig_range(pool_pfn, pool_bytes >> PAGE_SHIFT);
        return r;
    }
    pr_notice("hv_pci: pool of %zu bytes at 0x%llx\n", pool_bytes,
              (unsigned long long)PFN_PHYS(pool_pfn));
    return 0;
}
module_init(pool_init);

MODULE_DESCRIPTION("Stand-in for the publisher of the SWIOTLB pool in WSL's kernel");
MODULE_LICENSE("GPL");
