/* token: what a device is told of a pool. */
#include "token.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void token_format(char *buffer, uint64_t base, uint64_t size)
{
    (void)snprintf(buffer, TOKEN_SIZE, "swiotlb=0x%" PRIx64 ",%" PRIu64, base, size);
}

int token_parse(const char *token, uint64_t *ret_base, uint64_t *ret_size)
{
    static const char prefix[] = "swiotlb=0x";
    unsigned long long base, size;
    char again[TOKEN_SIZE];
    char *end;

    if (strncmp(token, prefix, sizeof(prefix) - 1) != 0)
        return -EINVAL;
    errno = 0;
    base = strtoull(token + sizeof(prefix) - 1, &end, 16);
    if (errno != 0 || *end != ',')
        return -EINVAL;
    size = strtoull(end + 1, NULL, 10);
    if (errno != 0)
        return -EINVAL;

    /* strtoull() takes signs, blanks and leading zeros; only what we would write is a token. */
    token_format(again, base, size);
    if (strcmp(token, again) != 0)
        return -EINVAL;
    *ret_base = base;
    *ret_size = size;
    return 0;
}
