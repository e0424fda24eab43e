/* default_pool: the bounce pool that every kernel can have, as its own log tells of it. */
#include "default_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/kmsg_log.h"
#include "base/limits.h"
#include "kmsg_record.h"
#include "protocol/capabilities.h"

void default_pool_take(struct default_pool *pool, const char *record)
{
    static const char subject[] = "software IO TLB";
    const char *text = strchr(record, ';');
    struct kmsg_record parsed;
    uint64_t base, size;

    /* Hundreds of records are about something else: only these are parsed. */
    if (!text || strncmp(text + 1, subject, sizeof(subject) - 1) != 0 ||
        kmsg_record_parse(record, &parsed) < 0)
        return;
    switch (kmsg_record_default_pool(&parsed, &base, &size)) {
    case KMSG_DEFAULT_POOL_NOTHING:
        return;
    case KMSG_DEFAULT_POOL_MAPPED:
        *pool = (struct default_pool){.base = base, .size = size};
        return;
    case KMSG_DEFAULT_POOL_GONE:
        *pool = (struct default_pool){.torn_down = true};
        return;
    case KMSG_DEFAULT_POOL_UNREADABLE:
        *pool = (struct default_pool){.unreadable = true};
        return;
    }
}

static bool is_first_of_boot(const char *record)
{
    struct kmsg_record parsed;

    return kmsg_record_parse(record, &parsed) == 0 && parsed.sequence == 0;
}

int default_pool_read(int fd, struct default_pool *ret)
{
    struct default_pool pool = {0};
    char record[KMSG_RECORD_SIZE];
    bool overwritten = false;

    *ret = pool;
    for (unsigned i = 0; i < INIT_LOG_RECORDS; i++) {
        ssize_t n = read(fd, record, sizeof(record) - 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EPIPE) { /* some were overwritten while we read */
            overwritten = true;
            continue;
        }
        if (n < 0 && errno != EAGAIN)
            return -errno;
        if (n <= 0)
            break;
        record[n] = '\0';
        if (i == 0 && !is_first_of_boot(record))
            overwritten = true;
        default_pool_take(&pool, record);
    }
    pool.overwritten = overwritten;
    *ret = pool;
    return 0;
}

/*
 * Only a kernel with CONFIG_SWIOTLB_DYNAMIC (Linux 6.6) counts transient slots. The mount is
 * attached nowhere: nobody sees it, and it goes with its descriptor.
 */
static bool is_dynamic(void)
{
    FD_CLOSE int context = fsopen("debugfs", FSOPEN_CLOEXEC);
    FD_CLOSE int debugfs = -1;

    if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return false;
    debugfs = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    return debugfs >= 0 && faccessat(debugfs, "swiotlb/io_tlb_transient_nslabs", F_OK, 0) == 0;
}

static void log_why_there_is_none(const struct default_pool *pool)
{
    static const char none[] = "swiotlb: reporting no pool to the host: ";

    if (pool->unreadable)
        kmsg_log(LOG_WARNING,
                 "%sguestlink-init cannot find the pool's address in this kernel's log (grep "
                 "the log for \"software IO TLB\")",
                 none);
    else if (pool->torn_down)
        kmsg_log(LOG_WARNING, "%sthe kernel tore its pool down", none);
    else if (pool->overwritten)
        kmsg_log(LOG_WARNING,
                 "%sthe beginning of the kernel's log, which has the pool's address, was "
                 "overwritten; set log_buf_len= on the kernel command line to a larger size",
                 none);
    else
        kmsg_log(LOG_WARNING,
                 "%sthe kernel's log does not have the pool's address; on x86, add iommu=soft "
                 "to the kernel command line",
                 none);
}

uint64_t default_pool_measure(uint64_t *ret_base, uint64_t *ret_size)
{
    FD_CLOSE int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct default_pool pool = {0};
    int r = fd < 0 ? -errno : default_pool_read(fd, &pool);

    *ret_base = pool.base;
    *ret_size = pool.size;
    if (r < 0)
        kmsg_log(LOG_WARNING, "cannot read /dev/kmsg: %s; reporting no SWIOTLB pool to the host",
                 strerror(-r));
    else if (pool.size == 0)
        log_why_there_is_none(&pool);
    if (pool.size == 0)
        return 0;
    return CAPABILITIES_SWIOTLB_DEFAULT | (is_dynamic() ? CAPABILITIES_SWIOTLB_DYNAMIC : 0);
}
