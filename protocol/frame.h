/*
 * frame: the unit of the byte stream between guest and host.
 *
 * A frame is a header of 16 bytes and a payload of at most 64 KiB (PROTOCOL.md, "Frames"). This
 * code finds frames in bytes and writes frames into memory; who reads and writes sockets, and how
 * much it may hold, is the business of the two programs.
 */
#ifndef GUESTLINK_PROTOCOL_FRAME_H
#define GUESTLINK_PROTOCOL_FRAME_H

#include "wire.h"

#define FRAME_MAGIC       UINT32_C(0x4b4e4c47) /* the bytes 47 4C 4E 4B, "GLNK" */
#define FRAME_HEADER_SIZE 16u                  /* bytes */
#define FRAME_PAYLOAD_MAX 65536u               /* bytes */
#define FRAME_SIZE_MAX    (FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX)

#define FRAME_FLAG_ANSWER UINT16_C(1) /* bit 0: this answers the request whose id it carries */

#define PROTOCOL_MAJOR UINT16_C(1)
#define PROTOCOL_MINOR UINT16_C(1)

/* PROTOCOL.md, "Messages", has the payload of each. */
enum frame_type {
    FRAME_CAPABILITIES = 1,
    FRAME_WELCOME = 2,
    FRAME_GET_CAPABILITIES = 3,
    FRAME_RESULT = 4,

    /* host to guest */
    FRAME_SET_HOSTNAME = 16,
    FRAME_ADD_ENTROPY = 17,
    FRAME_MOUNT = 18,
    FRAME_UNMOUNT = 19,
    FRAME_CONFIGURE_NETWORK = 20,
    FRAME_START_PROCESS = 21,
    FRAME_SEND_SIGNAL = 22,
    FRAME_SHUT_DOWN = 23,
    FRAME_PING = 24, /* either direction */
    FRAME_PROCESS_INPUT = 25,
    FRAME_GET_POOL_USAGE = 26,
    FRAME_COMPLETE_BOOT = 27,
    FRAME_SET_TIME = 28,
    FRAME_RESIZE_TERMINAL = 29,
    FRAME_OUTPUT_TAKEN = 30,

    /* guest to host */
    FRAME_READY = 32,
    FRAME_CHILD_EXITED = 33,
    FRAME_LOG_RECORD = 34,
    FRAME_PROCESS_OUTPUT = 35,
    FRAME_POOL_USAGE = 36,
    FRAME_POOL_EXHAUSTED = 37,
    FRAME_FAREWELL = 38,
    FRAME_CLOCK_STEPPED = 39,
};

struct frame {
    uint16_t type;  /* enum frame_type, or one that this version does not know */
    uint16_t flags; /* FRAME_FLAG_… */
    uint32_t id;    /* 0: no answer is expected */
    const uint8_t *payload;
    uint32_t length; /* bytes of payload */
};

enum {
    FRAME_E_MORE = 1, /* more bytes are needed */
    FRAME_E_MAGIC,    /* protocol error: these bytes do not begin with the magic */
    FRAME_E_LENGTH,   /* protocol error: the length is over FRAME_PAYLOAD_MAX */
};

/*
 * Finds the frame at the start of @p data.
 *
 * The header is judged as soon as it is whole, and the magic as soon as its first wrong byte is
 * there, so that a bad peer is found before it can make anyone wait or hold 64 KiB.
 *
 * @param ret_frame  the frame; its payload points into @p data
 * @param ret_size   on 0: the bytes that the frame takes; on FRAME_E_MORE: the bytes that there
 * must be before asking again has a point
 * @return 0, FRAME_E_MORE, FRAME_E_MAGIC or FRAME_E_LENGTH
 */
int frame_decode(const uint8_t *data, size_t size, struct frame *ret_frame, size_t *ret_size);

/* A short lower-case name of a type for logs ("capabilities"), or "unknown". Static. */
const char *frame_type_name(uint16_t type);

/*
 * Writes a header whose length is not known yet. Write the payload next, then call frame_end().
 *
 * @return the offset to be given to frame_end()
 */
size_t frame_begin(struct wire_writer *writer, uint16_t type, uint16_t flags, uint32_t id);

/*
 * Ends the frame that frame_begin() began at @p start: sets its length.
 *
 * @return 0; -ENOBUFS if the writer's memory was too small, -EMSGSIZE if the payload is over
 *         FRAME_PAYLOAD_MAX; then the writer is back where the frame began, without overflow
 */
int frame_end(struct wire_writer *writer, size_t start);

#endif
