/*
 * Text of a guest's on its way into logs: always a C string without control characters, always
 * UTF-8. The first byte of the input is the room that there is.
 */
#include "fuzz.h"
#include "hostd/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_text text = {.data = (const char *)data + 1, .size = size - 1};
    char *buffer;
    size_t capacity;

    if (size == 0)
        return 0;
    capacity = 1 + data[0] % 64u;
    buffer = malloc(capacity);
    FUZZ_CHECK(buffer);
    text_take(text, buffer, capacity);
    FUZZ_CHECK(strnlen(buffer, capacity) < capacity);
    FUZZ_CHECK(!wire_text_has_control(wire_text_of(buffer)));
    FUZZ_CHECK(wire_text_is_valid(wire_text_of(buffer)));
    free(buffer);
    return 0;
}
