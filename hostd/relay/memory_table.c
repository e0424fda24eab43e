/* memory table: where a guest's memory is, as QEMU says it. */
#include "memory_table.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_sound(const struct vhost_user_region *region)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    return region->size > 0 &&
           (region->size | region->guest_address | region->user_address | region->file_offset) %
                   page ==
               0 &&
           region->guest_address <= UINT64_MAX - region->size &&
           region->user_address <= UINT64_MAX - region->size && region->size <= INT64_MAX &&
           region->file_offset <= INT64_MAX - region->size;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

static int identify(int fd, struct memory_file *file)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    *file = (struct memory_file){.fd = fd, .device = status.st_dev, .inode = status.st_ino};
    return 0;
}

int memory_table_unpack(const struct vhost_user_message *message, struct memory_table *ret_table)
{
    struct memory_table table = {.count = message->fd_count};
    uint32_t count;

    if (table.count == 0 || table.count > MEMORY_TABLE_REGIONS_MAX ||
        message->size != VHOST_USER_REGIONS_OFFSET + table.count * sizeof(table.regions[0]))
        return -EPROTO;
    memcpy(&count, message->payload, sizeof(count));
    if (count != table.count)
        return -EPROTO;
    memcpy(table.regions, message->payload + VHOST_USER_REGIONS_OFFSET,
           count * sizeof(table.regions[0]));
    for (size_t i = 0; i < count; i++) {
        const struct vhost_user_region *one = &table.regions[i];

        if (!is_sound(one) || identify(message->fds[i], &table.files[i]) < 0)
            return -EPROTO;
        for (size_t j = 0; j < i; j++) {
            const struct vhost_user_region *other = &table.regions[j];

            if (overlap(one->guest_address, one->size, other->guest_address, other->size) ||
                overlap(one->user_address, one->size, other->user_address, other->size))
                return -EPROTO;
        }
    }
    *ret_table = table;
    return 0;
}

void memory_table_pack(const struct memory_table *table, struct vhost_user_message *ret_message)
{
    const uint32_t header[2] = {(uint32_t)table->count, 0};

    *ret_message = (struct vhost_user_message){
        .request = VHOST_USER_SET_MEM_TABLE,
        .flags = VHOST_USER_VERSION,
        .size = (uint32_t)(VHOST_USER_REGIONS_OFFSET + table->count * sizeof(table->regions[0])),
        .fd_count = table->count,
    };
    memcpy(ret_message->payload, header, sizeof(header));
    memcpy(ret_message->payload + VHOST_USER_REGIONS_OFFSET, table->regions,
           table->count * sizeof(table->regions[0]));
    for (size_t i = 0; i < table->count; i++)
        ret_message->fds[i] = table->files[i].fd;
}

int memory_table_find(const struct memory_table *table, uint64_t user_address, uint64_t size,
                      uint64_t *ret_guest_address)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct vhost_user_region *region = &table->regions[i];

        if (user_address < region->user_address || size > region->size ||
            user_address - region->user_address > region->size - size)
            continue;
        *ret_guest_address = region->guest_address + (user_address - region->user_address);
        return 0;
    }
    return -EFAULT;
}

/* @return the region that has a guest address, or NULL */
static const struct vhost_user_region *region_at(const struct memory_table *table,
                                                 uint64_t guest_address)
{
    for (size_t i = 0; i < table->count; i++)
        if (guest_address >= table->regions[i].guest_address &&
            guest_address - table->regions[i].guest_address < table->regions[i].size)
            return &table->regions[i];
    return NULL;
}

int memory_table_add(struct memory_table *table, const struct memory_table *from, uint64_t begin,
                     uint64_t end)
{
    while (begin < end) {
        const struct vhost_user_region *region = region_at(from, begin);
        uint64_t size, skipped;

        if (!region)
            return -EFAULT;
        if (table->count == MEMORY_TABLE_REGIONS_MAX)
            return -E2BIG;
        skipped = begin - region->guest_address;
        size = region->size - skipped;
        if (size > end - begin)
            size = end - begin;
        table->files[table->count] = from->files[region - from->regions];
        table->regions[table->count++] =
            (struct vhost_user_region){.guest_address = begin,
                                       .size = size,
                                       .user_address = begin,
                                       .file_offset = region->file_offset + skipped};
        begin += size;
    }
    return 0;
}

void memory_table_sort(struct memory_table *table)
{
    for (size_t i = 1; i < table->count; i++) {
        struct vhost_user_region region = table->regions[i];
        struct memory_file file = table->files[i];
        size_t place = i;

        for (; place > 0 && table->regions[place - 1].guest_address > region.guest_address;
             place--) {
            table->regions[place] = table->regions[place - 1];
            table->files[place] = table->files[place - 1];
        }
        table->regions[place] = region;
        table->files[place] = file;
    }
}

/* True if a region is in one of the table. Those that are cut in two where one was are not found:
 * that costs a process, and shows nothing to it. */
static bool holds(const struct memory_table *table, const struct vhost_user_region *part,
                  const struct memory_file *file)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct vhost_user_region *whole = &table->regions[i];
        uint64_t skipped = part->guest_address - whole->guest_address;

        if (part->guest_address >= whole->guest_address && part->size <= whole->size &&
            skipped <= whole->size - part->size &&
            part->user_address == whole->user_address + skipped &&
            part->file_offset == whole->file_offset + skipped &&
            file->device == table->files[i].device && file->inode == table->files[i].inode)
            return true;
    }
    return false;
}

bool memory_table_holds(const struct memory_table *table, const struct memory_table *part)
{
    for (size_t i = 0; i < part->count; i++)
        if (!holds(table, &part->regions[i], &part->files[i]))
            return false;
    return true;
}

uint64_t memory_table_bytes(const struct memory_table *table)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < table->count; i++)
        bytes += table->regions[i].size;
    return bytes;
}
