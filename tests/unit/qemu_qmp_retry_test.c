/*
 * qmp: when it tries again, after what; and what is told of that, how often. The server is this
 * test, and time passes when it says so.
 */
#include "descriptors.h"
#include "device_support.h"
#include "played_clock.h"
#include "qemu/qmp.h"
#include "qemu/qmp_retry.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\n"

/* Pauses that are long enough to see, on a busy machine, that half of one is not enough. */
#define LONG_MS 3000u

struct server {
    struct devices *devices; /* loop, directory */
    struct qmp *qmp;
    char path[108];
    int listener, connection;
    unsigned ups, downs, events, replies;
    bool ended;
    char text[1024];
};

static void on_up(void *userdata)
{
    ((struct server *)userdata)->ups++;
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
    (void)name;
    (void)data;
    ((struct server *)userdata)->events++;
}

static const struct qmp_events events = {.up = on_up, .down = on_down, .event = on_event};

static void server_listen(struct server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->path);
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(server->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server->listener, 1), 0);
}

static void pass(const struct server *server, uint32_t ms)
{
    played_clock_pass(server->devices->event, ms);
}

/* @return true if there is a new connection */
static bool server_accept(struct server *server)
{
    server->connection = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return server->connection >= 0;
}

/* Says it, and lets the client take it. */
static void server_say(const struct server *server, const char *words)
{
    assert_int_equal(send(server->connection, words, strlen(words), MSG_NOSIGNAL), strlen(words));
    pass(server, 0);
}

/* As QEMU does, it has read what was sent: else the client would see a reset. */
static void server_close(struct server *server)
{
    char rest[1024];

    while (read(server->connection, rest, sizeof(rest)) > 0)
        ;
    (void)close(server->connection);
    server->connection = -1;
    pass(server, 0);
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

static struct server *server_start(void **state)
{
    struct server *server = server_new(state);

    server_listen(server);
    assert_int_equal(qmp_new(server->devices->event, server->path, &events, server, &server->qmp),
                     0);
    pass(server, 0);
    assert_true(server_accept(server));
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

/* @param id  of the negotiation */
static void come_up(struct server *server, unsigned id)
{
    char words[64];
    unsigned ups = server->ups;

    server_say(server, GREETING);
    (void)snprintf(words, sizeof(words), "{\"return\": {}, \"id\": %u}\n", id);
    server_say(server, words);
    assert_int_equal(server->ups, ups + 1);
    assert_true(qmp_is_up(server->qmp));
}

/* The next connection comes after that pause, and of a long one not after half of it. */
static void expect_pause(struct server *server, uint32_t ms)
{
    if (ms >= LONG_MS) {
        pass(server, ms / 2);
        assert_false(server_accept(server));
        ms -= ms / 2;
    }
    pass(server, ms);
    assert_true(server_accept(server));
}

static void expect_text(const struct server *server, const char *text)
{
    if (!strstr(server->text, text))
        fail_msg("\"%s\" lacks \"%s\"", server->text, text);
}

/* Whatever is wrong with a connection before it is up: told once, and tried again for ever. */
static void connection_that_does_not_come_up_is_tried_again(void **state)
{
    static const struct {
        const char *words; /* NULL: it waits for them until the deadline */
        const char *why;
    } cases[] = {
        {"", "QEMU closed the connection; will retry"},
        {"hello\n", "does not speak QMP (a line is not a JSON object); will retry"},
        {GREETING GREETING, "does not speak QMP (a second greeting, or none); will retry"},
        {"{\"QMP\": 1}\n", "does not speak QMP (a second greeting, or none); will retry"},
        {"{\"x\": 1}\n", "does not speak QMP (an unknown message); will retry"},
        {GREETING "{\"error\": {\"desc\": \"not me\"}, \"id\": 1}\n", "not me; will retry"},
        {GREETING "{\"return\": 1, \"id\": 1}\n", "(an answer that is not an object); will retry"},
        {NULL, "no greeting within 5 s of connecting: another QMP client is connected"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct server *server = server_start(state);
        uint32_t pause_ms = QMP_RETRY_FIRST_MS;

        for (unsigned tries = 0; tries < 9; tries++) {
            if (!cases[i].words) {
                pass(server, QMP_GREETING_TIMEOUT_MS);
            } else if (tries == 0) {
                server_say(server, cases[i].words);
            }
            assert_int_equal(server->downs, tries > 0 || !cases[i].words || cases[i].words[0]);
            server_close(server);
            assert_int_equal(server->downs, 1);
            assert_false(server->ended);
            expect_text(server, cases[i].why);
            expect_pause(server, pause_ms);
            pause_ms = pause_ms * 2 < QMP_RETRY_LAST_MS ? pause_ms * 2 : QMP_RETRY_LAST_MS;
        }
        assert_int_equal(pause_ms, QMP_RETRY_LAST_MS);
        assert_int_equal(server->ups, 0);
        assert_int_equal(unlink(server->path), 0);
        server_free(server);
    }
}

/* At once a few times, then after pauses that grow; one that stayed is a good one again. */
static void connection_that_breaks_soon_is_made_again_with_pauses(void **state)
{
    static const uint32_t pauses[] = {0, 0, 0, 0, 1000, 2000, 4000, 8000, 10000, 10000};
    struct server *server = server_start(state);
    unsigned id = 1;

    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        come_up(server, id++);
        pass(server, QMP_STEADY_MS / 2);
        server_close(server);
        assert_false(qmp_is_up(server->qmp));
        expect_pause(server, pauses[i]);
        /* whether QEMU ended is known when its greeting came */
        assert_int_equal(server->downs, i);
        server_say(server, GREETING);
        server_close(server);
        assert_int_equal(server->downs, i + 1);
        assert_true(server->ended);
        expect_text(server, "and nothing answers there now: QEMU exited");
        expect_pause(server, QMP_RETRY_FIRST_MS);
        id++;
    }
    come_up(server, id++);
    pass(server, QMP_STEADY_MS);
    server_close(server);
    expect_pause(server, 0);
    come_up(server, id);
    assert_int_equal(server->downs, sizeof(pauses) / sizeof(pauses[0]) + 1);
    assert_false(server->ended);
    expect_text(server, "QEMU closed the connection; reconnected");
    server_free(server);
}

/* That nobody listens is told besides, for it says more. */
static void socket_that_goes_away_is_told_once_more(void **state)
{
    struct server *server = server_start(state);

    assert_false(qmp_is_absent(server->qmp));
    server_close(server);
    assert_int_equal(server->downs, 1);
    (void)close(server->listener);
    pass(server, QMP_RETRY_FIRST_MS);
    assert_int_equal(server->downs, 2);
    assert_true(qmp_is_absent(server->qmp));
    expect_text(server, "Connection refused; will retry; is QEMU running?");
    assert_int_equal(unlink(server->path), 0);
    pass(server, QMP_RETRY_LAST_MS);
    pass(server, QMP_RETRY_LAST_MS);
    assert_int_equal(server->downs, 2);
    server_listen(server);
    pass(server, 0); /* it is seen to appear */
    pass(server, QMP_RETRY_FIRST_MS);
    assert_true(server_accept(server));
    assert_false(qmp_is_absent(server->qmp));
    come_up(server, 1);
    server_free(server);
}

/* A connection that was up, and that cannot be made again for another reason than QEMU's end. */
static void socket_that_leads_elsewhere_meanwhile_is_told(void **state)
{
    struct server *server = server_start(state);
    char moved[128];

    come_up(server, 1);
    (void)snprintf(moved, sizeof(moved), "%s.moved", server->path);
    assert_int_equal(rename(server->path, moved), 0);
    assert_int_equal(symlink(moved, server->path), 0);
    server_close(server);
    assert_int_equal(server->downs, 1);
    assert_false(server->ended);
    expect_text(server,
                "QEMU closed the connection, and cannot reconnect: the socket is a symbolic "
                "link, so it may lead to another VM; will retry; restart the VM");
    assert_int_equal(rename(moved, server->path), 0);
    pass(server, 0);
    pass(server, QMP_RETRY_FIRST_MS);
    assert_true(server_accept(server));
    come_up(server, 2);
    server_free(server);
}

static void events_count_from_the_negotiation_on(void **state)
{
    struct server *server = server_start(state);

    server_say(server, "{\"event\": \"RESET\"}\n" GREETING "{\"event\": \"RESET\"}\n");
    assert_int_equal(server->events, 0);
    server_say(server, "{\"return\": {}, \"id\": 1}\n{\"event\": \"STOP\", \"data\": {}}\n");
    assert_int_equal(server->ups, 1);
    assert_int_equal(server->events, 1);
    pass(server, QMP_GREETING_TIMEOUT_MS); /* which is over */
    assert_true(qmp_is_up(server->qmp));
    assert_int_equal(server->downs, 0);
    server_free(server);
}

/* The socket's owner, while it is connected to. */
static void owner_is_known_of_one_that_is_up(void **state)
{
    struct server *server = server_start(state);
    uid_t uid = (uid_t)-1;
    gid_t gid = (gid_t)-1;

    assert_false(qmp_owner(server->qmp, &uid, &gid));
    come_up(server, 1);
    assert_true(qmp_owner(server->qmp, &uid, &gid));
    assert_int_equal(uid, geteuid());
    assert_int_equal(gid, getegid());
    server_free(server);
}

/* Between two tries the file appears: no need to wait for the rest of the pause. */
static void socket_that_appears_is_tried_soon(void **state)
{
    struct server *server = server_new(state);
    char other[128];

    assert_int_equal(qmp_new(server->devices->event, server->path, &events, server, &server->qmp),
                     0);
    for (unsigned i = 0; i < 9; i++)
        pass(server, QMP_RETRY_LAST_MS);
    assert_int_equal(server->downs, 1);
    (void)snprintf(other, sizeof(other), "%s.other", server->path);
    (void)close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    pass(server, 100);
    server_listen(server);
    pass(server, 0);
    pass(server, 100);
    assert_true(server_accept(server));
    server_free(server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, devices_set_up, devices_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connection_that_does_not_come_up_is_tried_again),
        TEST(connection_that_breaks_soon_is_made_again_with_pauses),
        TEST(socket_that_goes_away_is_told_once_more),
        TEST(socket_that_leads_elsewhere_meanwhile_is_told),
        TEST(events_count_from_the_negotiation_on),
        TEST(owner_is_known_of_one_that_is_up),
        TEST(socket_that_appears_is_tried_soon),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
