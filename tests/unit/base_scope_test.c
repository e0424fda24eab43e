/* scope: what systemd is asked for, and what is told of its answer. The system bus with systemd on
 * it is the test's. */
#include "base/scope.h"
#include "descriptors.h"
#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_US (UINT64_C(60) * 1000000)

struct place {
    sd_event *event;
    char folder[FOLDER_BYTES];
    int listener;
    sd_event_source *incoming;
    sd_bus *bus;                   /* systemd's end of the connection; NULL: nobody connected */
    const char *error, *explained; /* systemd's answer; NULL: a job */
    bool silent;                   /* it does not answer */
    unsigned asked, dones;
    bool hung_up;
    char name[64], description[64], collect[64], remark[512];
    uint32_t pid;
};

static int booted;

int __wrap_sd_booted(void);
int __wrap_sd_booted(void)
{
    return booted;
}

static void read_request(struct place *place, sd_bus_message *message)
{
    const char *name, *mode, *key, *description, *pids, *collect_key, *collect;
    uint32_t pid;

    assert_string_equal(sd_bus_message_get_destination(message), "org.freedesktop.systemd1");
    assert_string_equal(sd_bus_message_get_path(message), "/org/freedesktop/systemd1");
    assert_true(sd_bus_message_has_signature(message, "ssa(sv)a(sa(sv))"));
    assert_true(sd_bus_message_read(message, "ssa(sv)a(sa(sv))", &name, &mode, 3, &key, "s",
                                    &description, &pids, "au", 1, &pid, &collect_key, "s", &collect,
                                    0) > 0);
    assert_true(sd_bus_message_at_end(message, true) > 0);
    assert_string_equal(mode, "fail");
    assert_string_equal(key, "Description");
    assert_string_equal(pids, "PIDs");
    assert_string_equal(collect_key, "CollectMode");
    (void)snprintf(place->name, sizeof(place->name), "%s", name);
    (void)snprintf(place->description, sizeof(place->description), "%s", description);
    (void)snprintf(place->collect, sizeof(place->collect), "%s", collect);
    place->pid = pid;
    place->asked++;
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
    struct place *place = userdata;

    (void)ret_error;
    if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus", "Hello"))
        return sd_bus_reply_method_return(message, "s", ":1.1");
    if (sd_bus_message_is_signal(message, "org.freedesktop.DBus.Local", "Disconnected")) {
        place->hung_up = true;
        return 1;
    }
    assert_true(sd_bus_message_is_method_call(message, "org.freedesktop.systemd1.Manager",
                                              "StartTransientUnit"));
    read_request(place, message);
    if (place->silent)
        return 1;
    if (place->error) {
        const sd_bus_error error = SD_BUS_ERROR_MAKE_CONST(place->error, place->explained);

        return sd_bus_reply_method_error(message, &error);
    }
    return sd_bus_reply_method_return(message, "o", "/org/freedesktop/systemd1/job/1");
}

static int on_incoming(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct place *place = userdata;
    int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)source;
    (void)events;
    assert_true(connection >= 0);
    assert_null(place->bus); /* one is enough */
    assert_int_equal(sd_bus_new(&place->bus), 0);
    assert_int_equal(sd_bus_set_fd(place->bus, connection, connection), 0);
    assert_int_equal(sd_bus_set_server(place->bus, true, (sd_id128_t)SD_ID128_NULL), 0);
    assert_int_equal(sd_bus_add_filter(place->bus, NULL, on_message, place), 0);
    assert_true(sd_bus_start(place->bus) >= 0);
    assert_int_equal(sd_bus_attach_event(place->bus, place->event, 0), 0);
    return 0;
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char variable[sizeof(address.sun_path) + 16];

    assert_non_null(place);
    *state = place;
    booted = 1;
    folder_make(place->folder);
    assert_int_equal(sd_event_new(&place->event), 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/bus", place->folder);
    place->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(place->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(place->listener, 4), 0);
    assert_int_equal(sd_event_add_io(place->event, &place->incoming, place->listener, EPOLLIN,
                                     on_incoming, place),
                     0);
    (void)snprintf(variable, sizeof(variable), "unix:path=%s", address.sun_path);
    return setenv("DBUS_SYSTEM_BUS_ADDRESS", variable, 1);
}

static int tear_down(void **state)
{
    struct place *place = *state;

    sd_bus_close_unref(place->bus);
    sd_event_source_disable_unref(place->incoming);
    (void)close(place->listener);
    sd_event_unref(place->event);
    folder_remove(place->folder);
    free(place);
    return 0;
}

static void on_done(void *userdata, const char *remark)
{
    struct place *place = userdata;

    (void)snprintf(place->remark, sizeof(place->remark), "%s", remark);
    place->dones++;
}

static struct scope *begin(struct place *place, pid_t pid)
{
    struct scope *scope = NULL;

    assert_int_equal(
        scope_new(place->event, "guestlink-x.scope", "a server", pid, on_done, place, &scope), 0);
    assert_non_null(scope);
    assert_int_equal(place->dones, 0); /* from the event loop */
    return scope;
}

static void wait_for_done(struct place *place)
{
    while (place->dones == 0)
        assert_true(sd_event_run(place->event, WAIT_US) > 0);
    for (unsigned i = 0; i < 20; i++) /* once */
        assert_true(sd_event_run(place->event, 0) >= 0);
    assert_int_equal(place->dones, 1);
}

static void systemd_gets_the_process(void **state)
{
    struct place *place = *state;
    struct scope *scope = begin(place, 4711);

    wait_for_done(place);
    assert_string_equal(place->remark, "");
    assert_int_equal(place->asked, 1);
    assert_string_equal(place->name, "guestlink-x.scope");
    assert_string_equal(place->description, "a server");
    assert_string_equal(place->collect, "inactive-or-failed");
    assert_int_equal(place->pid, 4711);
    assert_null(scope_free(scope));
}

static void answer_that_is_an_error_is_told(void **state)
{
    struct place *place = *state;
    struct scope *scope;

    place->error = "org.freedesktop.systemd1.UnitExists";
    place->explained = "Unit already exists.";
    scope = begin(place, 4711);
    wait_for_done(place);
    assert_string_equal(place->remark,
                        "cannot create the systemd unit for it: Unit already exists.; the process "
                        "stays in the daemon's unit and may be stopped with it");
    (void)scope_free(scope);
}

static void error_without_a_text_is_told_by_its_name(void **state)
{
    struct place *place = *state;
    struct scope *scope;

    place->error = "org.freedesktop.DBus.Error.AccessDenied";
    scope = begin(place, 4711);
    wait_for_done(place);
    assert_non_null(
        strstr(place->remark, "unit for it: org.freedesktop.DBus.Error.AccessDenied; "));
    (void)scope_free(scope);
}

static void nothing_is_asked_where_there_is_nothing_to_do(void **state)
{
    struct place *place = *state;
    static const int hosts[] = {0, -1, 1}; /* without systemd, unknown, and with it */

    for (size_t i = 0; i < 3; i++) {
        struct scope *scope;

        booted = hosts[i];
        place->dones = 0;
        scope = begin(place, i == 2 ? 0 : 4711);
        wait_for_done(place);
        assert_string_equal(place->remark, "");
        assert_null(place->bus);
        assert_int_equal(place->asked, 0);
        (void)scope_free(scope);
    }
}

static void bus_that_cannot_be_reached_is_told(void **state)
{
    struct place *place = *state;
    struct scope *scope;

    assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1), 0);
    scope = begin(place, 4711);
    wait_for_done(place);
    assert_non_null(strstr(place->remark, "cannot create the systemd unit guestlink-x.scope: No "
                                          "such file or directory; the process stays"));
    (void)scope_free(scope);
}

static void nothing_is_told_after_its_end(void **state)
{
    struct place *place = *state;
    struct scope *scope;

    assert_null(scope_free(NULL));
    place->silent = true;
    scope = begin(place, 4711);
    while (place->asked == 0)
        assert_true(sd_event_run(place->event, WAIT_US) > 0);
    (void)scope_free(scope);
    while (!place->hung_up)
        assert_true(sd_event_run(place->event, WAIT_US) > 0);
    assert_int_equal(place->dones, 0);

    booted = 0;
    (void)scope_free(begin(place, 4711));
    assert_true(sd_event_run(place->event, 0) >= 0);
    assert_int_equal(place->dones, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(systemd_gets_the_process),
        TEST(answer_that_is_an_error_is_told),
        TEST(error_without_a_text_is_told_by_its_name),
        TEST(nothing_is_asked_where_there_is_nothing_to_do),
        TEST(bus_that_cannot_be_reached_is_told),
        TEST(nothing_is_told_after_its_end),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
