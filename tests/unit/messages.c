/* messages: every message of the protocol in one table. */
#include "messages.h"

#define MESSAGE(field, prefix)                                                                     \
    static void field##_pack_any(struct wire_writer *writer, const union message *message)         \
    {                                                                                              \
        prefix##_pack(writer, &message->field);                                                    \
    }                                                                                              \
    static int field##_unpack_any(const uint8_t *payload, size_t size, union message *ret_message) \
    {                                                                                              \
        return prefix##_unpack(payload, size, &ret_message->field);                                \
    }

MESSAGE(capabilities, capabilities)
MESSAGE(welcome, welcome)
MESSAGE(result, result)
MESSAGE(set_hostname, request_set_hostname)
MESSAGE(add_entropy, request_add_entropy)
MESSAGE(mount, request_mount)
MESSAGE(unmount, request_unmount)
MESSAGE(configure_network, request_configure_network)
MESSAGE(start_process, request_start_process)
MESSAGE(send_signal, request_send_signal)
MESSAGE(shut_down, request_shut_down)
MESSAGE(set_time, request_set_time)
MESSAGE(process_input, request_process_input)
MESSAGE(resize_terminal, request_resize_terminal)
MESSAGE(output_taken, request_output_taken)
MESSAGE(ready, event_ready)
MESSAGE(child_exited, event_child_exited)
MESSAGE(log_record, event_log_record)
MESSAGE(process_output, event_process_output)
MESSAGE(pool_usage, event_pool_usage)
MESSAGE(pool_exhausted, event_pool_exhausted)
MESSAGE(farewell, event_farewell)
MESSAGE(clock_stepped, event_clock_stepped)

#define ROW(type, size, field)                                                                     \
    {                                                                                              \
        type, size, field##_pack_any, field##_unpack_any                                           \
    }

/* The sizes are those of PROTOCOL.md. */
const struct message_kind messages[MESSAGES_COUNT] = {
    ROW(FRAME_CAPABILITIES, 176, capabilities),
    ROW(FRAME_WELCOME, 14, welcome),
    ROW(FRAME_RESULT, 12, result),
    ROW(FRAME_SET_HOSTNAME, 8, set_hostname),
    ROW(FRAME_ADD_ENTROPY, 12, add_entropy),
    ROW(FRAME_MOUNT, 24, mount),
    ROW(FRAME_UNMOUNT, 12, unmount),
    ROW(FRAME_CONFIGURE_NETWORK, 36, configure_network),
    ROW(FRAME_START_PROCESS, 60, start_process),
    ROW(FRAME_SEND_SIGNAL, 12, send_signal),
    ROW(FRAME_SHUT_DOWN, 12, shut_down),
    ROW(FRAME_SET_TIME, 16, set_time),
    ROW(FRAME_PROCESS_INPUT, 12, process_input),
    ROW(FRAME_RESIZE_TERMINAL, 12, resize_terminal),
    ROW(FRAME_OUTPUT_TAKEN, 12, output_taken),
    ROW(FRAME_READY, 80, ready),
    ROW(FRAME_CHILD_EXITED, 40, child_exited),
    ROW(FRAME_LOG_RECORD, 24, log_record),
    ROW(FRAME_PROCESS_OUTPUT, 12, process_output),
    ROW(FRAME_POOL_USAGE, 12, pool_usage),
    ROW(FRAME_POOL_EXHAUSTED, 48, pool_exhausted),
    ROW(FRAME_FAREWELL, 16, farewell),
    ROW(FRAME_CLOCK_STEPPED, 24, clock_stepped),
};

const struct message_kind *messages_find(uint16_t type)
{
    for (size_t i = 0; i < MESSAGES_COUNT; i++) {
        if (messages[i].type == type)
            return &messages[i];
    }
    return NULL;
}
