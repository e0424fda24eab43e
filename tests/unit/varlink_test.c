/* varlink: conversations with the server over a socket pair, and calls as bytes. */
#include "base/base64.h"
#include "control/interface.h"
#include "descriptors.h"
#include "varlink/message.h"
#include "varlink_support.h"

#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
    const char *text;
    bool sound;
} calls[] = {
    {"{\"method\":\"a.b\"}", true},
    {"{\"method\":\"a.b\",\"parameters\":{}}", true},
    {"{\"method\":\"a.b\",\"parameters\":{\"x\":[1]},\"more\":true,\"oneway\":false}", true},
    {" {\"method\":\"a.b\",\"unknown\":1} ", true},
    {"", false},
    {"{}", false},
    {"[]", false},
    {"null", false},
    {"{\"method\":1}", false},
    {"{\"method\":\"a.b\"", false},
    {"{\"method\":\"a.b\"}x", false},
    {"{\"method\":\"a.b\",\"parameters\":[]}", false},
    {"{\"method\":\"a.b\",\"more\":1}", false},
    {"{\"method\":\"a.b\",\"oneway\":\"true\"}", false},
    {"{\"method\":\"a.\xff\"}", false},
    {"{\"a\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]],\"method\":\"a.b\"}", false},
};

static void test_a_call_is_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct varlink_message message = VARLINK_MESSAGE_NULL;
        int r = varlink_message_parse(calls[i].text, strlen(calls[i].text), &message);

        assert_int_equal(r, calls[i].sound ? 0 : VARLINK_MESSAGE_E_MALFORMED);
        varlink_message_done(&message);
    }
}

static const struct {
    const char *call, *reply;
} conversations[] = {
    {"{\"method\":\"io.test.Echo\",\"parameters\":{\"a\":\"b/c\"}}",
     "{\"parameters\":{\"a\":\"b/c\"}}\n"},
    {"{\"method\":\"io.test.Echo\"}", "{\"parameters\":{}}\n"},
    {"{\"method\":\"io.test.Fail\"}", "{\"error\":\"io.test.Bad\",\"parameters\":{}}\n"},
    {"{\"method\":\"io.test.Nope\"}",
     "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"io.test."
     "Nope\"}}\n"},
    {"{\"method\":\"io.other.Nope\"}",
     "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"io."
     "other.Nope\"}}\n"},
    {"{\"method\":\"io.test.Stream\"}",
     "{\"error\":\"org.varlink.service.ExpectedMore\",\"parameters\":{}}\n"},
    {"{\"method\":\"io.test.Echo\",\"upgrade\":true}",
     "{\"error\":\"org.varlink.service.MethodNotImplemented\",\"parameters\":{\"method\":\"io.test."
     "Echo\"}}\n"},
    {"{\"method\":\"org.varlink.service.GetInfo\"}",
     "{\"parameters\":{\"vendor\":\"v\",\"product\":\"p\",\"version\":\"1\",\"url\":\"\","
     "\"interfaces\":[\"org.varlink.service\",\"io.test\"]}}\n"},
    {"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":"
     "\"io.test\"}}",
     "{\"parameters\":{\"description\":\"interface io.test\\n\"}}\n"},
    {"{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":"
     "\"x\"}}",
     "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"x\"}}"
     "\n"},
    {"{\"method\":\"org.varlink.service.GetInterfaceDescription\"}",
     "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":"
     "\"interface\"}}\n"},
};

static void test_conversations(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(conversations) / sizeof(conversations[0]); i++) {
        tell(fixture, conversations[i].call, strlen(conversations[i].call) + 1);
        assert_string_equal(hear(fixture), conversations[i].reply);
    }
}

static void test_a_call_may_come_byte_by_byte_and_two_at_once(void **state)
{
    static const char two[] = "{\"method\":\"io.test.Echo\"}\0{\"method\":\"io.test.Fail\"}";
    struct fixture *fixture = *state;

    for (size_t i = 0; i < 25; i++) {
        assert_true(is_silent(fixture));
        tell(fixture, two + i, 1);
    }
    tell(fixture, two + 25, 1);
    assert_string_equal(hear(fixture), "{\"parameters\":{}}\n");
    TELL(fixture, two);
    assert_string_equal(hear(fixture),
                        "{\"parameters\":{}}\n{\"error\":\"io.test.Bad\",\"parameters\":{}}\n");
}

static void test_answers_keep_the_order_of_the_calls(void **state)
{
    struct fixture *fixture = *state;

    TELL(fixture, "{\"method\":\"io.test.Late\"}\0{\"method\":\"io.test.Echo\"}");
    assert_true(is_silent(fixture));
    assert_non_null(fixture->late);
    varlink_call_reply(fixture->late, NULL, false);
    varlink_run(fixture);
    assert_string_equal(hear(fixture), "{\"parameters\":{}}\n{\"parameters\":{}}\n");
    assert_int_equal(fixture->closed, 0);
}

static void test_a_stream_continues(void **state)
{
    struct fixture *fixture = *state;

    TELL(fixture, "{\"method\":\"io.test.Stream\",\"more\":true}");
    varlink_call_reply_member(fixture->late, "event", "{\"a\":1}", 7);
    varlink_call_reply(fixture->late, NULL, true);
    varlink_call_reply(fixture->late, NULL, false);
    varlink_run(fixture);
    assert_string_equal(hear(fixture), "{\"parameters\":{\"event\":{\"a\":1}},\"continues\":true}\n"
                                       "{\"parameters\":{},\"continues\":true}\n"
                                       "{\"parameters\":{}}\n");
}

static void test_oneway_is_not_answered(void **state)
{
    struct fixture *fixture = *state;

    TELL(fixture, "{\"method\":\"io.test.Echo\",\"oneway\":true}\0{\"method\":\"io.test.Echo\"}");
    assert_string_equal(hear(fixture), "{\"parameters\":{}}\n");
}

static void test_who_does_not_speak_varlink_is_closed(void **state)
{
    static const char http[] = "GET / HTTP/1.1\r\n\r\n";
    struct fixture *fixture = *state;

    TELL(fixture, http);
    assert_string_equal(hear(fixture), "");
}

static void test_a_message_that_never_ends_is_closed(void **state)
{
    static char blanks[4096];
    struct fixture *fixture = *state;

    memset(blanks, ' ', sizeof(blanks));
    for (size_t i = 0; i < VARLINK_MESSAGE_BYTES / sizeof(blanks) + 2; i++) {
        (void)send(fixture->client, blanks, sizeof(blanks), MSG_NOSIGNAL);
        varlink_run(fixture);
    }
    assert_int_equal(send(fixture->client, blanks, 1, MSG_NOSIGNAL), -1);
}

static void test_a_call_hears_that_its_client_went_away(void **state)
{
    struct fixture *fixture = *state;

    TELL(fixture, "{\"method\":\"io.test.Late\"}");
    (void)close(fixture->client);
    fixture->client = -1;
    varlink_run(fixture);
    assert_int_equal(fixture->closed, 1);
    assert_null(fixture->late);
}

static void test_a_client_may_half_close_and_still_get_its_answer(void **state)
{
    struct fixture *fixture = *state;

    TELL(fixture, "{\"method\":\"io.test.Late\"}");
    assert_int_equal(shutdown(fixture->client, SHUT_WR), 0);
    varlink_run(fixture);
    assert_int_equal(fixture->closed, 0);
    varlink_call_reply(fixture->late, NULL, false);
    varlink_run(fixture);
    assert_string_equal(hear(fixture), "{\"parameters\":{}}\n");
    assert_string_equal(hear(fixture), "");
}

static void test_a_client_that_does_not_read_is_bounded(void **state)
{
    static char value[60002];
    struct fixture *fixture = *state;
    unsigned sent = 0;

    memset(value, 'x', sizeof(value));
    value[0] = value[sizeof(value) - 1] = '"';
    TELL(fixture, "{\"method\":\"io.test.Stream\",\"more\":true}");
    while (!varlink_call_is_full(fixture->late)) {
        varlink_call_reply_member(fixture->late, "a", value, sizeof(value));
        assert_in_range(++sent, 1, 100);
    }
    while (*hear(fixture) != '\0' && fixture->drained == 0)
        varlink_run(fixture);
    assert_int_equal(fixture->drained, 1);
    for (sent = 0; fixture->late != NULL && sent < 1000; sent++) {
        varlink_call_reply_member(fixture->late, "a", value, sizeof(value));
        varlink_run(fixture);
    }
    assert_null(fixture->late);
    assert_in_range(sent * sizeof(value), 1, 2 * VARLINK_OUTPUT_BYTES);
}

/* Reads what there is, but leaves the server with something to send: never done, never cut off. */
static void test_a_client_that_is_always_behind_costs_no_more(void **state)
{
    static char value[60100], heard[60100];
    struct fixture *fixture = *state;
    size_t before;

    memset(value, 'x', sizeof(value));
    value[0] = value[sizeof(value) - 1] = '"';
    TELL(fixture, "{\"method\":\"io.test.Stream\",\"more\":true}");
    while (!varlink_call_is_full(fixture->late)) {
        varlink_call_reply_member(fixture->late, "event", value, sizeof(value));
        varlink_run(fixture);
    }
    before = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (unsigned i = 0; i < 400; i++) {
        ssize_t n = recv(fixture->client, heard, sizeof(heard), MSG_DONTWAIT);

        assert_true(n > 0);
        varlink_run(fixture);
        varlink_call_reply_member(fixture->late, "event", value, (size_t)n);
    }
    assert_int_equal(fixture->closed, 0);
    assert_in_range(mallinfo2().uordblks + mallinfo2().hblkhd, 0,
                    before + VARLINK_OUTPUT_BYTES - 1);
}

static void test_connections_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    int clients[VARLINK_CONNECTIONS], pair[2];

    for (size_t i = 0; i < VARLINK_CONNECTIONS - 1; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        clients[i] = pair[0];
        assert_int_equal(varlink_consume_connection(fixture->varlink, pair[1]), 0);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(varlink_consume_connection(fixture->varlink, pair[1]), -EUSERS);
    (void)close(pair[0]);
    for (size_t i = 0; i < VARLINK_CONNECTIONS - 1; i++)
        (void)close(clients[i]);
    varlink_run(fixture);
    (void)close(fixture->client);
    new_client(fixture);
    TELL(fixture, "{\"method\":\"io.test.Echo\"}");
    assert_string_equal(hear(fixture), "{\"parameters\":{}}\n");
}

/* Clients' generators refuse a type and a method of one name. */
static void test_every_name_of_our_interface_is_its_own(void **state)
{
    char names[128][64];
    size_t count = 0;

    (void)state;
    assert_non_null(strstr(interface_description, "\ninterface io.guestlink\n"));
    for (const char *line = interface_description; line != NULL; line = strchr(line, '\n')) {
        char word[64];

        line += *line == '\n';
        if (sscanf(line, "%63[a-z] %63[A-Za-z]", word, names[count]) != 2 ||
            (strcmp(word, "type") != 0 && strcmp(word, "method") != 0 &&
             strcmp(word, "error") != 0))
            continue;
        for (size_t i = 0; i < count; i++)
            assert_string_not_equal(names[i], names[count]);
        assert_in_range(++count, 1, 127);
    }
    assert_in_range(count, 25, 60);
}

static void test_base64(void **state)
{
    static const struct {
        const char *text, *data;
        size_t size;
    } sound[] = {{"", "", 0},
                 {"AA==", "\0", 1},
                 {"Zg==", "f", 1},
                 {"Zm8=", "fo", 2},
                 {"Zm9v", "foo", 3},
                 {"Zm9vYg==", "foob", 4},
                 {"Zm9vYmE=", "fooba", 5},
                 {"//79", "\xff\xfe\xfd", 3}};
    static const char *const refused[] = {
        "A",    "AA",   "AAA",      "AA=",  "====", "A===",      "AA=A",
        "AB==", "AAB=", "AA==AA==", "A A=", "-_79", "\xc3\xa4=="};
    char text[16], data[16];
    size_t size;

    (void)state;
    for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++) {
        assert_int_equal(base64_encode(sound[i].data, sound[i].size, text), strlen(sound[i].text));
        assert_string_equal(text, sound[i].text);
        assert_int_equal(base64_decode(text, data, sizeof(data), &size), 0);
        assert_int_equal(size, sound[i].size);
        assert_memory_equal(data, sound[i].data, size);
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(base64_decode(refused[i], data, sizeof(data), &size), -EINVAL);
    assert_int_equal(base64_decode("Zm9v", data, 2, &size), -ENOBUFS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_is_read_or_refused),
        WITH_SERVER(test_conversations),
        WITH_SERVER(test_a_call_may_come_byte_by_byte_and_two_at_once),
        WITH_SERVER(test_answers_keep_the_order_of_the_calls),
        WITH_SERVER(test_a_stream_continues),
        WITH_SERVER(test_oneway_is_not_answered),
        WITH_SERVER(test_who_does_not_speak_varlink_is_closed),
        WITH_SERVER(test_a_message_that_never_ends_is_closed),
        WITH_SERVER(test_a_call_hears_that_its_client_went_away),
        WITH_SERVER(test_a_client_may_half_close_and_still_get_its_answer),
        WITH_SERVER(test_a_client_that_does_not_read_is_bounded),
        WITH_SERVER(test_a_client_that_is_always_behind_costs_no_more),
        WITH_SERVER(test_connections_are_bounded),
        cmocka_unit_test(test_every_name_of_our_interface_is_its_own),
        cmocka_unit_test(test_base64),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
