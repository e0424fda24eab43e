/* superblock: filesystems told by their magic numbers. */
#include "descriptors.h"
#include "init/base/superblock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t disk[SUPERBLOCK_READ_SIZE];

static void put(size_t at, const char *text)
{
    for (; *text != '\0'; text++)
        disk[at++] = (uint8_t)*text;
}

static void check(const char *type, const char *magic, size_t magic_at, size_t uuid_at,
                  size_t label_at)
{
    struct superblock block;

    memset(disk, 0, sizeof(disk));
    assert_int_equal(superblock_parse(disk, sizeof(disk), &block), -ENOENT);
    put(magic_at, magic);
    disk[uuid_at] = 0xaa;
    disk[uuid_at + 15] = 0xbb;
    put(label_at, "root");
    assert_int_equal(superblock_parse(disk, sizeof(disk), &block), 0);
    assert_string_equal(block.type, type);
    assert_int_equal(block.uuid[0], 0xaa);
    assert_int_equal(block.uuid[15], 0xbb);
    assert_string_equal(block.label, "root");
    for (size_t size = 0; size < label_at + 4; size += 97)
        assert_int_equal(superblock_parse(disk, size, &block), -ENOENT);
}

static void each_filesystem_is_known_by_its_layout(void **state)
{
    (void)state;
    check("ext4", "\x53\xef", 0x438, 0x468, 0x478);
    check("xfs", "XFSB", 0, 32, 108);
    check("btrfs", "_BHRfS_M", 0x10040, 0x10020, 0x1012b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_filesystem_is_known_by_its_layout),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
