/* aperture: the part of a guest's memory that its device's process can reach. */
#include "aperture.h"

#include "../../protocol/options.h"
#include "extent.h"
#include "rings.h"
#include "udmabuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Of the regions that there are, those that are left to rings if a pool is cut into several. */
#define RING_REGIONS 4u

#define RING_FAULT                                                                                 \
    "the guest's driver placed a ring where its device must not reach: outside the guest's "       \
    "shared memory, or across the edge of a region"
#define REGION_FAULT                                                                               \
    "pool and rings are in more than 8 separate memory regions, the maximum of vhost-user: "       \
    "give the device fewer queues, or raise /sys/module/udmabuf/parameters/size_limit_mb to "      \
    "the size of the pool in MiB"
#define HUGE_FAULT                                                                                 \
    "the VM's memory is huge pages, and no part of one can be passed without a dma-buf: use "      \
    "memory-backend-memfd without hugetlb, or a kernel of 6.9 or later that has /dev/udmabuf"

/* ---- what is told */

/* @param reason  static or "" */
static void tell(struct aperture *aperture, enum aperture_state state, uint64_t bytes,
                 const char *reason)
{
    struct aperture_status status = {.state = state, .bytes = bytes};
    int r;

    (void)snprintf(status.reason, sizeof(status.reason), "%s", reason);
    if (!aperture->status_file[0] ||
        (status.state == aperture->status.state && status.bytes == aperture->status.bytes &&
         strcmp(status.reason, aperture->status.reason) == 0))
        return;
    aperture->status = status;
    r = aperture_status_write(aperture->status_file, &status);
    if (r < 0)
        (void)dprintf(STDERR_FILENO, "relay: cannot write the aperture's status: %s\n",
                      strerrordesc_np(-r));
}

void aperture_refuse(struct aperture *aperture, const char *reason)
{
    (void)dprintf(STDERR_FILENO, "relay: refused the device: %s\n", reason);
    tell(aperture, APERTURE_REFUSED, 0, reason);
}

void aperture_ask(struct aperture *aperture, uint64_t question)
{
    if (aperture->question == question)
        return;
    if (aperture->question == 0)
        aperture->before = aperture->status;
    aperture->question = question;
    if (question != 0)
        tell(aperture, APERTURE_WAITING, question, "");
    else if (aperture->before.state != APERTURE_NONE) /* a relay of before has told it */
        tell(aperture, aperture->before.state, aperture->before.bytes, aperture->before.reason);
}

bool aperture_is_confirmed(const struct aperture *aperture)
{
    return aperture->question != 0 &&
           aperture_status_is_confirmed(aperture->status_file, aperture->question);
}

/* ---- what is known from the beginning */

static const char *find_obstacle(struct aperture *aperture)
{
    uint64_t pieces;

    aperture->device = udmabuf_open();
    if (aperture->device < 0)
        return udmabuf_obstacle(aperture->device) ? udmabuf_obstacle(aperture->device)
                                                  : strerrordesc_np(-aperture->device);
    aperture->piece = udmabuf_limit();
    pieces = aperture->size / aperture->piece + (aperture->size % aperture->piece != 0);
    if (pieces > 1 && pieces > MEMORY_TABLE_REGIONS_MAX - RING_REGIONS)
        return "the pool is larger than the kernel's limit for a dma-buf: raise "
               "/sys/module/udmabuf/parameters/size_limit_mb to the size of the pool in MiB";
    return NULL;
}

static int fail(struct aperture *aperture, int error, const char *reason)
{
    aperture_refuse(aperture, reason);
    return error;
}

int aperture_open(struct aperture *aperture, const char *options, const char *mode,
                  const char *status_file, const char *obstacle)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    bool is_off = strcmp(mode, "off") == 0;
    uint64_t base, size;
    int r;

    *aperture = (struct aperture)APERTURE_NULL;
    aperture->status_file = status_file;
    aperture->is_required = strcmp(mode, "require") == 0;
    if (!is_off && !aperture->is_required && strcmp(mode, "auto") != 0)
        return fail(aperture, -EINVAL, "the aperture's mode is not auto, require or off");
    r = options_read_token(options, &base, &size);
    if (r < 0)
        return fail(aperture, r, "the device's options are malformed");
    if (r == 0 && aperture->is_required)
        return fail(aperture, -ENOTSUP, "the aperture is required, but the VM has no token");
    if (r > 0 && is_off)
        tell(aperture, APERTURE_NONE, 0, "switched off");
    if (r == 0 || is_off)
        return 0;
    if (size == 0 || (base | size) % page != 0 || base > UINT64_MAX - size)
        return fail(aperture, -EINVAL,
                    "the token's pool does not consist of whole pages of "
                    "this host");
    aperture->base = base;
    aperture->size = size;
    aperture->obstacle = obstacle ? obstacle : find_obstacle(aperture);
    if (aperture->obstacle)
        aperture->piece = size;
    if (aperture->obstacle && aperture->is_required)
        return fail(aperture, -ENOTSUP, aperture->obstacle);
    return 0;
}

bool aperture_is_in_force(const struct aperture *aperture)
{
    return aperture->size > 0;
}

/* ---- what it is made of */

static int explain(int error, const char *reason, const char **ret_reason)
{
    *ret_reason = error == -E2BIG ? REGION_FAULT : error == -ENOTSUP ? HUGE_FAULT : reason;
    return error;
}

int aperture_find(const struct aperture *aperture, const struct session *session, bool stopped,
                  struct memory_table *ret_table, const char **ret_reason)
{
    const struct session_entry *entry = session_find(session, VHOST_USER_SET_MEM_TABLE, 0);
    const struct extent_pool pool = {aperture->base, aperture->size, aperture->piece};
    struct memory_table memory;
    struct rings rings;
    int r;

    if (!entry || memory_table_unpack(&entry->message, &memory) < 0)
        return explain(-EPROTO, "QEMU sent no usable description of the guest's memory",
                       ret_reason);
    r = rings_read(session, &rings);
    if (r < 0)
        return explain(r, "QEMU placed a ring before setting its size", ret_reason);
    r = extent_find(&pool, &memory, &rings, stopped ? &aperture->told : NULL, ret_table);
    if (r == -ENXIO)
        return explain(r, "part of the token's pool is outside the memory that QEMU shares",
                       ret_reason);
    return r < 0 ? explain(r, RING_FAULT, ret_reason) : 0;
}

/* ---- how a process gets it */

/* One region as a separate file. @return 0 or -errno */
static int confine(int device, struct vhost_user_region *region, struct memory_file *file)
{
    int fd = udmabuf_make(device, file->fd, region->file_offset, region->size);

    if (fd < 0)
        return fd;
    region->file_offset = 0;
    file->fd = fd;
    return 0;
}

/* One region in QEMU's own file. @return 0; -ENOTSUP: the process could not map it; -errno */
static int lend(const struct vhost_user_region *region, struct memory_file *file)
{
    struct statfs status;
    int fd;

    if (fstatfs(file->fd, &status) < 0)
        return -errno;
    if (status.f_type == HUGETLBFS_MAGIC &&
        (region->file_offset | region->size) % (uint64_t)status.f_bsize != 0)
        return -ENOTSUP;
    fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    file->fd = fd;
    return 0;
}

/* A message of a table, with its own descriptors. @param device  negative: without dma-bufs */
static int make(int device, struct memory_table table, struct vhost_user_message *ret_message)
{
    size_t count = table.count;
    int r = 0;

    for (table.count = 0; table.count < count && r == 0; table.count += r == 0)
        r = device < 0 ? lend(&table.regions[table.count], &table.files[table.count])
                       : confine(device, &table.regions[table.count], &table.files[table.count]);
    memory_table_pack(&table, ret_message);
    if (r < 0)
        vhost_user_close(ret_message);
    return r;
}

int aperture_hand_over(struct aperture *aperture, const struct memory_table *table,
                       struct vhost_user_message *ret_message, const char **ret_reason)
{
    int r = aperture->obstacle ? make(-1, *table, ret_message)
                               : make(aperture->device, *table, ret_message);

    if (r < 0 && !aperture->obstacle && !aperture->is_enforced && udmabuf_obstacle(r)) {
        aperture->obstacle = udmabuf_obstacle(r);
        if (aperture->is_required)
            return explain(r, aperture->obstacle, ret_reason);
        r = make(-1, *table, ret_message);
    }
    if (r < 0)
        return explain(r, udmabuf_obstacle(r) ? udmabuf_obstacle(r) : strerrordesc_np(-r),
                       ret_reason);
    aperture->is_enforced = !aperture->obstacle;
    aperture->told = *table;
    tell(aperture, aperture->obstacle ? APERTURE_NARROWED : APERTURE_ENFORCED,
         memory_table_bytes(table), aperture->obstacle ? aperture->obstacle : "");
    return 0;
}

int aperture_translate(const struct session *session, struct vhost_user_message *message)
{
    const struct session_entry *entry = session_find(session, VHOST_USER_SET_MEM_TABLE, 0);
    struct vhost_user_vring_address address;
    struct memory_table memory;

    if (!entry || memory_table_unpack(&entry->message, &memory) < 0 ||
        !vhost_user_read(message, 0, &address, sizeof(address)) ||
        memory_table_find(&memory, address.descriptors, 1, &address.descriptors) < 0 ||
        memory_table_find(&memory, address.available, 1, &address.available) < 0 ||
        memory_table_find(&memory, address.used, 1, &address.used) < 0)
        return -EFAULT;
    address.flags = 0; /* of which there is one: that writes are logged */
    address.log = 0;
    memcpy(message->payload, &address, sizeof(address));
    return 0;
}
