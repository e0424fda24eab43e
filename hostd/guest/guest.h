/*
 * guest: the requests that are outstanding to one guest, each with its deadline.
 */
#ifndef GUESTLINK_HOSTD_GUEST_H
#define GUESTLINK_HOSTD_GUEST_H

#include "connection.h"

#include "protocol/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct guest;

struct guest_answer {
    int error; /* 0; the guest's errno (EIO for its ECONNRESET); or ETIMEDOUT, ECONNRESET (the
                * guest went away), EPROTO (the answer makes no sense) */
    const char *text; /* for a person, "" if there is nothing to say; without control characters */
    /* The answer's frame if error is 0; its type is RESULT or what answers that request. */
    const struct frame *frame;
};

typedef void (*guest_done_fn)(void *userdata, const struct guest_answer *answer);

/* @return 0 or -errno */
int guest_new(sd_event *event, struct guest **ret_guest);
/* Forgets every request without a word. @return NULL */
struct guest *guest_free(struct guest *guest);

/* Requests go to @p connection (borrowed) from now on; NULL: the guest is gone, and everything
 * outstanding is answered ECONNRESET from within this call. */
void guest_attach(struct guest *guest, struct connection *connection);
bool guest_is_attached(const struct guest *guest);

/* True if it is attached, and has not hung up, of which the loop may not have heard yet. */
bool guest_is_there(const struct guest *guest);

/*
 * Asks the guest.
 *
 * @param type        the request's; payload: packed by request_…_pack(), NULL for none
 * @param timeout_ms  until `done` is called with ETIMEDOUT; 0: the guest may take any time
 * @param done        called once, unless this fails or guest_free() or guest_forget() comes first;
 *                    never from within this call
 * @return 0; -ENOTCONN: no guest; -ENOBUFS: too many requests, or the guest does not read; -ENOMEM
 */
int guest_ask(struct guest *guest, uint16_t type, const void *payload, size_t size,
              uint32_t timeout_ms, guest_done_fn done, void *userdata);

/* Drops the `done` of every request asked with @p userdata. */
void guest_forget(struct guest *guest, const void *userdata);

enum { GUEST_E_MALFORMED = 1 };

/*
 * Takes a frame with the answer flag. One that answers nothing outstanding is ignored: its request
 * timed out.
 *
 * @return 0, or GUEST_E_MALFORMED: a protocol error; the request is answered EPROTO
 */
int guest_take_answer(struct guest *guest, const struct frame *frame);

/* Answers a request or event of the guest's that carries an id. Without a guest: nothing. */
void guest_reply(struct guest *guest, uint32_t id, int error, const char *text);

#endif
