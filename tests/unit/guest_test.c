/* hostd guest: requests, their answers and their deadlines. */
#include "base/limits.h"
#include "descriptors.h"
#include "guest/connection.h"
#include "guest/guest.h"
#include "played_clock.h"

#include "protocol/result.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    sd_event *event;
    struct connection *connection;
    struct daemon_counters counters;
    int peer; /* the guest's end: nobody reads there */
};

static const struct connection_events events = {0}; /* none comes */

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int pair[2];

    if (!f || sd_event_new(&f->event) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -1;
    f->peer = pair[1];
    *state = f;
    return connection_new(f->event, pair[0], 65536, &f->counters, &events, f, &f->connection);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    f->connection = connection_free(f->connection);
    (void)close(f->peer);
    (void)sd_event_unref(f->event);
    free(f);
    return 0;
}

struct asked {
    unsigned count;
    int error;
    char text[64];
};

static void on_answer(void *userdata, const struct guest_answer *answer)
{
    struct asked *asked = userdata;

    asked->count++;
    asked->error = answer->error;
    (void)strncpy(asked->text, answer->text, sizeof(asked->text) - 1);
}

static void answer_id(struct guest *guest, uint32_t id, int32_t error, const char *text,
                      int expected)
{
    uint8_t payload[128];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    result_pack(&writer, &(struct result){.error = error, .text = wire_text_of(text)});
    assert_int_equal(guest_take_answer(guest, &(struct frame){.type = FRAME_RESULT,
                                                              .flags = FRAME_FLAG_ANSWER,
                                                              .id = id,
                                                              .payload = payload,
                                                              .length = (uint32_t)writer.size}),
                     expected);
}

static void answers_find_their_requests_in_any_order(void **state)
{
    struct fixture *f = *state;
    struct asked asked[200] = {0};
    struct guest *guest;

    assert_int_equal(guest_new(f->event, &guest), 0);
    assert_int_equal(guest_ask(guest, FRAME_PING, NULL, 0, 1000, on_answer, &asked[0]), -ENOTCONN);
    guest_attach(guest, f->connection);
    answer_id(guest, 1, 0, "", 0); /* of what nobody asked */
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(guest_ask(guest, FRAME_PING, NULL, 0, 60000, on_answer, &asked[i]), 0);
    /* ids count up from 1 */
    for (unsigned i = 200; i > 0; i--)
        answer_id(guest, i, (int32_t)i, "why\n", 0);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(asked[i].count, 1);
        /* a guest that says so is there */
        assert_int_equal(asked[i].error, i + 1 == ECONNRESET ? EIO : (int)i + 1);
        assert_string_equal(asked[i].text, "why ");
    }
    /* late, unknown and impossible ids are ignored */
    answer_id(guest, 200, 0, "", 0);
    answer_id(guest, 0, 0, "", 0);
    answer_id(guest, UINT32_MAX, 0, "", 0);
    (void)guest_free(guest);
}

static void a_lost_guest_answers_everything(void **state)
{
    struct fixture *f = *state;
    struct asked asked = {0}, forgotten = {0};
    struct guest *guest;

    assert_int_equal(guest_new(f->event, &guest), 0);
    guest_attach(guest, f->connection);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(guest_ask(guest, FRAME_PING, NULL, 0, 60000, on_answer, &asked), 0);
    assert_int_equal(guest_ask(guest, FRAME_PING, NULL, 0, 60000, on_answer, &forgotten), 0);
    guest_forget(guest, &forgotten);
    guest_attach(guest, NULL);
    assert_int_equal(asked.count, 10);
    assert_int_equal(asked.error, ECONNRESET);
    assert_int_equal(forgotten.count, 0);
    (void)guest_free(guest);
}

static void each_request_has_its_deadline(void **state)
{
    struct fixture *f = *state;
    struct asked soon = {0}, later = {0};
    struct guest *guest;

    assert_int_equal(guest_new(f->event, &guest), 0);
    guest_attach(guest, f->connection);
    assert_int_equal(guest_ask(guest, FRAME_PING, NULL, 0, 60000, on_answer, &later), 0);
    assert_int_equal(guest_ask(guest, FRAME_PING, NULL, 0, 20, on_answer, &soon), 0);
    for (unsigned i = 0; i < 100 && soon.count == 0; i++)
        (void)sd_event_run(f->event, 10000);
    assert_int_equal(soon.count, 1);
    assert_int_equal(soon.error, ETIMEDOUT);
    assert_int_equal(later.count, 0);
    (void)guest_free(guest);
}

static void a_request_without_a_deadline_wakes_nobody(void **state)
{
    struct fixture *f = *state;
    struct asked soon = {0}, whenever = {0};
    struct guest *guest;

    assert_int_equal(guest_new(f->event, &guest), 0);
    guest_attach(guest, f->connection);
    assert_int_equal(guest_ask(guest, FRAME_PING, NULL, 0, 0, on_answer, &whenever), 0);
    assert_int_equal(guest_ask(guest, FRAME_PING, NULL, 0, 20, on_answer, &soon), 0);
    for (unsigned i = 0; i < 100 && soon.count == 0; i++)
        (void)sd_event_run(f->event, 10000);
    assert_int_equal(soon.error, ETIMEDOUT);
    assert_int_equal(sd_event_run(f->event, 50000), 0); /* nothing happened */
    assert_int_equal(whenever.count, 0);
    answer_id(guest, 1, 0, "", 0);
    assert_int_equal(whenever.count, 1);
    assert_int_equal(whenever.error, 0);
    (void)guest_free(guest);
}

static void a_malformed_answer_is_told_as_such(void **state)
{
    struct fixture *f = *state;
    static const uint8_t payload[8] = {7};
    struct asked asked = {0};
    struct guest *guest;

    assert_int_equal(guest_new(f->event, &guest), 0);
    guest_attach(guest, f->connection);
    assert_int_equal(guest_ask(guest, FRAME_PING, NULL, 0, 60000, on_answer, &asked), 0);
    assert_int_equal(guest_take_answer(guest, &(struct frame){.type = FRAME_RESULT,
                                                              .flags = FRAME_FLAG_ANSWER,
                                                              .id = 1,
                                                              .payload = payload,
                                                              .length = sizeof(payload)}),
                     GUEST_E_MALFORMED);
    assert_int_equal(asked.error, EPROTO);
    assert_int_equal(guest_ask(guest, FRAME_PING, NULL, 0, 60000, on_answer, &asked), 0);
    answer_id(guest, 2, -5, "", 0);
    assert_int_equal(asked.error, EPROTO);
    (void)guest_free(guest);
}

/* The next frame that the guest was sent. @return false: there is none */
static bool next_frame(const struct fixture *f, struct frame *ret_frame)
{
    static uint8_t bytes[FRAME_SIZE_MAX];
    size_t size;
    ssize_t n = recv(f->peer, bytes, FRAME_HEADER_SIZE, MSG_DONTWAIT);

    if (n < 0)
        return false;
    assert_int_equal(n, FRAME_HEADER_SIZE);
    size = FRAME_HEADER_SIZE;
    if (frame_decode(bytes, size, ret_frame, &size) == FRAME_E_MORE) {
        n = recv(f->peer, bytes + FRAME_HEADER_SIZE, sizeof(bytes) - FRAME_HEADER_SIZE,
                 MSG_DONTWAIT);
        assert_true(n > 0);
        size = FRAME_HEADER_SIZE + (size_t)n;
        assert_int_equal(frame_decode(bytes, size, ret_frame, &size), 0);
    }
    return true;
}

static uint32_t ask_ping(const struct fixture *f, struct guest *guest, struct asked *asked)
{
    struct frame frame = {0};

    assert_int_equal(guest_ask(guest, FRAME_PING, NULL, 0, 0, on_answer, asked), 0);
    assert_true(next_frame(f, &frame));
    assert_int_equal(frame.type, FRAME_PING);
    assert_int_equal(frame.flags, 0);
    assert_int_not_equal(frame.id, 0);
    return frame.id;
}

/* However many are asked and answered meanwhile. */
static void a_request_keeps_its_id(void **state)
{
    struct fixture *f = *state;
    struct asked old = {0};
    struct guest *guest;
    uint32_t old_id, previous;

    assert_int_equal(guest_new(f->event, &guest), 0);
    guest_attach(guest, f->connection);
    old_id = previous = ask_ping(f, guest, &old);
    for (int i = 1; i < 100; i++) {
        struct asked asked = {0};
        uint32_t id = ask_ping(f, guest, &asked);

        assert_true(id > previous);
        answer_id(guest, previous == old_id ? UINT32_MAX : previous, 77, "", 0); /* late */
        assert_int_equal(asked.count, 0);
        answer_id(guest, id, i, "", 0);
        assert_int_equal(asked.count, 1);
        assert_int_equal(asked.error, i);
        previous = id;
    }
    assert_int_equal(old.count, 0);
    answer_id(guest, old_id, 5, "", 0);
    assert_int_equal(old.count, 1);
    assert_int_equal(old.error, 5);
    (void)guest_free(guest);
}

static void so_many_requests_may_be_outstanding(void **state)
{
    struct fixture *f = *state;
    struct asked asked = {0}, more = {0};
    struct guest *guest;
    uint32_t id = 0;

    assert_int_equal(guest_new(f->event, &guest), 0);
    guest_attach(guest, f->connection);
    for (unsigned i = 0; i < LIMITS_REQUESTS; i++)
        id = ask_ping(f, guest, &asked);
    assert_int_equal(guest_ask(guest, FRAME_PING, NULL, 0, 0, on_answer, &more), -ENOBUFS);
    answer_id(guest, id, 0, "", 0);
    assert_int_equal(asked.count, 1);
    (void)ask_ping(f, guest, &more);
    guest_attach(guest, NULL);
    assert_false(guest_is_attached(guest));
    assert_int_equal(asked.count, LIMITS_REQUESTS);
    assert_int_equal(more.count, 1);
    (void)guest_free(guest);
}

static void what_cannot_be_sent_is_not_waited_for(void **state)
{
    static const uint8_t payload[FRAME_PAYLOAD_MAX + 1];
    struct fixture *f = *state;
    struct asked asked = {0}, never = {0};
    struct guest *guest;

    assert_int_equal(guest_new(f->event, &guest), 0);
    guest_attach(guest, f->connection);
    assert_true(guest_is_attached(guest));
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(
            guest_ask(guest, FRAME_PING, payload, sizeof(payload), 0, on_answer, &never),
            -EMSGSIZE);
        (void)ask_ping(f, guest, &asked);
    }
    guest_attach(guest, NULL);
    assert_int_equal(asked.count, 8);
    assert_int_equal(never.count, 0);
    (void)guest_free(guest);
}

static void deadlines_come_one_after_the_other(void **state)
{
    struct fixture *f = *state;
    struct asked asked[3] = {0};
    struct guest *guest;

    assert_int_equal(guest_new(f->event, &guest), 0);
    guest_attach(guest, f->connection);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(
            guest_ask(guest, FRAME_PING, NULL, 0, 3000000 - 1000000 * i, on_answer, &asked[i]), 0);
    for (unsigned i = 0; i < 3; i++) {
        played_clock_pass(f->event, 1000000);
        for (unsigned k = 0; k < 3; k++)
            assert_int_equal(asked[k].count, k + i >= 2);
    }
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(asked[i].error, ETIMEDOUT);
    (void)guest_free(guest);
}

static void some_requests_have_an_answer_of_their_own(void **state)
{
    static const struct {
        uint16_t request, answer;
        int error;
    } rows[] = {
        {FRAME_GET_CAPABILITIES, FRAME_CAPABILITIES, 0},
        {FRAME_GET_POOL_USAGE, FRAME_POOL_USAGE, 0},
        {FRAME_GET_CAPABILITIES, FRAME_POOL_USAGE, EPROTO},
        {FRAME_GET_POOL_USAGE, FRAME_CAPABILITIES, EPROTO},
        {FRAME_PING, FRAME_CAPABILITIES, EPROTO},
        {FRAME_PING, FRAME_POOL_USAGE, EPROTO},
        {FRAME_PING, FRAME_PING, EPROTO},
    };
    struct fixture *f = *state;
    struct guest *guest;

    assert_int_equal(guest_new(f->event, &guest), 0);
    guest_attach(guest, f->connection);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct asked asked = {0};
        struct frame frame;

        assert_int_equal(guest_ask(guest, rows[i].request, NULL, 0, 0, on_answer, &asked), 0);
        assert_true(next_frame(f, &frame));
        frame.type = rows[i].answer;
        frame.flags = FRAME_FLAG_ANSWER;
        assert_int_equal(guest_take_answer(guest, &frame), 0);
        assert_int_equal(asked.count, 1);
        assert_int_equal(asked.error, rows[i].error);
        assert_int_equal(strstr(asked.text, "wrong kind of frame") != NULL, rows[i].error != 0);
    }
    (void)guest_free(guest);
}

static void requests_of_the_guest_are_answered(void **state)
{
    static char text[2 * LIMITS_TEXT];
    struct fixture *f = *state;
    struct guest *guest;
    struct result result;
    struct frame frame;

    memset(text, 'x', sizeof(text) - 1);
    assert_int_equal(guest_new(f->event, &guest), 0);
    guest_reply(guest, 7, 0, ""); /* to nobody */
    guest_attach(guest, f->connection);
    guest_reply(guest, 0, 0, ""); /* it wants none */
    guest_reply(guest, 7, 0, text);
    assert_false(next_frame(f, &frame));
    guest_reply(guest, 7, ENOSYS, "why");
    assert_true(next_frame(f, &frame));
    assert_int_equal(frame.type, FRAME_RESULT);
    assert_int_equal(frame.flags, FRAME_FLAG_ANSWER);
    assert_int_equal(frame.id, 7);
    assert_int_equal(result_unpack(frame.payload, frame.length, &result), 0);
    assert_int_equal(result.error, ENOSYS);
    assert_int_equal(result.text.size, 3);
    assert_memory_equal(result.text.data, "why", 3);
    (void)guest_free(guest);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_find_their_requests_in_any_order),
        TEST(a_lost_guest_answers_everything),
        TEST(each_request_has_its_deadline),
        TEST(a_request_without_a_deadline_wakes_nobody),
        TEST(a_malformed_answer_is_told_as_such),
        TEST(a_request_keeps_its_id),
        TEST(so_many_requests_may_be_outstanding),
        TEST(what_cannot_be_sent_is_not_waited_for),
        TEST(deadlines_come_one_after_the_other),
        TEST(some_requests_have_an_answer_of_their_own),
        TEST(requests_of_the_guest_are_answered),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
