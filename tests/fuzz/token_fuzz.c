/* The token's parser: what it takes is what token_format() writes, and nothing else. */
#include "fuzz.h"
#include "protocol/token.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char again[TOKEN_SIZE];
    uint64_t base, bytes;

    FUZZ_CHECK(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (token_parse(text, &base, &bytes) == 0) {
        token_format(again, base, bytes);
        FUZZ_CHECK(strcmp(text, again) == 0);
    }
    free(text);
    return 0;
}
