/* Points in time as people write them, and as telemetry does. */
#include "fuzz.h"
#include "hostd/ctl/since.h"

#define NOW_US UINT64_C(1795247940000000) /* 2026-11-21 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    uint64_t at = 1;

    if (since_parse(text, NOW_US, &at) != 0)
        FUZZ_CHECK(at == 1);
    at = 1;
    if (since_parse_timestamp(text, &at) != 0)
        FUZZ_CHECK(at == 1);
    free(text);
    return 0;
}
