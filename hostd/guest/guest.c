/*
 * guest: the requests that are outstanding to one guest, each with its deadline.
 *
 * The low bits of a request's id are its place in the table, so that an answer finds it at once;
 * the high bits count, so that a late answer does not find another's.
 */
#include "guest.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"

#include "protocol/result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct request {
    uint32_t id; /* 0: this place is free */
    uint16_t type;
    uint64_t deadline_us;
    guest_done_fn done;
    void *userdata;
};

struct guest {
    sd_event *event;
    sd_event_source *timer;
    struct connection *connection;
    struct request *requests;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
    uint32_t round; /* of ids */
    uint64_t armed_us;
};

int guest_new(sd_event *event, struct guest **ret_guest)
{
    struct guest *guest = calloc(1, sizeof(*guest));

    if (!guest)
        return -ENOMEM;
    guest->event = sd_event_ref(event);
    *ret_guest = guest;
    return 0;
}

struct guest *guest_free(struct guest *guest)
{
    if (!guest)
        return NULL;
    (void)sd_event_source_disable_unref(guest->timer);
    (void)sd_event_unref(guest->event);
    free(guest->requests);
    free(guest);
    return NULL;
}

bool guest_is_attached(const struct guest *guest)
{
    return guest->connection != NULL;
}

bool guest_is_there(const struct guest *guest)
{
    return guest->connection && !connection_has_hung_up(guest->connection);
}

/* Ends a request; its place is free before `done` runs, which may ask again. */
static void finish(struct guest *guest, struct request *request, const struct guest_answer *answer)
{
    struct request ended = *request;

    request->id = 0;
    guest->count--;
    if (ended.done)
        ended.done(ended.userdata, answer);
}

void guest_attach(struct guest *guest, struct connection *connection)
{
    static const struct guest_answer lost = {.error = ECONNRESET,
                                             .text = "the guest's connection closed"};

    guest->connection = connection;
    if (connection)
        return;
    /* nothing can be asked meanwhile: there is no connection */
    for (uint32_t i = 0; i < guest->capacity; i++) {
        if (guest->requests[i].id != 0)
            finish(guest, &guest->requests[i], &lost);
    }
}

static int on_timer(sd_event_source *source, uint64_t at_us, void *userdata);

static int arm(struct guest *guest, uint64_t deadline_us)
{
    return clock_arm_first(guest->event, &guest->timer, &guest->armed_us, deadline_us, on_timer,
                           guest);
}

static int on_timer(sd_event_source *source, uint64_t at_us, void *userdata)
{
    static const struct guest_answer late = {.error = ETIMEDOUT,
                                             .text = "the guest did not answer"};
    struct guest *guest = userdata;
    uint64_t now_us = clock_now_us();
    uint64_t next_us = CLOCK_NEVER;

    (void)source;
    (void)at_us;
    guest->armed_us = 0;
    for (uint32_t i = 0; i < guest->capacity; i++) {
        if (guest->requests[i].id != 0 && guest->requests[i].deadline_us <= now_us)
            finish(guest, &guest->requests[i], &late);
        if (guest->requests[i].id != 0 && guest->requests[i].deadline_us < next_us)
            next_us = guest->requests[i].deadline_us;
    }
    return arm(guest, next_us);
}

static int grow(struct guest *guest)
{
    uint32_t capacity = guest->capacity ? 2 * guest->capacity : 4;
    struct request *requests;

    if (capacity > LIMITS_REQUESTS)
        return -ENOBUFS;
    requests = calloc(capacity, sizeof(*requests));
    if (!requests)
        return -ENOMEM;
    for (uint32_t i = 0; i < guest->capacity; i++) {
        if (guest->requests[i].id != 0)
            requests[guest->requests[i].id & (capacity - 1)] = guest->requests[i];
    }
    free(guest->requests);
    guest->requests = requests;
    guest->capacity = capacity;
    return 0;
}

/* Finds a free place and the id that leads to it. Ids count up; one whose place is taken is left
 * out, which ends after `capacity` steps because one place is free. */
static struct request *new_request(struct guest *guest)
{
    do
        guest->round++;
    while (guest->round == 0 || guest->requests[guest->round & (guest->capacity - 1)].id != 0);
    guest->requests[guest->round & (guest->capacity - 1)].id = guest->round;
    return &guest->requests[guest->round & (guest->capacity - 1)];
}

int guest_ask(struct guest *guest, uint16_t type, const void *payload, size_t size,
              uint32_t timeout_ms, guest_done_fn done, void *userdata)
{
    struct request *request;
    int r;

    if (!guest->connection)
        return -ENOTCONN;
    if (guest->count == guest->capacity) {
        r = grow(guest);
        if (r < 0)
            return r;
    }
    request = new_request(guest);
    request->type = type;
    request->deadline_us = timeout_ms ? clock_now_us() + timeout_ms * UINT64_C(1000) : CLOCK_NEVER;
    request->done = done;
    request->userdata = userdata;
    r = connection_send(guest->connection, type, 0, request->id, payload, size);
    if (r >= 0)
        r = arm(guest, request->deadline_us);
    if (r < 0) {
        request->id = 0;
        return r;
    }
    guest->count++;
    return 0;
}

void guest_forget(struct guest *guest, const void *userdata)
{
    for (uint32_t i = 0; i < guest->capacity; i++) {
        if (guest->requests[i].userdata == userdata)
            guest->requests[i].done = NULL;
    }
}

static bool answers(uint16_t answer, uint16_t request)
{
    return (request == FRAME_GET_CAPABILITIES && answer == FRAME_CAPABILITIES) ||
           (request == FRAME_GET_POOL_USAGE && answer == FRAME_POOL_USAGE);
}

/* ECONNRESET is the guest's end alone, after which it is asked again: of a guest that is there (its
 * mount(2) may say it) it is a failure like another. */
static int error_of(int32_t said)
{
    if (said < 0)
        return EPROTO;
    return said == ECONNRESET ? EIO : said;
}

/* @return 0, or GUEST_E_MALFORMED */
static int read_result(const struct frame *frame, struct guest_answer *answer, char *text,
                       size_t capacity)
{
    struct result result;

    if (result_unpack(frame->payload, frame->length, &result) != 0) {
        answer->error = EPROTO;
        answer->text = "the guest's answer is malformed";
        return GUEST_E_MALFORMED;
    }
    text_take(result.text, text, capacity);
    answer->error = error_of(result.error);
    answer->text = text;
    return 0;
}

int guest_take_answer(struct guest *guest, const struct frame *frame)
{
    struct guest_answer answer = {.text = "", .frame = frame};
    char text[LIMITS_TEXT];
    struct request *request;
    int r = 0;

    if (guest->capacity == 0 || frame->id == 0)
        return 0;
    request = &guest->requests[frame->id & (guest->capacity - 1)];
    if (request->id != frame->id)
        return 0;
    if (frame->type == FRAME_RESULT) {
        r = read_result(frame, &answer, text, sizeof(text));
    } else if (!answers(frame->type, request->type)) {
        answer.error = EPROTO;
        answer.text = "the guest answered with the wrong kind of frame";
    }
    finish(guest, request, &answer);
    return r;
}

void guest_reply(struct guest *guest, uint32_t id, int error, const char *text)
{
    uint8_t payload[RESULT_SIZE + LIMITS_TEXT];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    struct result result = {.error = error, .text = wire_text_of(text)};

    if (!guest->connection || id == 0)
        return;
    result_pack(&writer, &result);
    if (!writer.overflow)
        (void)connection_send(guest->connection, FRAME_RESULT, FRAME_FLAG_ANSWER, id, payload,
                              writer.size);
}
