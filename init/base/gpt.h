/*
 * gpt: names of partitions, as the disk's table has them: a GUID partition table, or an MBR, whose
 * partitions are named by the disk's signature and their number, as the kernel's root= does it.
 */
#ifndef GUESTLINK_INIT_GPT_H
#define GUESTLINK_INIT_GPT_H

#include <stddef.h>
#include <stdint.h>

#define GPT_TEXT_UUID 37u

struct gpt_partition {
    char uuid[GPT_TEXT_UUID]; /* lower-case: a GUID, or SSSSSSSS-NN of an MBR */
    char label[109];          /* UTF-8 of at most 36 characters; "" of an MBR */
};

/* Where the table has the entry of a partition, in bytes from the disk's start, and its size. */
struct gpt_place {
    uint64_t offset;
    uint32_t size; /* at least GPT_ENTRY_SIZE */
};

#define GPT_HEADER_SIZE 92u  /* of the header, at the disk's second block */
#define GPT_ENTRY_SIZE  128u /* what is read of an entry */
#define GPT_MBR_SIZE    512u /* the disk's first bytes */

/*
 * Reads the header of a GUID partition table.
 *
 * @param block_size  the disk's, bytes
 * @return 0, or -ENOENT: there is none, or none with partition @p number (from 1)
 */
int gpt_find(const uint8_t header[GPT_HEADER_SIZE], uint32_t block_size, uint32_t number,
             struct gpt_place *ret);

/* Reads an entry. @return 0, or -ENOENT if it is an empty one */
int gpt_parse(const uint8_t entry[GPT_ENTRY_SIZE], struct gpt_partition *ret);

/* As an MBR names partition @p number. @return 0, or -ENOENT if there is none, or it is a GPT's */
int gpt_parse_mbr(const uint8_t mbr[GPT_MBR_SIZE], uint32_t number, struct gpt_partition *ret);

#endif
