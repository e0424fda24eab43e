/* frame: the unit of the byte stream between guest and host. */
#include "frame.h"

#include <errno.h>
#include <string.h>

#define LENGTH_OFFSET 8u

/* False as soon as one of the first bytes is not that of the magic. */
static bool magic_may_follow(const uint8_t *data, size_t size)
{
    static const uint8_t magic[] = {0x47, 0x4c, 0x4e, 0x4b};

    return memcmp(data, magic, size < sizeof(magic) ? size : sizeof(magic)) == 0;
}

int frame_decode(const uint8_t *data, size_t size, struct frame *ret_frame, size_t *ret_size)
{
    struct wire_reader header = {.data = data, .size = size, .offset = sizeof(uint32_t)};
    struct frame frame;

    if (size > 0 && !magic_may_follow(data, size))
        return FRAME_E_MAGIC;
    if (size < FRAME_HEADER_SIZE) {
        *ret_size = FRAME_HEADER_SIZE;
        return FRAME_E_MORE;
    }
    frame.type = wire_get_u16(&header);
    frame.flags = wire_get_u16(&header);
    frame.length = wire_get_u32(&header);
    frame.id = wire_get_u32(&header);
    frame.payload = data + FRAME_HEADER_SIZE;
    if (frame.length > FRAME_PAYLOAD_MAX)
        return FRAME_E_LENGTH;

    *ret_size = FRAME_HEADER_SIZE + frame.length;
    if (size < *ret_size)
        return FRAME_E_MORE;
    *ret_frame = frame;
    return 0;
}

const char *frame_type_name(uint16_t type)
{
    static const char *const names[] = {
        [FRAME_CAPABILITIES] = "capabilities",
        [FRAME_WELCOME] = "welcome",
        [FRAME_GET_CAPABILITIES] = "get-capabilities",
        [FRAME_RESULT] = "result",
        [FRAME_SET_HOSTNAME] = "set-hostname",
        [FRAME_ADD_ENTROPY] = "add-entropy",
        [FRAME_MOUNT] = "mount",
        [FRAME_UNMOUNT] = "unmount",
        [FRAME_CONFIGURE_NETWORK] = "configure-network",
        [FRAME_START_PROCESS] = "start-process",
        [FRAME_SEND_SIGNAL] = "send-signal",
        [FRAME_SHUT_DOWN] = "shut-down",
        [FRAME_PING] = "ping",
        [FRAME_PROCESS_INPUT] = "process-input",
        [FRAME_GET_POOL_USAGE] = "get-pool-usage",
        [FRAME_COMPLETE_BOOT] = "complete-boot",
        [FRAME_SET_TIME] = "set-time",
        [FRAME_RESIZE_TERMINAL] = "resize-terminal",
        [FRAME_OUTPUT_TAKEN] = "output-taken",
        [FRAME_READY] = "ready",
        [FRAME_CHILD_EXITED] = "child-exited",
        [FRAME_LOG_RECORD] = "log-record",
        [FRAME_PROCESS_OUTPUT] = "process-output",
        [FRAME_POOL_USAGE] = "pool-usage",
        [FRAME_POOL_EXHAUSTED] = "pool-exhausted",
        [FRAME_FAREWELL] = "farewell",
        [FRAME_CLOCK_STEPPED] = "clock-stepped",
    };

    if (type >= sizeof(names) / sizeof(names[0]) || !names[type])
        return "unknown";
    return names[type];
}

size_t frame_begin(struct wire_writer *writer, uint16_t type, uint16_t flags, uint32_t id)
{
    size_t start = writer->size;

    wire_put_u32(writer, FRAME_MAGIC);
    wire_put_u16(writer, type);
    wire_put_u16(writer, flags);
    wire_put_u32(writer, 0);
    wire_put_u32(writer, id);
    return start;
}

int frame_end(struct wire_writer *writer, size_t start)
{
    struct wire_writer length = {.data = writer->data + start, .capacity = FRAME_HEADER_SIZE};
    size_t payload = writer->size - start - FRAME_HEADER_SIZE;
    int r = 0;

    if (writer->overflow)
        r = -ENOBUFS;
    else if (payload > FRAME_PAYLOAD_MAX)
        r = -EMSGSIZE;
    if (r < 0) {
        writer->size = start;
        writer->overflow = false;
        return r;
    }
    length.size = LENGTH_OFFSET;
    wire_put_u32(&length, (uint32_t)payload);
    return 0;
}
