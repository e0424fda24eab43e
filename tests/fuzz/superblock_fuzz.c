/* What a disk of the host's, or of anybody's, says that it is. */
#include "fuzz.h"
#include "init/base/superblock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct superblock superblock;

    if (superblock_parse(data, size, &superblock) == 0) {
        FUZZ_CHECK(superblock.type && superblock.type[0] != '\0');
        FUZZ_CHECK(strnlen(superblock.label, sizeof(superblock.label)) < sizeof(superblock.label));
    }
    return 0;
}
