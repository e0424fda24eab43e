/* Records of the kernel's log, into which every program with the right may write. */
#include "fuzz.h"
#include "init/kernel/kmsg_record.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct kmsg_record record;
    struct kmsg_pool_full full;
    uint64_t base, pool_size;

    if (kmsg_record_parse(text, &record) == 0) {
        FUZZ_CHECK(record.level >= 0 && record.level <= 7);
        FUZZ_CHECK(record.text >= text && record.text <= text + size);
        if (kmsg_record_pool_full(&record, &full)) {
            FUZZ_CHECK(full.count > 0 && record.by_kernel);
            FUZZ_CHECK(strncmp(record.text, "swiotlb_tbl_map_single: ", 24) == 0 ||
                       strstr(record.text, "\n DEVICE=+") != NULL);
        }
        if (kmsg_record_default_pool(&record, &base, &pool_size) == KMSG_DEFAULT_POOL_MAPPED) {
            FUZZ_CHECK(record.by_kernel && pool_size > 0 && pool_size % 262144 == 0);
            FUZZ_CHECK(base + pool_size > base);
            FUZZ_CHECK(strncmp(record.text, "software IO TLB: mapped [mem 0x", 31) == 0);
        }
    }
    free(text);
    return 0;
}
