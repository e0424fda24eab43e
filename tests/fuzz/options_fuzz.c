/*
 * The option string: never an empty part, never more parts than were given.
 *
 * The first byte of the input is read-only (bit 0) and the room that there is; then token and id,
 * split by the first line break.
 */
#include "fuzz.h"
#include "protocol/options.h"
#include "protocol/token.h"

/* What is read of any text is what stands in it. */
static void check_read(const char *text)
{
    uint64_t base, number;
    char token[TOKEN_SIZE];

    if (options_read_token(text, &base, &number) <= 0)
        return;
    token_format(token, base, number);
    FUZZ_CHECK(strstr(text, token));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char buffer[OPTIONS_SIZE + 64];
    size_t capacity;
    char *text, *id;
    int r;

    if (size == 0)
        return 0;
    capacity = data[0] >> 1;
    text = fuzz_text(data + 1, size - 1);
    id = strchr(text, '\n');
    if (id)
        *id++ = '\0';
    memset(buffer, '#', sizeof(buffer));
    r = options_join(buffer, capacity, data[0] & 1, text, id);
    if (r < 0) {
        FUZZ_CHECK(buffer[0] == '#');
    } else {
        FUZZ_CHECK((size_t)r < capacity && strlen(buffer) == (size_t)r);
        FUZZ_CHECK(!strstr(buffer, ";;") && buffer[0] != ';' && (r == 0 || buffer[r - 1] != ';'));
    }
    FUZZ_CHECK(buffer[capacity] == '#');
    check_read(text);
    free(text);
    return 0;
}
