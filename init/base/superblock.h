/*
 * superblock: which filesystem a block device holds: its type, label and UUID.
 */
#ifndef GUESTLINK_INIT_SUPERBLOCK_H
#define GUESTLINK_INIT_SUPERBLOCK_H

#include <stddef.h>
#include <stdint.h>

/* How much of a device's start must be read to find any of them: btrfs has its at 64 KiB. */
#define SUPERBLOCK_READ_SIZE 69632u

struct superblock {
    const char *type; /* static: "ext4", "xfs", "btrfs" */
    uint8_t uuid[16];
    char label[64]; /* cut */
};

/* @return 0, or -ENOENT if it is none that is known */
int superblock_parse(const uint8_t *data, size_t size, struct superblock *ret);

#endif
