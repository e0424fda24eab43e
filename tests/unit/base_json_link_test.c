/* json link: lines of JSON in and out, of a peer that may send anything, in any pieces, and read
 * nothing. */
#include "base/json.h"
#include "base/json_link.h"
#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_S 60

static const struct json_link_peer peer = {.name = "The peer", .nonsense = "that is no object"};

static sd_event *event;
static struct json_link *link_;
static int other; /* the peer's end */
static struct {
    unsigned messages, ends;
    bool gone;
    char text[128], last[128]; /* why it ended, and the last message */
    bool frees_at_message, frees_at_end;
} told;

/* A test that says more than it may hear in a second is not slower for that. */
static uint64_t rate_interval_us;
static unsigned rate_burst;

int __wrap_sd_event_source_set_ratelimit(sd_event_source *source, uint64_t interval_us,
                                         unsigned burst);
int __wrap_sd_event_source_set_ratelimit(sd_event_source *source, uint64_t interval_us,
                                         unsigned burst)
{
    (void)source;
    rate_interval_us = interval_us;
    rate_burst = burst;
    return 0;
}

static void on_message(void *userdata, struct json_object *message)
{
    (void)userdata;
    told.messages++;
    (void)snprintf(told.last, sizeof(told.last), "%s",
                   json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN));
    if (told.frees_at_message)
        link_ = json_link_free(link_);
}

static void on_ended(void *userdata, bool gone, const char *text)
{
    (void)userdata;
    told.ends++;
    told.gone = gone;
    (void)snprintf(told.text, sizeof(told.text), "%s", text);
    if (told.frees_at_end)
        link_ = json_link_free(link_);
}

static int set_up(void **state)
{
    int ends[2];

    (void)state;
    memset(&told, 0, sizeof(told));
    if (sd_event_new(&event) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return -1;
    other = ends[1];
    return json_link_new(event, ends[0], &peer, on_message, on_ended, NULL, &link_) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    link_ = json_link_free(link_);
    if (other >= 0)
        (void)close(other);
    event = sd_event_unref(event);
    return 0;
}

/* What there is to do. */
static void run(void)
{
    while (sd_event_run(event, 0) > 0)
        ;
}

static void say(const char *text)
{
    assert_int_equal(send(other, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    run();
}

static time_t now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Says @p size bytes, as the link reads them. */
static void pour(const char *data, size_t size)
{
    const time_t end = now_s() + WAIT_S;

    while (size > 0 && told.ends == 0) {
        ssize_t n = send(other, data, size, MSG_NOSIGNAL);

        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
        assert_true(n > 0 || errno == EAGAIN);
        assert_true(sd_event_run(event, 10000) >= 0);
        assert_true(now_s() < end);
    }
}

/* Until as many messages, or the end, were told. */
static void await(unsigned messages)
{
    const time_t end = now_s() + WAIT_S;

    while (told.messages < messages && told.ends == 0) {
        assert_true(sd_event_run(event, 10000) >= 0);
        assert_true(now_s() < end);
    }
}

static void need_end(bool gone, const char *text)
{
    assert_int_equal(told.ends, 1);
    assert_int_equal(told.gone, gone);
    assert_string_equal(told.text, text);
}

static void the_peer_is_heard_at_a_bounded_rate(void **state)
{
    (void)state;
    assert_int_equal(rate_interval_us, 1000000);
    assert_int_equal(rate_burst, JSON_LINK_TURNS_PER_S);
}

static void lines_are_messages_in_whatever_pieces_they_come(void **state)
{
    static const char line[] = "{\"a\":[1,{}]}\n";

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(line); i++) {
        assert_int_equal(told.messages, 0);
        assert_int_equal(send(other, line + i, 1, MSG_NOSIGNAL), 1);
        run();
    }
    assert_int_equal(told.messages, 1);
    assert_string_equal(told.last, "{\"a\":[1,{}]}");
    say("{\"b\":1}\n{\"b\":2}\n{\"b\":3}\n{\"b\":");
    assert_int_equal(told.messages, 4);
    assert_string_equal(told.last, "{\"b\":3}");
    say("4}\n");
    assert_int_equal(told.messages, 5);
    assert_string_equal(told.last, "{\"b\":4}");
    assert_int_equal(told.ends, 0);
}

static void empty_lines_and_carriage_returns_are_nothing(void **state)
{
    (void)state;
    say("\n");
    say("\r\n \r \n\n");
    assert_int_equal(told.messages, 0);
    say("{\"c\":1} \r\n\r\n{\"c\":2}\r\n \n");
    assert_int_equal(told.messages, 2);
    assert_string_equal(told.last, "{\"c\":2}");
    assert_int_equal(told.ends, 0);
}

static void what_is_no_object_ends_it_and_nothing_after_it_is_taken(void **state)
{
    (void)state;
    say("{\"d\":1}\n[1]\n{\"d\":2}\n");
    need_end(false, "that is no object");
    assert_int_equal(told.messages, 1);
    say("{\"d\":3}\n");
    assert_int_equal(told.messages, 1);
    assert_int_equal(told.ends, 1);
}

/* Its braces, brackets and commas. */
static void a_line_has_a_bounded_number_of_values(void **state)
{
    (void)state;
    for (size_t beyond = 0; beyond < 2; beyond++) {
        const size_t commas = JSON_LINK_VALUES_MAX - 2 + beyond; /* one brace, one bracket */
        const size_t size = 6 + 2 * commas + 3;
        char *line = malloc(size + 1);

        if (!line)
            fail();
        else {
            size_t used = (size_t)snprintf(line, size + 1, "{\"e\":[");

            for (size_t i = 0; i < commas; i++, used += 2)
                (void)snprintf(line + used, 3, "1,");
            (void)snprintf(line + used, size + 1 - used, "1]}");
            pour(line, size);
            pour("\n", 1);
            await((unsigned)beyond + 1);
            free(line);
        }
        assert_int_equal(told.messages, 1);
        if (beyond)
            need_end(false, "The peer sent a line with too many values");
        else
            assert_int_equal(told.ends, 0);
    }
}

/* A string of JSON; with @p beyond, so many bytes longer than a line may be. */
static void pour_long_line(size_t beyond)
{
    static const char begin[] = "{\"f\":\"", end[] = "\"}\n";
    static char text[JSON_LINK_LINE_MAX];
    const size_t size = JSON_LINK_LINE_MAX + beyond - (sizeof(begin) - 1) - (sizeof(end) - 2);

    memset(text, 'x', sizeof(text));
    pour(begin, sizeof(begin) - 1);
    pour(text, size);
    pour(end, sizeof(end) - 1);
}

static void a_line_has_a_bounded_length(void **state)
{
    (void)state;
    pour_long_line(0);
    await(1);
    assert_int_equal(told.messages, 1);
    assert_int_equal(told.ends, 0);
    say("{\"f\":1}\n"); /* after a long one, as after any */
    await(2);
    assert_string_equal(told.last, "{\"f\":1}");
    pour_long_line(1);
    await(3);
    need_end(false, "The peer sent a line of more than 1 MiB");
    assert_int_equal(told.messages, 2);
}

static void the_end_of_the_peer_is_told_once(void **state)
{
    struct json_object *message = json_object_new_object();

    (void)state;
    say("{\"g\":1}\n{\"g\":");
    assert_int_equal(told.messages, 1);
    (void)close(other);
    other = -1;
    run();
    need_end(true, "The peer closed the connection");
    assert_int_equal(json_link_send(link_, message), -ENOTCONN);
    run();
    assert_int_equal(told.ends, 1);
    assert_int_equal(told.messages, 1);
    json_object_put(message);
}

/* A freed link has closed its descriptor (descriptors_compare) and calls nobody any more. */
static void it_may_be_freed_from_within_what_it_tells(void **state)
{
    (void)state;
    told.frees_at_message = true;
    say("{\"h\":1}\n{\"h\":2}\nnonsense\n");
    assert_null(link_);
    assert_int_equal(told.messages, 1);
    assert_int_equal(told.ends, 0);
    assert_int_equal(send(other, "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
}

static void it_may_be_freed_at_its_end(void **state)
{
    (void)state;
    told.frees_at_end = true;
    say("nonsense\n{\"i\":1}\n");
    assert_null(link_);
    need_end(false, "that is no object");
    assert_int_equal(told.messages, 0);
    assert_int_equal(send(other, "x", 1, MSG_NOSIGNAL), -1);
}

static void what_is_sent_is_one_line_each(void **state)
{
    struct json_object *message = json_texts("j", "a\nb", NULL);
    char heard[128] = "";

    (void)state;
    assert_int_equal(json_link_send(link_, message), 0);
    assert_int_equal(json_link_send(link_, message), 0);
    assert_true(recv(other, heard, sizeof(heard) - 1, 0) > 0);
    assert_string_equal(heard, "{\"j\":\"a\\nb\"}\n{\"j\":\"a\\nb\"}\n");
    json_object_put(message);
}

/* Reads what comes. @return how many bytes; they must be whole lines like @p line, in a row */
static size_t hear_lines(const char *line, size_t *position)
{
    const size_t size = strlen(line);
    char data[4096];
    size_t heard = 0;

    for (;;) {
        ssize_t n = recv(other, data, sizeof(data), 0);

        if (n <= 0)
            return heard;
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(data[i], line[(*position)++ % size]);
        heard += (size_t)n;
    }
}

/* What the socket does not take waits, up to a bound, and goes out in order when the peer reads. */
static void what_the_peer_does_not_read_waits_for_it(void **state)
{
    static char text[8001], line[8100];
    struct json_object *message;
    size_t sent = 0, heard = 0, position = 0;
    int r;

    (void)state;
    memset(text, 'k', sizeof(text) - 1);
    text[0] = 'K'; /* shows where each begins */
    message = json_texts("k", text, NULL);
    (void)snprintf(line, sizeof(line), "{\"k\":\"%s\"}\n", text);
    while ((r = json_link_send(link_, message)) == 0)
        sent += strlen(line);
    assert_int_equal(r, -ENOBUFS);
    assert_true(sent > JSON_LINK_OUTPUT_MAX); /* with what the socket took */
    run();
    for (time_t end = now_s() + WAIT_S; heard < sent; heard += hear_lines(line, &position)) {
        assert_true(now_s() < end);
        assert_true(sd_event_run(event, 10000) >= 0);
    }
    assert_int_equal(heard, sent);
    run();
    assert_int_equal(told.ends, 0);
    assert_int_equal(json_link_send(link_, message), 0);
    assert_int_equal(hear_lines(line, &position), strlen(line));
    json_object_put(message);
}

static void what_may_wait_is_bounded_to_the_byte(void **state)
{
    static char text[JSON_LINK_OUTPUT_MAX];
    const size_t fits = sizeof(text) - strlen("{\"l\":\"\"}\n");

    (void)state;
    memset(text, 'l', sizeof(text) - 1);
    for (size_t beyond = 2; beyond-- > 0;) {
        struct json_object *message;

        text[fits + beyond] = '\0';
        message = json_texts("l", text, NULL);
        assert_int_equal(json_link_send(link_, message), beyond ? -ENOBUFS : 0);
        json_object_put(message);
    }
}

static void what_cannot_be_waited_for_is_closed_and_told(void **state)
{
    struct json_link *none = NULL;
    int fd = memfd_create("file", MFD_CLOEXEC);

    (void)state;
    assert_int_equal(json_link_new(event, fd, &peer, on_message, on_ended, NULL, &none), -EPERM);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_null(none);
    assert_null(json_link_free(NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_peer_is_heard_at_a_bounded_rate),
        TEST(lines_are_messages_in_whatever_pieces_they_come),
        TEST(empty_lines_and_carriage_returns_are_nothing),
        TEST(what_is_no_object_ends_it_and_nothing_after_it_is_taken),
        TEST(a_line_has_a_bounded_number_of_values),
        TEST(a_line_has_a_bounded_length),
        TEST(the_end_of_the_peer_is_told_once),
        TEST(it_may_be_freed_from_within_what_it_tells),
        TEST(it_may_be_freed_at_its_end),
        TEST(what_is_sent_is_one_line_each),
        TEST(what_the_peer_does_not_read_waits_for_it),
        TEST(what_may_wait_is_bounded_to_the_byte),
        TEST(what_cannot_be_waited_for_is_closed_and_told),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
