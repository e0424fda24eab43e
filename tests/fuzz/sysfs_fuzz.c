/* Files of sysfs and procfs: numbers, the boot's UUID, the list of filesystems. */
#include "fuzz.h"
#include "init/kernel/facts.h"
#include "init/kernel/swiotlb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    uint8_t uuid[16];
    uint64_t value;

    if (swiotlb_parse(text, &value) == 0) {
        /* A newline behind it is all that may be left; the C library agrees about the rest. */
        char *end = NULL;

        FUZZ_CHECK(strtoull(text, &end, 0) == value);
        FUZZ_CHECK(end != text && (*end == '\0' || strcmp(end, "\n") == 0));
    }
    if (facts_parse_uuid(text, uuid) == 0)
        FUZZ_CHECK(size >= 36 && text[8] == '-');
    (void)facts_lists_filesystem(text, "virtiofs");
    free(text);
    return 0;
}
