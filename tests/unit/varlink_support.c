/* varlink support: a server with a small interface, and one client at a socket pair. */
#include "varlink_support.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void on_echo(void *userdata, struct varlink_call *call, struct json_object *params)
{
    (void)userdata;
    varlink_call_reply(call, json_object_get(params), false);
}

static void on_closed(void *userdata)
{
    struct fixture *fixture = userdata;

    fixture->closed++;
    fixture->late = NULL;
}

static void on_drained(void *userdata)
{
    struct fixture *fixture = userdata;

    fixture->drained++;
}

static void on_late(void *userdata, struct varlink_call *call, struct json_object *params)
{
    struct fixture *fixture = userdata;

    (void)params;
    fixture->late = call;
    varlink_call_watch(call, on_closed, on_drained, fixture);
}

static void on_fail(void *userdata, struct varlink_call *call, struct json_object *params)
{
    (void)userdata;
    (void)params;
    varlink_call_fail(call, "io.test.Bad", NULL);
}

static const struct varlink_method methods[] = {
    {"Echo", on_echo, false},
    {"Late", on_late, false},
    {"Stream", on_late, true},
    {"Fail", on_fail, false},
};

static const struct varlink_interface interface = {
    "v", "p", "1", "", "io.test", "interface io.test\n", methods, 4};

void new_client(struct fixture *fixture)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    fixture->client = pair[0];
    assert_int_equal(varlink_consume_connection(fixture->varlink, pair[1]), 0);
}

int varlink_set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    assert_true(sd_event_new(&fixture->event) >= 0);
    assert_int_equal(varlink_new(fixture->event, &interface, fixture, &fixture->varlink), 0);
    new_client(fixture);
    *state = fixture;
    return 0;
}

int varlink_tear_down(void **state)
{
    struct fixture *fixture = *state;

    (void)varlink_free(fixture->varlink);
    (void)sd_event_unref(fixture->event);
    if (fixture->client >= 0)
        (void)close(fixture->client);
    free(fixture);
    return 0;
}

void varlink_run(const struct fixture *fixture)
{
    while (sd_event_run(fixture->event, 0) > 0)
        ;
}

void tell(const struct fixture *fixture, const char *text, size_t size)
{
    assert_int_equal(send(fixture->client, text, size, MSG_NOSIGNAL), (ssize_t)size);
    varlink_run(fixture);
}

const char *hear(const struct fixture *fixture)
{
    static char text[65536];
    ssize_t n = recv(fixture->client, text, sizeof(text) - 1, MSG_DONTWAIT);

    assert_true(n >= 0);
    text[n] = '\0';
    for (ssize_t i = 0; i < n; i++)
        if (text[i] == '\0')
            text[i] = '\n';
    return text;
}

bool is_silent(const struct fixture *fixture)
{
    char byte;

    return recv(fixture->client, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}
