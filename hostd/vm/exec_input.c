/* exec input: what is fed to the standard input of one command in a guest. */
#include "exec_input.h"

#include "protocol/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int send_next(struct exec_input *input);

static void on_answer(void *userdata, const struct guest_answer *answer)
{
    struct exec_input *input = userdata;
    int r = -EPIPE; /* it takes no more, or has had the end */

    if (answer->error == 0 && input->sent > 0) {
        input->size -= input->sent;
        memmove(input->data, input->data + input->sent, input->size);
        r = send_next(input);
    }
    if (r < 0)
        exec_input_done(input);
    input->changed(input->userdata);
}

/* Sends the first chunk of what is held, or the end if nothing is. */
static int send_next(struct exec_input *input)
{
    uint8_t payload[LIMITS_STREAM_CHUNK + 64u];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    struct request_process_input request = {.process = input->process};
    int r;

    input->asked = false;
    if (input->size == 0 && !input->end)
        return 0;
    input->sent = input->size < LIMITS_STREAM_CHUNK ? input->size : LIMITS_STREAM_CHUNK;
    request.data = (struct wire_text){.data = (const char *)input->data, .size = input->sent};
    request_process_input_pack(&writer, &request);
    r = guest_ask(input->guest, FRAME_PROCESS_INPUT, payload, writer.size, 0, on_answer, input);
    input->asked = r >= 0;
    return r;
}

int exec_input_give(struct exec_input *input, const void *data, size_t size)
{
    int r;

    if (input->closed)
        return -EPIPE;
    if (size > EXEC_INPUT_MAX - input->size)
        return -EAGAIN;
    if (!input->data)
        input->data = malloc(EXEC_INPUT_MAX);
    if (!input->data)
        return -ENOMEM;
    if (size > 0)
        memcpy(input->data + input->size, data, size);
    input->size += size;
    input->end = input->closed = size == 0;
    r = input->asked ? 0 : send_next(input);
    if (r < 0)
        exec_input_done(input);
    return r;
}

void exec_input_done(struct exec_input *input)
{
    if (input->guest)
        guest_forget(input->guest, input);
    free(input->data);
    input->data = NULL;
    input->size = 0;
    input->closed = true;
    input->end = false;
    input->asked = false;
}
