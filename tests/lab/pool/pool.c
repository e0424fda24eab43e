// SPDX-License-Identifier: GPL-2.0
/*
 * pool: stands in for the publisher of the SWIOTLB pool in WSL's kernel.
 *
 * A distribution's kernel has no such publisher. This module does what a guest's PID 1 can see of
 * it: /sys/bus/vmbus/drivers/hv_pci/swiotlb_{base,size}, both files or none. What it publishes is
 * the kernel's default pool, through which devices really bounce; where that is, who loads it says.
 *
 * With dynamic=1, debugfs has the file by which a kernel with CONFIG_SWIOTLB_DYNAMIC is known.
 * With says= it writes one line of the kernel's log instead, as only the kernel can, and is gone.
 *
 * It says GPL because the kernel exports driver attributes to GPL modules alone; nothing else of
 * guestlink is linked with it.
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/module.h>

static unsigned long base;
module_param(base, ulong, 0444);
MODULE_PARM_DESC(base, "guest physical address of the default pool");

static unsigned long size;
module_param(size, ulong, 0444);
MODULE_PARM_DESC(size, "its bytes");

static bool dynamic;
module_param(dynamic, bool, 0444);
MODULE_PARM_DESC(dynamic, "make io_tlb_transient_nslabs in debugfs; nothing is published then");
static u32 transient_slots;

static char *says;
module_param(says, charp, 0444);
MODULE_PARM_DESC(says, "a line for the kernel's log; nothing is published then");

static ssize_t swiotlb_base_show(struct device_driver *driver, char *text)
{
    return sysfs_emit(text, "0x%lx\n", base);
}
static DRIVER_ATTR_RO(swiotlb_base);

static ssize_t swiotlb_size_show(struct device_driver *driver, char *text)
{
    return sysfs_emit(text, "%lu\n", size);
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

static int __init pool_init(void)
{
    int r;

    if (says) {
        pr_info("%s\n", says);
        return -ECANCELED;
    }
    if (dynamic) {
        struct dentry *folder = debugfs_lookup("swiotlb", NULL);

        debugfs_create_u32("io_tlb_transient_nslabs", 0400, folder, &transient_slots);
        dput(folder);
        return 0;
    }
    if (!base || !size)
        return -EINVAL;
    r = bus_register(&pool_bus);
    if (r)
        return r;
    r = driver_register(&pool_driver);
    if (r) {
        bus_unregister(&pool_bus);
        return r;
    }
    pr_notice("hv_pci: pool of %lu bytes at 0x%lx\n", size, base);
    return 0;
}
module_init(pool_init);

MODULE_DESCRIPTION("Stand-in for the publisher of the SWIOTLB pool in WSL's kernel");
MODULE_LICENSE("GPL");
