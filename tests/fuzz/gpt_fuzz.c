/* A disk's partition table, which whoever wrote the disk chose: the first bytes say which
 * partition, the rest is the disk. */
#include "fuzz.h"
#include "init/base/gpt.h"
#include "protocol/wire.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t mbr[GPT_MBR_SIZE] = {0}, header[GPT_HEADER_SIZE] = {0}, entry[GPT_ENTRY_SIZE] = {0};
    struct gpt_partition partition;
    struct gpt_place place;
    uint32_t number = size > 0 ? data[0] : 0;

    if (size <= 1)
        return 0;
    data++;
    size--;
    memcpy(mbr, data, size < sizeof(mbr) ? size : sizeof(mbr));
    memcpy(header, data, size < sizeof(header) ? size : sizeof(header));
    memcpy(entry, data, size < sizeof(entry) ? size : sizeof(entry));
    if (gpt_find(header, 512, number, &place) == 0)
        FUZZ_CHECK(number > 0 && place.size >= GPT_ENTRY_SIZE);
    if (gpt_parse(entry, &partition) == 0) {
        FUZZ_CHECK(strlen(partition.uuid) == GPT_TEXT_UUID - 1);
        FUZZ_CHECK(wire_text_is_valid(wire_text_of(partition.label)));
    }
    if (gpt_parse_mbr(mbr, number, &partition) == 0)
        FUZZ_CHECK(strlen(partition.uuid) == 11 && number > 0);
    return 0;
}
