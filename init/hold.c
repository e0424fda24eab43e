/* hold: requests that wait until it is settled which root they are for. */
#include "hold.h"

#include "protocol/wire.h"

int hold_add(struct hold *hold, const struct frame *frame)
{
    struct wire_writer writer = {
        .data = hold->bytes, .capacity = sizeof(hold->bytes), .size = hold->size};
    size_t start = frame_begin(&writer, frame->type, frame->flags, frame->id);
    int r;

    wire_put_bytes(&writer, frame->payload, frame->length);
    r = frame_end(&writer, start);
    hold->size = writer.size;
    return r;
}

bool hold_take(struct hold *hold, struct frame *ret_frame)
{
    size_t size;

    if (hold->taken == hold->size ||
        frame_decode(hold->bytes + hold->taken, hold->size - hold->taken, ret_frame, &size) != 0) {
        hold_clear(hold);
        hold->on = false;
        return false;
    }
    hold->taken += size;
    return true;
}

void hold_clear(struct hold *hold)
{
    hold->size = hold->taken = 0;
}
