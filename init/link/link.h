/*
 * link: the connection to the host, forever.
 *
 *     DOWN ──dial──▶ CONNECTING ──stands──▶ GREETING ──WELCOME──▶ UP
 *       ▲                │ failed               │ refused, late     │ lost, protocol error
 *       └────────────────┴──── pause ───────────┴───────────────────┘
 *
 * It dials, sends CAPABILITIES, takes WELCOME, and hands every later frame to its user. Whatever
 * goes wrong, it closes the connection and dials again after a pause that grows. Where the device
 * is not there yet it waits for the kernel's uevents instead. A host that has been silent is asked
 * with a PING; one that does not answer is gone, though the connection's end never came.
 */
#ifndef GUESTLINK_INIT_LINK_H
#define GUESTLINK_INIT_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/loop.h"
#include "base/report.h"
#include "host_address.h"
#include "protocol/frame.h"
#include "protocol/wire.h"

enum link_state {
    LINK_DOWN = 0,
    LINK_CONNECTING,
    LINK_GREETING,
    LINK_UP,
};

struct link;

/* What the link's user does; each is called from the loop, never from inside link_…() calls. */
struct link_user {
    /* The connection stands: pack the payload of CAPABILITIES. */
    void (*greet)(struct link *link, struct wire_writer *writer);
    /* CAPABILITIES is on its way. */
    void (*greeted)(struct link *link);
    /* The host accepted: frames may be sent. */
    void (*welcomed)(struct link *link);
    /* A frame. @return 0, or a word of what is wrong with it (static): the connection is closed */
    const char *(*frame)(struct link *link, const struct frame *frame);
    /* Bytes were written: there is room again. */
    void (*drained)(struct link *link);
    /* An accepted connection is gone. */
    void (*lost)(struct link *link);
};

struct link {
    struct loop *loop;
    const struct link_user *user;
    struct host_address address;
    enum link_state state;
    bool broken;         /* a write failed; the loop closes the connection at its next turn */
    bool asked;          /* a PING is out, and nothing was heard since */
    uint16_t local_port; /* the next to be tried */
    uint32_t generation; /* of the connection: an answer to an older one's request is dropped */
    uint32_t next_id;
    uint32_t pause_ms;
    uint64_t heard_ns; /* CLOCK_BOOTTIME: when bytes of the host's came last */
    struct loop_source source;
    struct loop_source device; /* uevents, while the device is not there */
    struct loop_timer
        timer;              /* the end of the pause, or the deadline of the state; UP: of silence */
    struct wire_writer out; /* over out_bytes; what is queued ends at out.size */
    size_t out_start;       /* what is queued begins here */
    size_t frame_start;     /* of the frame that link_begin() began */
    bool in_waits;          /* whole frames may be left in in_bytes: their next turn must come */
    size_t in_size;
    uint8_t out_bytes[INIT_OUTPUT_SIZE];
    uint8_t in_bytes[FRAME_SIZE_MAX];
};

/* Begins to dial at once. @p link is zeroed memory. link_await() has to follow. */
void link_start(struct link *link, struct loop *loop, const struct host_address *address,
                const struct link_user *user);

/* Waits for the first call, and for nothing else, @p timeout_ms at most, and sends CAPABILITIES if
 * it stands by then. From here on the loop sees to all. */
void link_await(struct link *link, int timeout_ms);

/* Bytes that can be queued now; 0 unless UP. */
size_t link_room(const struct link *link);

/*
 * Begins a frame; pack its payload into what this returns, then call link_end().
 *
 * @return NULL if the link is not UP: there is nobody to send it to
 */
struct wire_writer *link_begin(struct link *link, uint16_t type, uint16_t flags, uint32_t id);

/* Ends the frame and writes what can be written. @return 0; -ENOBUFS or -EMSGSIZE: not sent */
int link_end(struct link *link);

/* Answers a request with RESULT, if @p id is not 0 and the connection it came by (@p generation)
 * still stands. */
void link_answer(struct link *link, uint32_t id, uint32_t generation, const struct report *report);

/* Closes the connection at the loop's next turn, and dials again. */
void link_break(struct link *link);

/* An id for a request of ours. */
uint32_t link_new_id(struct link *link);

#endif
