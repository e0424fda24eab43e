/* A line of /proc/self/mountinfo, whose paths anybody who may mount can choose. */
#include "fuzz.h"
#include "init/base/mountinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct mountinfo mount;

    if (mountinfo_parse(text, &mount) == 0) {
        FUZZ_CHECK(strnlen(mount.target, sizeof(mount.target)) < sizeof(mount.target));
        FUZZ_CHECK(strnlen(mount.type, sizeof(mount.type)) < sizeof(mount.type));
        FUZZ_CHECK(strnlen(mount.source, sizeof(mount.source)) < sizeof(mount.source));
        FUZZ_CHECK(strnlen(mount.options, sizeof(mount.options)) < sizeof(mount.options));
    }
    free(text);
    return 0;
}
