/*
 * The frame reader: bytes that come in any pieces give the same frames as if they came at once.
 *
 * The first byte of the input seeds the sizes of the pieces.
 */
#include "fuzz.h"
#include "protocol/frame.h"

#include <stdbool.h>
#include <string.h>

struct outcome {
    uint64_t digest; /* of the headers and lengths of all frames */
    size_t taken;    /* bytes */
    int end;         /* FRAME_E_… */
};

static void note(struct outcome *outcome, const struct frame *frame, size_t size)
{
    const uint64_t values[] = {frame->type, frame->flags, frame->id, frame->length};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        outcome->digest = (outcome->digest ^ values[i]) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < frame->length; i++)
        outcome->digest = (outcome->digest ^ frame->payload[i]) * UINT64_C(0x100000001b3);
    outcome->taken += size;
}

/* Takes what frames there are among the bytes so far. */
static void take(struct outcome *outcome, const uint8_t *data, size_t size)
{
    outcome->end = FRAME_E_MORE;
    while (true) {
        struct frame frame;
        size_t needed = 0;

        outcome->end = frame_decode(data + outcome->taken, size - outcome->taken, &frame, &needed);
        if (outcome->end == FRAME_E_MORE)
            FUZZ_CHECK(needed > size - outcome->taken && needed <= FRAME_SIZE_MAX);
        if (outcome->end != 0)
            return;
        FUZZ_CHECK(needed == FRAME_HEADER_SIZE + frame.length);
        FUZZ_CHECK(frame.payload + frame.length <= data + size);
        FUZZ_CHECK(frame_type_name(frame.type)[0] != '\0');
        note(outcome, &frame, needed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole = {0}, pieces = {0};
    uint32_t random = size > 0 ? data[0] : 0;

    if (size == 0)
        return 0;
    data++;
    size--;
    take(&whole, data, size);
    for (size_t there = 0; there < size && pieces.end <= FRAME_E_MORE;) {
        random = random * 1103515245 + 12345;
        there += 1 + (random >> 16) % 37;
        there = there < size ? there : size;
        take(&pieces, data, there);
    }
    /* An error ends the stream; frames before it have been told by then. */
    FUZZ_CHECK(pieces.digest == whole.digest && pieces.taken == whole.taken);
    FUZZ_CHECK(size == 0 || pieces.end == whole.end);
    return 0;
}
