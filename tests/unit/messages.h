/*
 * messages: every message of the protocol in one table, so that one test or fuzz target serves all.
 */
#ifndef GUESTLINK_TESTS_MESSAGES_H
#define GUESTLINK_TESTS_MESSAGES_H

#include "protocol/capabilities.h"
#include "protocol/event.h"
#include "protocol/frame.h"
#include "protocol/request.h"
#include "protocol/result.h"
#include "protocol/welcome.h"

/* The struct of any message. */
union message {
    struct guest_capabilities capabilities;
    struct welcome welcome;
    struct result result;
    struct request_set_hostname set_hostname;
    struct request_add_entropy add_entropy;
    struct request_mount mount;
    struct request_unmount unmount;
    struct request_configure_network configure_network;
    struct request_start_process start_process;
    struct request_send_signal send_signal;
    struct request_shut_down shut_down;
    struct request_set_time set_time;
    struct request_process_input process_input;
    struct request_resize_terminal resize_terminal;
    struct request_output_taken output_taken;
    struct event_ready ready;
    struct event_child_exited child_exited;
    struct event_log_record log_record;
    struct event_process_output process_output;
    struct event_pool_usage pool_usage;
    struct event_pool_exhausted pool_exhausted;
    struct event_farewell farewell;
    struct event_clock_stepped clock_stepped;
};

struct message_kind {
    uint16_t type; /* FRAME_… */
    uint32_t size; /* struct_size in 1.0 */
    void (*pack)(struct wire_writer *writer, const union message *message);
    int (*unpack)(const uint8_t *payload, size_t size, union message *ret_message);
};

#define MESSAGES_COUNT 23u

extern const struct message_kind messages[MESSAGES_COUNT];

/* The row of a type, or NULL: it is unknown, or has no payload. */
const struct message_kind *messages_find(uint16_t type);

#endif
