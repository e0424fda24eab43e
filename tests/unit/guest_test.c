/* hostd guest: requests, their answers and their deadlines. */
#include "descriptors.h"
#include "guest/connection.h"
#include "guest/guest.h"

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
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(guest_ask(guest, FRAME_PING, NULL, 0, 60000, on_answer, &asked[i]), 0);
    /* ids count up from 1 */
    for (unsigned i = 200; i > 0; i--)
        answer_id(guest, i, (int32_t)i, "why\n", 0);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(asked[i].count, 1);
        assert_int_equal(asked[i].error, (int)i + 1);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_find_their_requests_in_any_order),
        TEST(a_lost_guest_answers_everything),
        TEST(each_request_has_its_deadline),
        TEST(a_request_without_a_deadline_wakes_nobody),
        TEST(a_malformed_answer_is_told_as_such),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
