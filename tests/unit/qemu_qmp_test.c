/*
 * qmp: conversations with a server that is not QEMU: what is sent, in which order, and what becomes
 * of answers that do not come, come late, or are nonsense.
 */
#include "base/json.h"
#include "base/json_link.h"
#include "descriptors.h"
#include "device_support.h"
#include "qemu/qmp.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 60000u /* of a command whose answer is to come, on any machine */

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"

struct server {
    struct devices *devices; /* loop, directory */
    struct qmp *qmp;
    char path[108];
    int listener, connection;
    unsigned ups, downs, events, replies;
    bool ended;
    int error;
    char text[1024];
};

static void on_up(void *userdata)
{
    struct server *server = userdata;

    server->ups++;
}

static void on_down(void *userdata, bool ended, const char *text)
{
    struct server *server = userdata;

    server->downs++;
    server->ended = ended;
    (void)snprintf(server->text, sizeof(server->text), "%s", text);
}

static void on_event(void *userdata, const char *name, struct json_object *data)
{
    struct server *server = userdata;

    server->events++;
    (void)snprintf(server->text, sizeof(server->text), "%s %s", name,
                   json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN));
}

static void on_reply(void *userdata, const struct qmp_reply *reply)
{
    struct server *server = userdata;

    server->replies++;
    server->error = reply->error;
    (void)snprintf(
        server->text, sizeof(server->text), "%s%s", reply->text,
        reply->result ? json_object_to_json_string_ext(reply->result, JSON_C_TO_STRING_PLAIN) : "");
}

static const struct qmp_events events = {.up = on_up, .down = on_down, .event = on_event};

static void server_listen(struct server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->path);
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server->listener, 1), 0);
}

/* Accepts, while the loop runs. */
static void server_accept(struct server *server)
{
    server->connection = -1;
    for (unsigned i = 0; i < PATIENCE_MS / 10 && server->connection < 0; i++) {
        devices_run(server->devices, 10);
        server->connection = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    assert_true(server->connection >= 0);
}

static void server_say(struct server *server, const char *text)
{
    assert_int_equal(write(server->connection, text, strlen(text)), strlen(text));
}

/* Waits for one line of the client's. */
static void server_expect(struct server *server, const char *line)
{
    char buffer[1024] = "";
    size_t size = 0;

    for (unsigned i = 0; i < PATIENCE_MS / 10 && !strchr(buffer, '\n'); i++) {
        ssize_t n;

        devices_run(server->devices, 10);
        n = read(server->connection, buffer + size, 1);
        while (n > 0 && buffer[size++] != '\n')
            n = read(server->connection, buffer + size, 1);
    }
    buffer[size > 0 ? size - 1 : 0] = '\0';
    assert_string_equal(buffer, line);
}

static struct server *server_new(void **state)
{
    struct server *server = calloc(1, sizeof(*server));

    assert_non_null(server);
    server->devices = *state;
    server->listener = server->connection = -1;
    (void)snprintf(server->path, sizeof(server->path), "%s/qmp", server->devices->directory);
    return server;
}

static void server_free(struct server *server)
{
    qmp_free(server->qmp);
    if (server->connection >= 0)
        (void)close(server->connection);
    if (server->listener >= 0)
        (void)close(server->listener);
    free(server);
}

/* Brings a client up. */
static struct server *server_start(void **state)
{
    struct server *server = server_new(state);

    server_listen(server);
    assert_int_equal(qmp_new(server->devices->event, server->path, &events, server, &server->qmp),
                     0);
    (void)fcntl(server->listener, F_SETFL, O_NONBLOCK);
    server_accept(server);
    server_say(server, GREETING);
    server_expect(server, "{\"execute\":\"qmp_capabilities\",\"id\":1}");
    server_say(server, "{\"return\": {}, \"id\": 1}\r\n");
    devices_wait(server->devices, &server->ups, 1);
    return server;
}

static void answers_find_their_commands_in_any_order(void **state)
{
    struct server *server = server_start(state), other = {.devices = *state};

    assert_int_equal(
        qmp_execute(server->qmp, "a", json_texts("k", "v", NULL), PATIENCE_MS, on_reply, server),
        0);
    assert_int_equal(qmp_execute(server->qmp, "b", NULL, PATIENCE_MS, on_reply, &other), 0);
    server_expect(server, "{\"execute\":\"a\",\"id\":2,\"arguments\":{\"k\":\"v\"}}");
    server_expect(server, "{\"execute\":\"b\",\"id\":3}");
    server_say(server,
               "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 3}\r\n");
    devices_wait(server->devices, &other.replies, 1);
    assert_int_equal(other.error, EREMOTEIO);
    assert_string_equal(other.text, "no");
    assert_int_equal(server->replies, 0);
    server_say(server,
               "{\"return\": [1], \"id\": 2}\r\n{\"event\": \"RESET\", \"data\": {\"x\": 1}}");
    devices_wait(server->devices, &server->replies, 1);
    assert_string_equal(server->text, "[1]");
    assert_int_equal(server->events, 0);
    server_say(server, "\r\n");
    devices_wait(server->devices, &server->events, 1);
    assert_string_equal(server->text, "RESET {\"x\":1}");
    server_free(server);
}

static void answer_that_comes_late_is_ignored(void **state)
{
    struct server *server = server_start(state);

    assert_int_equal(qmp_execute(server->qmp, "a", NULL, 50, on_reply, server), 0);
    devices_wait(server->devices, &server->replies, 1);
    assert_int_equal(server->error, ETIMEDOUT);
    assert_string_equal(server->text, "QEMU did not answer a within 50 ms");
    server_say(server, "{\"return\": {}, \"id\": 2}\r\n");
    devices_run(server->devices, 50);
    assert_int_equal(server->replies, 1);
    assert_true(qmp_is_up(server->qmp));
    server_free(server);
}

static void end_of_qemu_is_told_and_answers_what_is_open(void **state)
{
    struct server *server = server_start(state);

    assert_int_equal(qmp_execute(server->qmp, "a", NULL, PATIENCE_MS, on_reply, server), 0);
    (void)close(server->listener);
    server->listener = -1;
    (void)close(server->connection);
    server->connection = -1;
    devices_wait(server->devices, &server->downs, 1);
    assert_true(server->ended);
    assert_int_equal(server->replies, 1);
    assert_int_equal(server->error, ECONNRESET);
    assert_int_equal(qmp_execute(server->qmp, "a", NULL, PATIENCE_MS, on_reply, server), -ENOTCONN);

    /* Another QEMU in its place is found. */
    (void)unlink(server->path);
    server_listen(server);
    (void)fcntl(server->listener, F_SETFL, O_NONBLOCK);
    server_accept(server);
    server_free(server);
}

static void dying_qemu_that_still_accepts_has_ended(void **state)
{
    struct server *server = server_start(state);

    (void)close(server->connection);
    server_accept(server);
    (void)close(server->listener);
    server->listener = -1;
    (void)close(server->connection);
    server->connection = -1;
    devices_wait(server->devices, &server->downs, 1);
    assert_true(server->ended);
    server_free(server);
}

static void connection_that_broke_is_made_again(void **state)
{
    struct server *server = server_start(state);

    (void)close(server->connection);
    server_accept(server);
    assert_int_equal(server->downs, 0);
    server_say(server, GREETING);
    server_expect(server, "{\"execute\":\"qmp_capabilities\",\"id\":2}");
    server_say(server, "{\"return\": {}, \"id\": 2}\r\n");
    devices_wait(server->devices, &server->ups, 2);
    assert_int_equal(server->downs, 1);
    assert_false(server->ended);
    server_free(server);
}

static void socket_that_is_not_there_is_told_once_and_awaited(void **state)
{
    struct server *server = server_new(state);

    assert_int_equal(qmp_new(server->devices->event, server->path, &events, server, &server->qmp),
                     0);
    devices_wait(server->devices, &server->downs, 1);
    assert_false(server->ended);
    assert_non_null(strstr(server->text, "does not exist: start QEMU with -qmp unix:"));
    devices_run(server->devices, 500);
    assert_int_equal(server->downs, 1);
    server_listen(server);
    (void)fcntl(server->listener, F_SETFL, O_NONBLOCK);
    server_accept(server);
    server_free(server);
}

static void nonsense_and_lines_without_end_close_the_connection(void **state)
{
    struct server *server = server_start(state);
    static char line[64 * 1024];

    server_say(server, "hello\r\n");
    (void)close(server->connection);
    server_accept(server);
    memset(line, ' ', sizeof(line));
    for (size_t sent = 0; sent < JSON_LINK_LINE_MAX + sizeof(line);) {
        ssize_t n = send(server->connection, line, sizeof(line), MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN)
            break;
        sent += n > 0 ? (size_t)n : 0;
        devices_run(server->devices, 1);
    }
    devices_wait(server->devices, &server->downs, 1);
    assert_non_null(strstr(server->text, "more than 1 MiB"));
    assert_true(send(server->connection, "x", 1, MSG_NOSIGNAL) < 0);
    server_free(server);
}

/* What QEMU passes with a line is no file descriptor of the daemon's: the group's end counts. */
static void descriptors_that_come_with_a_line_are_not_kept(void **state)
{
    static char line[] = "{\"event\": \"STOP\"}\n";
    struct server *server = server_start(state);
    struct iovec part = {.iov_base = line, .iov_len = sizeof(line) - 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof(control.space)};

    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &server->listener, sizeof(int));
    for (unsigned i = 1; i <= 20; i++) {
        assert_int_equal(sendmsg(server->connection, &message, 0), sizeof(line) - 1);
        devices_wait(server->devices, &server->events, i);
    }
    server_free(server);
}

/* QEMU does not read, and is asked for more and more. */
static void what_waits_for_qemu_is_bounded(void **state)
{
    struct server *server = server_start(state);
    char text[1024];
    unsigned sent = 0;
    int r = 0;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    while (r == 0 && sent++ < 100000)
        r = qmp_execute(server->qmp, "a", json_texts("k", text, NULL), PATIENCE_MS, NULL, NULL);
    assert_int_equal(r, -ENOBUFS);
    assert_true(qmp_is_up(server->qmp));
    server_free(server);
}

static void open_commands_are_canceled_at_the_end(void **state)
{
    struct server *server = server_start(state);

    assert_int_equal(qmp_execute(server->qmp, "a", NULL, PATIENCE_MS, on_reply, server), 0);
    server->qmp = qmp_free(server->qmp);
    assert_int_equal(server->replies, 1);
    assert_int_equal(server->error, ECANCELED);
    server_free(server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, devices_set_up, devices_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_find_their_commands_in_any_order),
        TEST(answer_that_comes_late_is_ignored),
        TEST(end_of_qemu_is_told_and_answers_what_is_open),
        TEST(dying_qemu_that_still_accepts_has_ended),
        TEST(connection_that_broke_is_made_again),
        TEST(socket_that_is_not_there_is_told_once_and_awaited),
        TEST(nonsense_and_lines_without_end_close_the_connection),
        TEST(descriptors_that_come_with_a_line_are_not_kept),
        TEST(what_waits_for_qemu_is_bounded),
        TEST(open_commands_are_canceled_at_the_end),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
