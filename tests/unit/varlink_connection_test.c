/* varlink connection: how long it waits, how much it holds, and that no byte is lost or doubled. */
#include "descriptors.h"
#include "played_clock.h"
#include "varlink/message.h"
#include "varlink_support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* What the machine may need for a test of a few calls. */
#define SLACK_MS 10000u

static bool is_closed(const struct fixture *fixture)
{
    char byte;
    ssize_t n = recv(fixture->client, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

    return n == 0 || (n < 0 && errno == ECONNRESET); /* what it had not read yet was lost */
}

static void test_who_says_nothing_is_closed_in_the_end(void **state)
{
    const struct fixture *fixture = *state;

    played_clock_pass(fixture->event, VARLINK_IDLE_MS - SLACK_MS);
    assert_true(is_silent(fixture));
    played_clock_pass(fixture->event, SLACK_MS);
    assert_true(is_closed(fixture));
}

static void test_half_a_message_does_not_hold_the_connection(void **state)
{
    const struct fixture *fixture = *state;

    tell(fixture, "{\"method\"", 9);
    played_clock_pass(fixture->event, VARLINK_IDLE_MS);
    assert_true(is_closed(fixture));
}

static void test_every_call_begins_the_time_anew(void **state)
{
    const struct fixture *fixture = *state;

    for (unsigned i = 0; i < 3; i++) {
        played_clock_pass(fixture->event, VARLINK_IDLE_MS - SLACK_MS);
        TELL(fixture, "{\"method\":\"io.test.Echo\"}");
        assert_string_equal(hear(fixture), "{\"parameters\":{}}\n");
    }
    played_clock_pass(fixture->event, VARLINK_IDLE_MS);
    assert_true(is_closed(fixture));
}

static void test_an_open_call_takes_any_time_and_the_next_does_not(void **state)
{
    struct fixture *fixture = *state;

    TELL(fixture, "{\"method\":\"io.test.Late\"}");
    played_clock_pass(fixture->event, UINT64_C(100) * VARLINK_IDLE_MS);
    assert_int_equal(fixture->closed, 0);
    assert_true(is_silent(fixture));
    varlink_call_reply(fixture->late, NULL, false);
    varlink_run(fixture);
    assert_string_equal(hear(fixture), "{\"parameters\":{}}\n");
    played_clock_pass(fixture->event, VARLINK_IDLE_MS - SLACK_MS);
    assert_true(is_silent(fixture));
    played_clock_pass(fixture->event, SLACK_MS);
    assert_true(is_closed(fixture));
}

static void test_a_stream_that_nobody_reads_is_closed_in_time(void **state)
{
    static char value[60002];
    struct fixture *fixture = *state;

    memset(value, 'x', sizeof(value));
    value[0] = value[sizeof(value) - 1] = '"';
    TELL(fixture, "{\"method\":\"io.test.Stream\",\"more\":true}");
    while (!varlink_call_is_full(fixture->late))
        varlink_call_reply_member(fixture->late, "a", value, sizeof(value));
    played_clock_pass(fixture->event, VARLINK_IDLE_MS - SLACK_MS);
    assert_int_equal(fixture->closed, 0);
    played_clock_pass(fixture->event, SLACK_MS);
    assert_int_equal(fixture->closed, 1);
}

/* A stream of counted replies, read in pieces that fit neither them nor the buffer. */
static void test_a_slow_reader_gets_every_byte_once_and_in_order(void **state)
{
    enum { REPLIES = 3000, PIECE = 7001 };
    static char heard[REPLIES * 260], value[220];
    struct fixture *fixture = *state;
    size_t size = 0;
    unsigned sent = 0;
    const char *at = heard;
    ssize_t n;

    memset(value, 'y', sizeof(value));
    TELL(fixture, "{\"method\":\"io.test.Stream\",\"more\":true}");
    do {
        for (; sent < REPLIES && !varlink_call_is_full(fixture->late); sent++) {
            (void)snprintf(value, 12, "\"%09u,", sent);
            value[11] = 'y';
            value[sizeof(value) - 1 - sent % 100] = '"';
            varlink_call_reply_member(fixture->late, "n", value, sizeof(value) - sent % 100);
            value[sizeof(value) - 1 - sent % 100] = 'y';
        }
        varlink_run(fixture);
        n = recv(fixture->client, heard + size, PIECE, MSG_DONTWAIT);
        size += n > 0 ? (size_t)n : 0;
        varlink_run(fixture);
    } while (n > 0 || sent < REPLIES);
    for (unsigned i = 0; i < REPLIES; i++) {
        char begin[64];
        int length = snprintf(begin, sizeof(begin), "{\"parameters\":{\"n\":\"%09u,yy", i);
        static const char end[] = "yy\"},\"continues\":true}";

        assert_int_equal(strncmp(at, begin, (size_t)length), 0);
        at += strlen(at) + 1;
        assert_string_equal(at - sizeof(end), end);
    }
    assert_int_equal(at - heard, size);
    assert_true(fixture->drained > 0);
    assert_int_equal(fixture->closed, 0);
}

static void test_so_much_may_wait_and_no_byte_more(void **state)
{
    struct fixture *fixture = *state;
    char *value = malloc(VARLINK_OUTPUT_BYTES + 1);

    assert_non_null(value);
    memset(value, ' ', VARLINK_OUTPUT_BYTES + 1);
    TELL(fixture, "{\"method\":\"io.test.Stream\",\"more\":true}");
    varlink_call_reply_member(fixture->late, "a", value, VARLINK_OUTPUT_BYTES + 1);
    varlink_run(fixture);
    assert_int_equal(fixture->closed, 1);
    (void)close(fixture->client);
    new_client(fixture);
    TELL(fixture, "{\"method\":\"io.test.Stream\",\"more\":true}");
    varlink_call_reply_member(fixture->late, "a", value, VARLINK_OUTPUT_BYTES);
    varlink_run(fixture);
    assert_int_equal(fixture->closed, 1);
    free(value);
}

/* A call of @p size bytes, with its NUL. */
static char *make_call(size_t size)
{
    static const char text[] = "{\"method\":\"io.test.Echo\"}";
    char *call = malloc(size + 1);

    assert_non_null(call);
    memset(call, ' ', size);
    memcpy(call, text, sizeof(text) - 1);
    call[size] = '\0';
    return call;
}

static void send_all(const struct fixture *fixture, const char *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t n = send(fixture->client, data + at, size - at < 4000 ? size - at : 4000,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0)
            at += (size_t)n;
        else if (errno != EAGAIN)
            return;
        varlink_run(fixture);
    }
}

static void test_the_longest_message_is_read_and_one_byte_more_is_not(void **state)
{
    struct fixture *fixture = *state;
    char *call = make_call(VARLINK_MESSAGE_BYTES);

    send_all(fixture, call, VARLINK_MESSAGE_BYTES + 1);
    assert_string_equal(hear(fixture), "{\"parameters\":{}}\n");
    free(call);
    call = make_call(VARLINK_MESSAGE_BYTES + 1);
    send_all(fixture, call, VARLINK_MESSAGE_BYTES + 2);
    assert_true(is_closed(fixture));
    free(call);
}

/* Behind an open call no more is taken in than one message, but the client's end is heard. */
static void test_behind_an_open_call_little_is_read(void **state)
{
    static const char blanks[4096] = " ";
    struct fixture *fixture = *state;
    size_t sent = 0;
    ssize_t n;

    TELL(fixture, "{\"method\":\"io.test.Late\"}");
    do {
        n = send(fixture->client, blanks, sizeof(blanks), MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        varlink_run(fixture);
    } while (n > 0 && sent < 100 * VARLINK_MESSAGE_BYTES);
    assert_in_range(sent, VARLINK_MESSAGE_BYTES, 20 * VARLINK_MESSAGE_BYTES);
    assert_int_equal(fixture->closed, 0);
    (void)close(fixture->client);
    fixture->client = -1;
    varlink_run(fixture);
    assert_int_equal(fixture->closed, 1);
}

static void test_a_client_that_is_done_is_let_go(void **state)
{
    const struct fixture *fixture = *state;

    assert_int_equal(shutdown(fixture->client, SHUT_WR), 0);
    varlink_run(fixture);
    assert_true(is_closed(fixture));
}

static void test_one_of_three_goes_and_the_others_stay(void **state)
{
    struct fixture *fixture = *state;
    int clients[3] = {fixture->client};

    for (size_t i = 1; i < 3; i++) {
        new_client(fixture);
        clients[i] = fixture->client;
    }
    (void)close(clients[1]);
    varlink_run(fixture);
    for (size_t i = 0; i < 3; i += 2) {
        fixture->client = clients[i];
        TELL(fixture, "{\"method\":\"io.test.Echo\"}");
        assert_string_equal(hear(fixture), "{\"parameters\":{}}\n");
    }
    (void)close(clients[0]);
}

static void test_open_calls_hear_that_the_server_ends(void **state)
{
    struct fixture *fixture = *state;

    TELL(fixture, "{\"method\":\"io.test.Late\"}");
    fixture->varlink = varlink_free(fixture->varlink);
    assert_int_equal(fixture->closed, 1);
    assert_true(is_closed(fixture));
}

static void test_an_answered_call_is_not_told_of_the_end(void **state)
{
    struct fixture *fixture = *state;

    TELL(fixture, "{\"method\":\"io.test.Late\"}");
    varlink_call_fail(fixture->late, "io.test.Bad", NULL);
    varlink_run(fixture);
    (void)close(fixture->client);
    fixture->client = -1;
    varlink_run(fixture);
    assert_int_equal(fixture->closed, 0);
}

static void test_a_oneway_stream_is_silent(void **state)
{
    struct fixture *fixture = *state;

    TELL(fixture, "{\"method\":\"io.test.Stream\",\"more\":true,\"oneway\":true}");
    varlink_call_reply_member(fixture->late, "a", "1", 1);
    varlink_call_fail(fixture->late, "io.test.Bad", NULL);
    varlink_run(fixture);
    assert_true(is_silent(fixture));
    TELL(fixture, "{\"method\":\"io.test.Echo\"}");
    assert_string_equal(hear(fixture), "{\"parameters\":{}}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_who_says_nothing_is_closed_in_the_end),
        WITH_SERVER(test_half_a_message_does_not_hold_the_connection),
        WITH_SERVER(test_every_call_begins_the_time_anew),
        WITH_SERVER(test_an_open_call_takes_any_time_and_the_next_does_not),
        WITH_SERVER(test_a_stream_that_nobody_reads_is_closed_in_time),
        WITH_SERVER(test_a_slow_reader_gets_every_byte_once_and_in_order),
        WITH_SERVER(test_so_much_may_wait_and_no_byte_more),
        WITH_SERVER(test_the_longest_message_is_read_and_one_byte_more_is_not),
        WITH_SERVER(test_behind_an_open_call_little_is_read),
        WITH_SERVER(test_a_client_that_is_done_is_let_go),
        WITH_SERVER(test_one_of_three_goes_and_the_others_stay),
        WITH_SERVER(test_open_calls_hear_that_the_server_ends),
        WITH_SERVER(test_an_answered_call_is_not_told_of_the_end),
        WITH_SERVER(test_a_oneway_stream_is_silent),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
