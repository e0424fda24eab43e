/* pool_usage: how full each bounce pool is, from the kernel's debugfs. */
#include "pool_usage.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"
#include "swiotlb.h"

#define SLOT_BYTES 2048u /* IO_TLB_SHIFT 11 of include/linux/swiotlb.h, in every kernel so far */

static int read_number(const char *directory, const char *name, uint64_t *ret)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return swiotlb_read_number(path, ret);
}

/* A directory without the file is no pool. */
static void add_pool(const char *directory, const char *name, struct pool_usage *usage)
{
    struct event_pool *pool = &usage->event.pools[usage->event.count];
    char *kept = usage->names[usage->event.count];

    if (usage->event.count == EVENT_POOLS_MAX)
        return;
    *pool = (struct event_pool){0};
    if (read_number(directory, "io_tlb_nslabs", &pool->total) < 0)
        return;
    (void)read_number(directory, "io_tlb_used", &pool->used);
    (void)read_number(directory, "io_tlb_used_hiwater", &pool->high_water); /* from Linux 6.4 */
    (void)snprintf(kept, sizeof(usage->names[0]), "%s", name);
    usage->event.count++;
}

int pool_usage_read(const char *directory, struct pool_usage *ret)
{
    DIRECTORY_CLOSE struct directory pools;
    int r = directory_open(directory, &pools);
    const char *entry;

    *ret = (struct pool_usage){.event.slot_bytes = SLOT_BYTES};
    if (r < 0)
        return -ENOENT;
    add_pool(directory, "swiotlb", ret); /* the default one stands in the directory itself */
    while ((entry = directory_next(&pools))) {
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s/%s", directory, entry);
        add_pool(path, entry, ret);
    }
    for (uint16_t i = 0; i < ret->event.count; i++)
        ret->event.pools[i].name = wire_text_of(ret->names[i]);
    return ret->event.count > 0 ? 0 : -ENOENT;
}

void pool_usage_mount_debugfs(void)
{
    /* EBUSY: it is mounted; ENODEV or ENOENT: this kernel has none, which the reader notices. */
    (void)mount("debugfs", "/sys/kernel/debug", "debugfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                "mode=0700");
}
