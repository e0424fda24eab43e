/* control stream: who listens hears every event, or how many were lost; who is gone hears none. */
#include "control/control_stream.h"
#include "descriptors.h"
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

/* As many as telemetry_subscribe() takes. */
#define LISTENERS 64u

static struct telemetry *new_telemetry(void)
{
    static const struct config_telemetry nothing = {.file = NULL};
    struct telemetry *telemetry;

    assert_int_equal(telemetry_new(&nothing, &telemetry), 0);
    return telemetry;
}

static void listen_to(struct fixture *fixture, struct telemetry *telemetry)
{
    TELL(fixture, "{\"method\":\"io.test.Stream\",\"more\":true}");
    control_stream_telemetry(telemetry, fixture->late);
    varlink_run(fixture);
}

static void emit(struct telemetry *telemetry, const char *text)
{
    struct fields fields = {.count = 0};

    fields_text(&fields, "text", text);
    telemetry_emit(telemetry, TELEMETRY_GUEST_LOG, NULL, &fields);
}

static void test_who_listens_hears_every_event(void **state)
{
    struct telemetry *telemetry = new_telemetry();
    struct fixture *fixture = *state;
    const char *heard;

    listen_to(fixture, telemetry);
    assert_true(is_silent(fixture));
    emit(telemetry, "first");
    emit(telemetry, "second");
    varlink_run(fixture);
    heard = hear(fixture);
    assert_int_equal(strncmp(heard, "{\"parameters\":{\"event\":{\"ts\":\"", 30), 0);
    assert_non_null(strstr(heard, "\"seq\":1,\"event\":\"GuestLog\",\"vm\":null,\"vm_id\":null,"
                                  "\"boot_id\":null,\"text\":\"first\"}},\"continues\":true}\n"));
    assert_non_null(strstr(heard, "\"text\":\"second\"}},\"continues\":true}\n"));
    fixture->varlink = varlink_free(fixture->varlink);
    (void)telemetry_free(telemetry);
}

/* Reads all that is there, and what comes because it was read. */
static void read_all(const struct fixture *fixture, unsigned *events, unsigned *lost)
{
    static char text[8 << 20];
    size_t size = 0;
    ssize_t n;

    do {
        varlink_run(fixture);
        n = recv(fixture->client, text + size, sizeof(text) - 1 - size, MSG_DONTWAIT);
        size += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    text[size] = '\0';
    for (const char *at = text; at < text + size; at += strlen(at) + 1) {
        static const char head[] = "{\"parameters\":{\"lost\":";

        if (strncmp(at, head, sizeof(head) - 1) == 0)
            *lost += (unsigned)strtoul(at + sizeof(head) - 1, NULL, 10);
        else
            *events += strstr(at, "\"event\":\"GuestLog\"") != NULL;
    }
}

static void test_who_does_not_keep_up_hears_how_many_are_lost(void **state)
{
    static char text[5000];
    struct telemetry *telemetry = new_telemetry();
    unsigned events = 0, lost = 0;
    struct fixture *fixture = *state;

    memset(text, 'x', sizeof(text) - 1);
    listen_to(fixture, telemetry);
    for (unsigned round = 1; round <= 2; round++) {
        for (unsigned i = 0; i < 1000; i++)
            emit(telemetry, text);
        read_all(fixture, &events, &lost);
        emit(telemetry, text);
        read_all(fixture, &events, &lost);
        assert_in_range(events, round, round * 1000);
        assert_int_equal(events + lost, round * 1001);
    }
    emit(telemetry, text);
    read_all(fixture, &events, &lost);
    assert_int_equal(events + lost, 2003); /* what is told is not told again */
    fixture->varlink = varlink_free(fixture->varlink);
    (void)telemetry_free(telemetry);
}

static void test_who_is_gone_makes_room(void **state)
{
    struct telemetry *telemetry = new_telemetry();
    struct fixture *fixture = *state;

    for (unsigned i = 0; i < 3 * LISTENERS; i++) {
        listen_to(fixture, telemetry);
        assert_true(is_silent(fixture));
        (void)close(fixture->client);
        varlink_run(fixture);
        emit(telemetry, "for nobody");
        new_client(fixture);
    }
    (void)telemetry_free(telemetry);
}

static void count_line(void *userdata, const char *line, size_t size)
{
    (void)line;
    (void)size;
    ++*(unsigned *)userdata;
}

static void test_one_too_many_is_told_so_and_the_others_listen_on(void **state)
{
    struct telemetry *telemetry = new_telemetry();
    struct fixture *fixture = *state;
    unsigned lines = 0;

    for (unsigned i = 0; i < LISTENERS; i++)
        assert_true(telemetry_subscribe(telemetry, count_line, &lines) >= 0);
    listen_to(fixture, telemetry);
    assert_non_null(strstr(hear(fixture), "\"reason\":\"too many clients listen already\""));
    emit(telemetry, "for the others");
    varlink_run(fixture);
    assert_true(is_silent(fixture));
    assert_int_equal(lines, LISTENERS);
    (void)telemetry_free(telemetry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_who_listens_hears_every_event),
        WITH_SERVER(test_who_does_not_keep_up_hears_how_many_are_lost),
        WITH_SERVER(test_who_is_gone_makes_room),
        WITH_SERVER(test_one_too_many_is_told_so_and_the_others_listen_on),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
