/* Records of the kernel's log, into which every program with the right may write. */
#include "fuzz.h"
#include "init/kmsg_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct kmsg_record record;
    struct kmsg_pool_full full;

    if (kmsg_record_parse(text, &record) == 0) {
        FUZZ_CHECK(record.level >= 0 && record.level <= 7);
        FUZZ_CHECK(record.text >= text && record.text <= text + size);
        (void)kmsg_record_pool_full(record.text, &full);
    }
    if (kmsg_record_pool_full(text, &full))
        FUZZ_CHECK(full.count > 0);
    free(text);
    return 0;
}
