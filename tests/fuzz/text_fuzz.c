/*
 * Text of a guest's on its way into logs: always a C string, and each of its characters visible.
 * The first byte of the input is the room that there is.
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
    for (struct wire_text rest = wire_text_of(buffer); rest.size > 0;) {
        size_t taken = text_visible_size(rest);

        FUZZ_CHECK(taken > 0);
        rest.data += taken;
        rest.size -= taken;
    }
    free(buffer);
    return 0;
}
