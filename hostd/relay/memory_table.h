/*
 * memory table: where a guest's memory is, as QEMU says it (SET_MEM_TABLE): in the guest's physical
 * addresses, in QEMU's own addresses, and in files.
 */
#ifndef GUESTLINK_HOSTD_RELAY_MEMORY_TABLE_H
#define GUESTLINK_HOSTD_RELAY_MEMORY_TABLE_H

#include "vhost_user.h"

#include <sys/types.h>

/* Of the table of a backend that does not offer CONFIGURE_MEM_SLOTS, in both directions. */
#define MEMORY_TABLE_REGIONS_MAX VHOST_USER_FDS_MAX

struct memory_file {
    int fd; /* of the message that it was read from, which owns it */
    dev_t device;
    ino_t inode;
};

struct memory_table {
    struct vhost_user_region regions[MEMORY_TABLE_REGIONS_MAX];
    struct memory_file files[MEMORY_TABLE_REGIONS_MAX];
    size_t count;
};

/*
 * Reads a table out of a message.
 *
 * @return 0; -EPROTO: it is none, a region has no size or no whole pages, one does not end, or two
 *         of them have the same memory
 */
int memory_table_unpack(const struct vhost_user_message *message, struct memory_table *ret_table);

/* Makes a message of it, whose descriptors are those of the table: whose they are, does not change.
 */
void memory_table_pack(const struct memory_table *table, struct vhost_user_message *ret_message);

/* Where something of QEMU's is in the guest. @return 0; -EFAULT: it is not all in one region */
int memory_table_find(const struct memory_table *table, uint64_t user_address, uint64_t size,
                      uint64_t *ret_guest_address);

/*
 * Adds a range of the guest's memory that another table has, with its guest address as its user
 * address: in as many regions as it lies in.
 *
 * @return 0; -EFAULT: there is no memory in all of it; -E2BIG: too many regions. Then a part of the
 *         range may have been added
 */
int memory_table_add(struct memory_table *table, const struct memory_table *from, uint64_t begin,
                     uint64_t end);

/* Puts the regions in the order of their guest addresses. */
void memory_table_sort(struct memory_table *table);

/* True if all that a table names is in the other one, at the same addresses, in the same files. The
 * files need not be open any more. */
bool memory_table_holds(const struct memory_table *table, const struct memory_table *part);

uint64_t memory_table_bytes(const struct memory_table *table);

#endif
