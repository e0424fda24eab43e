/* process request: START_PROCESS, for the payload and for commands alike. */
#include "process_request.h"

#include "base/limits.h"
#include "string_list.h"

#include <errno.h>
#include <stdlib.h>

/* Two buffers of a frame's size are too much for the stack of a loop that nests. */
struct buffers {
    uint8_t lists[FRAME_PAYLOAD_MAX];
    uint8_t payload[FRAME_PAYLOAD_MAX];
};

int process_request_send(struct guest *guest, const struct process_request *request,
                         uint32_t timeout_ms, guest_done_fn done, void *userdata)
{
    struct request_start_process message = request->head;
    struct buffers *buffers = malloc(sizeof(*buffers));
    struct wire_writer items, writer;
    int r = -E2BIG;

    if (!buffers)
        return -ENOMEM;
    items = (struct wire_writer){.data = buffers->lists, .capacity = sizeof(buffers->lists)};
    writer = (struct wire_writer){.data = buffers->payload, .capacity = sizeof(buffers->payload)};
    message.argv = string_list_pack(&items, request->argv);
    message.environment = string_list_pack(&items, request->environment);
    if (request->limits)
        message.limits = string_list_pack(&items, request->limits);
    if (!items.overflow)
        request_start_process_pack(&writer, &message);
    if (!items.overflow && !writer.overflow)
        r = guest_ask(guest, FRAME_START_PROCESS, buffers->payload, writer.size,
                      timeout_ms + LIMITS_ANSWER_SLACK_MS, done, userdata);
    free(buffers);
    return r;
}
