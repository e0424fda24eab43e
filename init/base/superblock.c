/* superblock: which filesystem a block device holds. */
#include "superblock.h"

#include <errno.h>
#include <string.h>

/* Each from its kernel's own description of the layout on disk. ext2 and ext3 are mounted as ext4.
 */
static const struct {
    const char *type;
    const char *magic;
    size_t magic_offset, magic_size;
    size_t uuid_offset;
    size_t label_offset, label_size;
} known[] = {
    {"ext4", "\x53\xef", 0x438, 2, 0x468, 0x478, 16},
    {"xfs", "XFSB", 0, 4, 32, 108, 12},
    {"btrfs", "_BHRfS_M", 0x10040, 8, 0x10020, 0x1012b, 63},
};

int superblock_parse(const uint8_t *data, size_t size, struct superblock *ret)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (size < known[i].label_offset + known[i].label_size ||
            memcmp(data + known[i].magic_offset, known[i].magic, known[i].magic_size) != 0)
            continue;
        *ret = (struct superblock){.type = known[i].type};
        memcpy(ret->uuid, data + known[i].uuid_offset, sizeof(ret->uuid));
        memcpy(ret->label, data + known[i].label_offset, known[i].label_size);
        return 0;
    }
    return -ENOENT;
}
