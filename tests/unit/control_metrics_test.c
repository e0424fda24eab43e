/* metrics: a scraper gets the text by HTTP, whole, once it has asked; who does not ask, or may not,
 * gets nothing; and all together are few. */
#include "control/control_peer.h"
#include "control/metrics.h"
#include "control/metrics_text.h"
#include "descriptors.h"
#include "fleet.h"
#include "folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* Larger than what a socket takes at once. */
#define BODY_SIZE (4u << 20)
/* metrics.c's: more than that are closed; a longer request is none. */
#define SCRAPES       8
#define REQUEST_BYTES 4096

#define REQUEST "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"

static struct fleet fleet;
static struct metrics *metrics;
static char folder[FOLDER_BYTES], path[96];
static bool allowed, no_memory;
static unsigned made;

char *__wrap_metrics_text_make(const struct fleet *of);
char *__wrap_metrics_text_make(const struct fleet *of)
{
    char *text = no_memory ? NULL : malloc(BODY_SIZE + 1);

    assert_ptr_equal(of, &fleet);
    made++;
    if (!text)
        return NULL;
    memset(text, 'm', BODY_SIZE);
    text[BODY_SIZE] = '\0';
    return text;
}

bool __wrap_control_peer_is_allowed(int fd, gid_t gid);
bool __wrap_control_peer_is_allowed(int fd, gid_t gid)
{
    assert_true(fd >= 0);
    assert_int_equal(gid, CONTROL_PEER_NO_GROUP);
    return allowed;
}

static int set_up(void **state)
{
    (void)state;
    folder_make(folder);
    (void)snprintf(path, sizeof(path), "%s/m", folder);
    allowed = true;
    no_memory = false;
    made = 0;
    if (sd_event_new(&fleet.services.event) < 0)
        return -1;
    return metrics_new(&fleet, path, NULL, &metrics);
}

static int tear_down(void **state)
{
    (void)state;
    metrics = metrics_free(metrics);
    fleet.services.event = sd_event_unref(fleet.services.event);
    folder_remove(folder);
    return 0;
}

static void run(void)
{
    while (sd_event_run(fleet.services.event, 0) > 0)
        ;
}

static int call(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    run();
    return fd;
}

static void say(int fd, const char *text, size_t size)
{
    assert_int_equal(send(fd, text, size, MSG_NOSIGNAL), (ssize_t)size);
    run();
}

/* Nothing came, and the connection stands. */
static bool waits(int fd)
{
    char byte;

    run();
    return recv(fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

/* The connection was closed without a word. */
static bool is_closed(int fd)
{
    char byte;
    ssize_t n;

    run();
    n = recv(fd, &byte, 1, 0);
    (void)close(fd);
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* Reads until the other side closes. @return the size of the answer's body */
static size_t take_answer(int fd)
{
    char *text = malloc(BODY_SIZE + 4096), *body;
    size_t size = 0, announced;
    ssize_t n;

    assert_non_null(text);
    while ((n = recv(fd, text + size, BODY_SIZE + 4095 - size, 0)) != 0) {
        assert_true(n > 0 || errno == EAGAIN);
        size += n > 0 ? (size_t)n : 0;
        run();
    }
    text[size] = '\0';
    assert_int_equal(strncmp(text, "HTTP/1.0 200 OK\r\n", 17), 0);
    assert_non_null(strstr(text, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
    body = strstr(text, "\r\nContent-Length: ");
    assert_non_null(body);
    announced = strtoul(body + 18, NULL, 10);
    body = strstr(text, "\r\n\r\n") + 4;
    size -= (size_t)(body - text);
    assert_int_equal(size, announced);
    assert_int_equal(strspn(body, "m"), size);
    free(text);
    (void)close(fd);
    return size;
}

static void a_request_is_answered_whole_and_the_connection_closed(void **state)
{
    int fd = call();

    (void)state;
    say(fd, REQUEST, sizeof(REQUEST) - 1);
    assert_int_equal(take_answer(fd), BODY_SIZE);
    assert_int_equal(made, 1);
    fd = call(); /* as somebody types it */
    say(fd, "GET / HTTP/1.0\n\n", 16);
    assert_int_equal(take_answer(fd), BODY_SIZE);
    assert_int_equal(made, 2);
}

static void a_request_may_come_in_single_bytes(void **state)
{
    int fd = call();

    (void)state;
    for (size_t i = 0; i < sizeof(REQUEST) - 1; i++) {
        assert_true(waits(fd));
        assert_int_equal(made, 0);
        say(fd, &REQUEST[i], 1);
    }
    assert_int_equal(take_answer(fd), BODY_SIZE);
    assert_int_equal(made, 1);
}

/* @return the status of the whole answer; its body, if it has one, is as long as announced */
static int take_status(int fd)
{
    char text[1024], *body, *length;
    size_t size = 0;
    ssize_t n;

    while ((n = recv(fd, text + size, sizeof(text) - 1 - size, 0)) != 0) {
        assert_true(n > 0 || errno == EAGAIN);
        size += n > 0 ? (size_t)n : 0;
        run();
    }
    (void)close(fd);
    run();
    text[size] = '\0';
    assert_int_equal(strncmp(text, "HTTP/1.0 ", 9), 0);
    body = strstr(text, "\r\n\r\n");
    length = strstr(text, "\r\nContent-Length: ");
    assert_true(body && length);
    if (strncmp(text + 9, "200", 3) != 0)
        assert_int_equal(strlen(body + 4), strtoul(length + 18, NULL, 10));
    if (strncmp(text + 9, "405", 3) == 0)
        assert_non_null(strstr(text, "\r\nAllow: GET, HEAD\r\n"));
    return (int)strtol(text + 9, NULL, 10);
}

static void begin_with(char *buffer, const char *words)
{
    while (*words)
        *buffer++ = *words++;
}

static void what_is_no_request_is_answered_as_http_has_it(void **state)
{
    static char longer[REQUEST_BYTES + 1], headers[REQUEST_BYTES + 1], endless[REQUEST_BYTES + 1];
    const struct {
        const char *text;
        int status;
    } cases[] = {
        {"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200},
        {"\r\nHEAD / HTTP/1.0\r\n\r\n", 200},
        {"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405},
        {"PUT / HTTP/1.1\r\n", 405},
        {"BREW / HTTP/1.1\r\n\r\n", 501},
        {"get / HTTP/1.1\r\n\r\n", 501},
        {"GET / HTTP/2.0\r\n\r\n", 505},
        {"GET /\r\n", 400}, /* HTTP/0.9 */
        {"GET /\n\n", 400},
        {"GET  / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1 x\r\n\r\n", 400},
        {"GET / HTTP/x.y\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n folded: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
        {"\x16\x03\x01\x02", 400}, /* TLS */
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"{}", 400},
        {longer, 414},
        {headers, 431},
        {endless, 400},
    };

    (void)state;
    memset(longer, 'x', REQUEST_BYTES);
    begin_with(longer, "GET /");
    memset(headers, 'x', REQUEST_BYTES);
    begin_with(headers, "GET / HTTP/1.1\r\nX: ");
    memset(endless, 'x', REQUEST_BYTES);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = call(), status;

        say(fd, cases[i].text, strlen(cases[i].text));
        status = take_status(fd);
        if (status != cases[i].status)
            fail_msg("%.40s: %d, wanted %d", cases[i].text, status, cases[i].status);
    }
    assert_int_equal(made, 2);
}

/* The client that still sends reads why it is refused. */
static void a_refusal_outlives_what_is_sent_behind_it(void **state)
{
    char text[REQUEST_BYTES];
    int fd = call();

    (void)state;
    memset(text, 'x', sizeof(text));
    say(fd, "POST / HTTP/1.1\r\n\r\n", 19);
    for (unsigned i = 0; i < 100; i++)
        say(fd, text, sizeof(text));
    assert_int_equal(take_status(fd), 405);
}

static void who_ends_before_asking_is_not_answered(void **state)
{
    int fd;

    (void)state;
    fd = call();
    say(fd, "GET", 3);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_true(is_closed(fd));
    assert_int_equal(made, 0);
}

static void one_that_goes_leaves_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3 * SCRAPES; i++) {
        int fd = call();

        say(fd, REQUEST, i % 2 ? sizeof(REQUEST) - 1 : 3);
        (void)close(fd);
        run();
    }
    assert_int_equal(made, 3 * SCRAPES / 2);
}

static void who_may_not_is_not_heard(void **state)
{
    int fd;

    (void)state;
    allowed = false;
    fd = call();
    assert_true(is_closed(fd));
    assert_int_equal(made, 0);
}

static void they_are_few_at_a_time(void **state)
{
    int fds[SCRAPES], fd;

    (void)state;
    for (unsigned i = 0; i < SCRAPES; i++)
        fds[i] = call();
    for (unsigned i = 0; i < SCRAPES; i++)
        assert_true(waits(fds[i]));
    assert_int_equal(take_status(call()), 503);
    (void)close(fds[0]);
    run();
    fd = call();
    assert_true(waits(fd));
    (void)close(fd);
    for (unsigned i = 1; i < SCRAPES; i++)
        (void)close(fds[i]);
}

static void without_memory_that_is_said(void **state)
{
    int fd = call();

    (void)state;
    no_memory = true;
    say(fd, REQUEST, sizeof(REQUEST) - 1);
    assert_int_equal(take_status(fd), 503);
}

static void its_end_closes_them_and_removes_the_socket(void **state)
{
    int fd = call();
    struct metrics *another = NULL;
    struct stat st;

    (void)state;
    assert_int_equal(metrics_new(&fleet, path, NULL, &another), -EADDRINUSE);
    assert_null(another);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600); /* there is no group */
    metrics = metrics_free(metrics);
    assert_true(is_closed(fd));
    assert_int_equal(access(path, F_OK), -1);
    assert_null(metrics_free(NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_whole_and_the_connection_closed),
        TEST(a_request_may_come_in_single_bytes),
        TEST(what_is_no_request_is_answered_as_http_has_it),
        TEST(a_refusal_outlives_what_is_sent_behind_it),
        TEST(who_ends_before_asking_is_not_answered),
        TEST(one_that_goes_leaves_nothing),
        TEST(who_may_not_is_not_heard),
        TEST(they_are_few_at_a_time),
        TEST(without_memory_that_is_said),
        TEST(its_end_closes_them_and_removes_the_socket),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
