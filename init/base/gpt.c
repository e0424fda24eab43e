/* gpt: names of partitions, as the disk's table has them. */
#include "gpt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "protocol/wire.h"

/* UEFI 2.10, tables 5-5 and 5-6. */
#define HEADER_ENTRIES 72u /* u64 block, then at 80 u32 how many, u32 bytes of each */
#define HEADER_COUNT   80u
#define ENTRY_UUID     16u
#define ENTRY_LABEL    56u
#define LABEL_UNITS    36u

/* Of an MBR; UEFI 2.10, table 5-1. */
#define MBR_DISK      0x1b8u
#define MBR_TABLE     0x1beu /* of 16 bytes each; the type is the fifth */
#define MBR_SIGNATURE 0x1feu
#define TYPE_GPT      0xeeu

int gpt_find(const uint8_t header[GPT_HEADER_SIZE], uint32_t block_size, uint32_t number,
             struct gpt_place *ret)
{
    struct wire_reader reader = {.data = header, .size = GPT_HEADER_SIZE, .offset = HEADER_ENTRIES};
    uint64_t block = wire_get_u64(&reader);
    uint32_t count = wire_get_u32(&reader), size = wire_get_u32(&reader);

    if (memcmp(header, "EFI PART", 8) != 0 || number == 0 || number > count ||
        size < GPT_ENTRY_SIZE || size > 4096 || block > UINT32_MAX)
        return -ENOENT;
    *ret = (struct gpt_place){.offset = block * block_size + (uint64_t)(number - 1) * size,
                              .size = size};
    return 0;
}

/* UTF-16 to UTF-8; half of a pair, which is no text, is left out. */
static void read_label(const uint8_t *units, char *label)
{
    struct wire_reader reader = {.data = units, .size = (size_t)LABEL_UNITS * 2};

    for (unsigned i = 0; i < LABEL_UNITS; i++) {
        uint16_t unit = wire_get_u16(&reader);

        if (unit == 0)
            break;
        if (unit >= 0xd800 && unit < 0xe000)
            continue;
        if (unit < 0x80) {
            *label++ = (char)unit;
            continue;
        }
        if (unit < 0x800) {
            *label++ = (char)(0xc0 | unit >> 6);
        } else {
            *label++ = (char)(0xe0 | unit >> 12);
            *label++ = (char)(0x80 | (unit >> 6 & 0x3f));
        }
        *label++ = (char)(0x80 | (unit & 0x3f));
    }
    *label = '\0';
}

int gpt_parse(const uint8_t entry[GPT_ENTRY_SIZE], struct gpt_partition *ret)
{
    static const uint8_t unused[16];
    const uint8_t *u = entry + ENTRY_UUID;

    if (memcmp(entry, unused, sizeof(unused)) == 0)
        return -ENOENT;
    *ret = (struct gpt_partition){0};
    /* The first three fields are little-endian. */
    (void)snprintf(ret->uuid, sizeof(ret->uuid),
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[3],
                   u[2], u[1], u[0], u[5], u[4], u[7], u[6], u[8], u[9], u[10], u[11], u[12], u[13],
                   u[14], u[15]);
    read_label(entry + ENTRY_LABEL, ret->label);
    return 0;
}

int gpt_parse_mbr(const uint8_t mbr[GPT_MBR_SIZE], uint32_t number, struct gpt_partition *ret)
{
    struct wire_reader disk = {.data = mbr, .size = GPT_MBR_SIZE, .offset = MBR_DISK};

    if (mbr[MBR_SIGNATURE] != 0x55 || mbr[MBR_SIGNATURE + 1] != 0xaa ||
        mbr[MBR_TABLE + 4] == TYPE_GPT || number == 0 || number > 0xff)
        return -ENOENT;
    *ret = (struct gpt_partition){0};
    (void)snprintf(ret->uuid, sizeof(ret->uuid), "%08x-%02x", wire_get_u32(&disk), number);
    return 0;
}
