/* ready: what ends the wait for a guest, and with which exit status. The daemon, the supervisor and
 * the time are the test's (CMakeLists.txt). */
#include "once/ready.h"

#include "ctl/client.h"
#include "ctl/command.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { EVENTS, SIGNALS, CLIENT, SAID, PIPES };

static int pipes[PIPES][2];
static struct {
    int events[4]; /* supervisor_wait()'s, one after the other */
    unsigned waits;
    int last_timeout_ms;
    int new_error, send_error;
    const char *replies[4]; /* of the daemon: NULL: none yet; "": it closed */
    unsigned received, sends, frees;
    const char *shown; /* its answer to Show */
    unsigned asks;
    uint64_t now_us, step_us;
} played;

static unsigned signal_after_start; /* comes when the daemon was asked */
static const struct request request;
static struct plan plan = {.request = &request, .folder = "/nonexistent"};

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now)
{
    assert_int_equal(clock, CLOCK_MONOTONIC);
    played.now_us += played.step_us;
    *ret_now = (struct timespec){.tv_sec = (time_t)(played.now_us / 1000000),
                                 .tv_nsec = (long)(played.now_us % 1000000 * 1000)};
    return 0;
}

int __wrap_supervisor_wait(struct supervisor *supervisor, int timeout_ms);
int __wrap_supervisor_wait(struct supervisor *supervisor, int timeout_ms)
{
    char byte;

    assert_in_range(played.waits, 0, 3);
    played.last_timeout_ms = timeout_ms;
    if (timeout_ms < 0)
        (void)!read(supervisor->events, &byte, 1);
    return played.events[played.waits++];
}

int __wrap_client_new(const char *socket, struct client **ret_client);
int __wrap_client_new(const char *socket, struct client **ret_client)
{
    assert_string_equal(socket, "/nonexistent/" FOLDER_CONTROL);
    *ret_client = (struct client *)&played;
    return played.new_error;
}

struct client *__wrap_client_free(struct client *client);
struct client *__wrap_client_free(struct client *client)
{
    played.frees += client != NULL;
    return NULL;
}

int __wrap_client_fd(const struct client *client);
int __wrap_client_fd(const struct client *client)
{
    (void)client;
    return pipes[CLIENT][0];
}

int __wrap_client_send(struct client *client, const char *method, struct json_object *params,
                       enum client_answer answer);
int __wrap_client_send(struct client *client, const char *method, struct json_object *params,
                       enum client_answer answer)
{
    (void)client;
    assert_string_equal(method, "Telemetry");
    assert_null(params);
    assert_int_equal(answer, CLIENT_MORE);
    played.sends++;
    if (signal_after_start) {
        const struct signalfd_siginfo info = {.ssi_signo = signal_after_start};

        signal_after_start = 0;
        assert_int_equal(write(pipes[SIGNALS][1], &info, sizeof(info)), sizeof(info));
    }
    return played.send_error;
}

int __wrap_client_receive(struct client *client, int timeout_ms, struct json_object **ret_params);
int __wrap_client_receive(struct client *client, int timeout_ms, struct json_object **ret_params)
{
    const char *reply = played.replies[played.received];

    (void)client;
    assert_int_equal(timeout_ms, 0);
    if (!reply) /* what wakes us up has been read */
        (void)!read(pipes[CLIENT][0], (char[16]){0}, 16);
    if (!reply)
        return -EAGAIN;
    played.received++;
    if (!reply[0])
        return -ECONNRESET;
    *ret_params = json_tokener_parse(reply);
    assert_non_null(*ret_params);
    return 0;
}

struct json_object *__wrap_client_ask(const char *socket, const char *method,
                                      struct json_object *params);
struct json_object *__wrap_client_ask(const char *socket, const char *method,
                                      struct json_object *params)
{
    assert_string_equal(socket, "/nonexistent/" FOLDER_CONTROL);
    assert_string_equal(method, "Show");
    json_object_put(params);
    played.asks++;
    return played.shown ? json_tokener_parse(played.shown) : NULL;
}

static int set_up(void **state)
{
    (void)state;
    memset(&played, 0, sizeof(played));
    played.events[0] = SUPERVISOR_STARTED;
    for (size_t i = 0; i < PIPES; i++)
        assert_int_equal(pipe2(pipes[i], O_CLOEXEC | O_NONBLOCK), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < (size_t)2 * PIPES; i++)
        (void)close(pipes[i / 2][i % 2]);
    return 0;
}

static void write_to(int which)
{
    assert_int_equal(write(pipes[which][1], "x", 1), 1);
}

static void send_signal(unsigned number)
{
    const struct signalfd_siginfo info = {.ssi_signo = number};

    assert_int_equal(write(pipes[SIGNALS][1], &info, sizeof(info)), sizeof(info));
}

/* @return the exit status; what was said is in @p said */
static int wait_for_it(char said[512])
{
    struct supervisor supervisor = {.events = pipes[EVENTS][0], .lifeline = -1};
    int own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 20), status;
    ssize_t size;

    (void)dup2(pipes[SAID][1], STDERR_FILENO);
    status = ready_wait(&plan, &supervisor, pipes[SIGNALS][0]);
    (void)dup2(own, STDERR_FILENO);
    (void)close(own);
    size = read(pipes[SAID][0], said, 511);
    said[size > 0 ? size : 0] = '\0';
    return status;
}

#define READY "{\"event\": {\"event\": \"GuestReady\"}}"
#define OTHER "{\"event\": {\"event\": \"ShareAdded\"}}"

static void guest_with_all_its_shares_is_ready(void **state)
{
    char said[512];

    (void)state;
    write_to(EVENTS);
    write_to(CLIENT);
    played.replies[0] = OTHER;
    played.replies[1] = READY;
    played.shown = "{\"vm\": {\"shares\": [{\"state\": \"in-use\"}, {\"state\": \"in-use\"}]}}";
    assert_int_equal(wait_for_it(said), 0);
    assert_string_equal(said, "");
    assert_int_equal(played.sends, 1);
    assert_int_equal(played.asks, 1);
    assert_int_equal(played.frees, 1);
    assert_int_equal(played.waits, 1);
}

static void share_that_is_missing_is_told(void **state)
{
    char said[512];

    (void)state;
    write_to(EVENTS);
    write_to(CLIENT);
    played.replies[0] = READY;
    played.shown = "{\"vm\": {\"shares\": ["
                   "{\"state\": \"failed\", \"path\": \"/a\", \"error\": \"no virtiofsd\"},"
                   "{\"state\": \"in-use\", \"path\": \"/b\"},"
                   "{\"state\": \"waiting\", \"path\": \"/c\", \"error\": \"late\"}]}}";
    assert_int_equal(wait_for_it(said), READY_NOT_STARTED);
    assert_non_null(strstr(said, "cannot share \"/a\": no virtiofsd; the command was not started"));
    assert_non_null(strstr(said, "cannot share \"/c\": late; the command was not started"));
    assert_null(strstr(said, "/b"));
}

static void daemon_that_does_not_say_is_no_guest(void **state)
{
    static const char *const shown[] = {NULL, "{\"vm\": {}}", "{}"};
    char said[512];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        played.waits = played.received = 0;
        write_to(EVENTS);
        write_to(CLIENT);
        played.replies[0] = READY;
        played.shown = shown[i];
        assert_int_equal(wait_for_it(said), READY_NOT_STARTED);
    }
}

static void what_does_not_start_is_told(void **state)
{
    static const struct {
        int event, status;
        const char *words;
    } ends[] = {{SUPERVISOR_FAILED, READY_NOT_STARTED, ""},
                {SUPERVISOR_TIMED_OUT, READY_TIMED_OUT, "the --timeout expired"},
                {SUPERVISOR_NO_QEMU, READY_NOT_STARTED, "the VM exited before the command"},
                {SUPERVISOR_NO_DAEMON, READY_NOT_STARTED, "guestlink-hostd exited"}};
    char said[512];

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(ends) / sizeof(ends[0]); i++) {
        bool later = i % 2; /* while the guest boots */

        played.waits = 0;
        played.events[later] = ends[i / 2].event;
        played.events[0] = later ? SUPERVISOR_STARTED : ends[i / 2].event;
        write_to(EVENTS);
        if (later)
            write_to(EVENTS);
        assert_int_equal(wait_for_it(said), ends[i / 2].status);
        assert_int_equal(played.waits, later ? 2 : 1);
        if (!strstr(said, ends[i / 2].words) || (!ends[i / 2].words[0] && said[0]))
            fail_msg("end %zu: %s", i, said);
    }
    assert_int_equal(played.received, 0);
}

static void signal_ends_it(void **state)
{
    char said[512];

    (void)state;
    send_signal(SIGTERM);
    assert_int_equal(wait_for_it(said), 128 + SIGTERM);
    assert_int_equal(played.waits, 0);
    assert_int_equal(played.sends, 0);

    /* likewise while the guest boots */
    write_to(EVENTS);
    signal_after_start = SIGINT;
    assert_int_equal(wait_for_it(said), 128 + SIGINT);
    assert_int_equal(played.sends, 1);
    assert_int_equal(played.frees, 1);
    assert_string_equal(said, "");
}

/* Why, the supervisor hears in a moment. */
static void daemon_that_is_gone_is_waited_for_by_the_supervisor(void **state)
{
    char said[512];

    (void)state;
    write_to(EVENTS);
    played.new_error = 1;
    played.events[1] = SUPERVISOR_NO_DAEMON;
    assert_int_equal(wait_for_it(said), READY_NOT_STARTED);
    assert_non_null(strstr(said, "guestlink-hostd exited"));
    assert_int_equal(played.last_timeout_ms, 1000);
    assert_int_equal(played.frees, 0);

    played.new_error = 0;
    played.waits = 0;
    played.events[1] = SUPERVISOR_TIMED_OUT;
    played.replies[0] = OTHER;
    played.replies[1] = ""; /* it closed */
    write_to(EVENTS);
    write_to(CLIENT);
    assert_int_equal(wait_for_it(said), READY_TIMED_OUT);
    assert_int_equal(played.last_timeout_ms, 1000);
    assert_int_equal(played.waits, 2);
    assert_int_equal(played.frees, 1);
}

static void events_that_cannot_be_asked_for_end_it(void **state)
{
    char said[512];

    (void)state;
    write_to(EVENTS);
    played.send_error = -EPIPE;
    assert_int_equal(wait_for_it(said), READY_NOT_STARTED);
    assert_non_null(strstr(said, "cannot ask guestlink-hostd for its events: Broken pipe"));
    assert_int_equal(played.frees, 1);
    assert_int_equal(played.waits, 1);
}

static void guest_that_does_not_come_is_given_up(void **state)
{
    char said[512];

    (void)state;
    write_to(EVENTS);
    write_to(CLIENT);
    played.step_us = UINT64_C(300) * 1000000; /* exactly as long as it may take */
    played.replies[0] = READY;
    played.shown = "{\"vm\": {\"shares\": []}}";
    assert_int_equal(wait_for_it(said), 0);
    played.waits = played.received = 0;
    write_to(EVENTS);
    played.step_us++;
    assert_int_equal(wait_for_it(said), READY_NOT_STARTED);
    assert_non_null(strstr(said, "the guest was not ready within 300 s; stopped the VM"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(guest_with_all_its_shares_is_ready),
        TEST(share_that_is_missing_is_told),
        TEST(daemon_that_does_not_say_is_no_guest),
        TEST(what_does_not_start_is_told),
        TEST(signal_ends_it),
        TEST(daemon_that_is_gone_is_waited_for_by_the_supervisor),
        TEST(events_that_cannot_be_asked_for_end_it),
        TEST(guest_that_does_not_come_is_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
