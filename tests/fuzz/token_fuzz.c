/* The token's parser: what it takes is what token_format() writes, and nothing else. */
#include "fuzz.h"
#include "protocol/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char again[TOKEN_SIZE];
    uint64_t base, bytes;

    if (token_parse(text, &base, &bytes) == 0) {
        token_format(again, base, bytes);
        FUZZ_CHECK(strcmp(text, again) == 0);
    }
    free(text);
    return 0;
}
