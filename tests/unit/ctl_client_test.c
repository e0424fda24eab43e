/* guestlinkctl's client: calls and replies, whole, in parts and one behind the other, and what is
 * said of a daemon that refuses, speaks otherwise or ends. Nothing of a reply is left
 * (LeakSanitizer). */
#include "ctl/client.h"
#include "descriptors.h"
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[FOLDER_BYTES], path[FOLDER_BYTES + 8];
static int listener, daemon_end;
static struct client *client;

static int set_up(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int new_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    folder_make(folder);
    (void)snprintf(path, sizeof(path), "%s/c", folder);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    listener = fcntl(new_listener, F_DUPFD_CLOEXEC, 20); /* so that a client gets 0 */
    (void)close(new_listener);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 4), 0);
    daemon_end = -1;
    return 0;
}

static void connect_client(void)
{
    assert_int_equal(client_new(path, &client), 0);
    daemon_end = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(daemon_end >= 0);
}

static int tear_down(void **state)
{
    (void)state;
    client = client_free(client);
    if (daemon_end >= 0)
        (void)close(daemon_end);
    (void)close(listener);
    folder_remove(folder);
    return 0;
}

/* With its NUL, unless @p size is given. */
static void say(const char *text, size_t size)
{
    size = size ? size : strlen(text) + 1;
    assert_int_equal(send(daemon_end, text, size, MSG_NOSIGNAL), size);
}

static void need_reply(int result, const char *text)
{
    struct json_object *reply = NULL;

    assert_int_equal(client_receive(client, 60000, &reply), result);
    assert_string_equal(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN), text);
    json_object_put(reply);
}

static void need_failure(int timeout_ms, int error)
{
    struct json_object *reply = NULL;

    assert_int_equal(client_receive(client, timeout_ms, &reply), error);
    assert_null(reply);
}

static void a_call_is_one_message(void **state)
{
    char heard[256];
    ssize_t size;
    struct json_object *params = json_object_new_object();

    (void)state;
    connect_client();
    assert_int_equal(client_send(client, "List", NULL, false), 0);
    size = recv(daemon_end, heard, sizeof(heard), 0);
    assert_int_equal(size, strlen(heard) + 1);
    assert_non_null(strstr(heard, "\"io.guestlink.List\""));
    assert_null(strstr(heard, "parameters"));
    assert_null(strstr(heard, "more"));
    json_object_object_add(params, "path", json_object_new_string("/a/b"));
    assert_int_equal(client_send(client, "Show", params, true), 0);
    size = recv(daemon_end, heard, sizeof(heard), 0);
    assert_int_equal(size, strlen(heard) + 1);
    assert_non_null(strstr(heard, "\"/a/b\""));
    assert_non_null(strstr(heard, "\"more\""));
    params = json_object_new_object();
    json_object_object_add(params, "argv", json_object_new_string("\xff"));
    assert_int_equal(client_send(client, "Exec", params, false), -EILSEQ);
    assert_non_null(strstr(client_error(client, -EILSEQ), "UTF-8"));
    assert_int_equal(recv(daemon_end, heard, sizeof(heard), MSG_DONTWAIT), -1);
    (void)close(daemon_end);
    daemon_end = -1;
    assert_int_equal(client_send(client, "List", NULL, false), -EPIPE);
}

static void on_signal(int number)
{
    (void)number;
}

#define LARGE 3000000 /* more than a socket holds */

/* Takes a call piece by piece, with a signal before each of the first. @return 0 if it was whole */
static int take_large_call(void)
{
    static char heard[LARGE];
    size_t size = 0;
    char last;

    for (unsigned i = 0;; i++) {
        ssize_t n;

        if (i < 20) {
            (void)usleep(500);
            (void)kill(getppid(), SIGUSR1);
            (void)usleep(500);
        }
        n = recv(daemon_end, heard, i < 20 ? 50000 : sizeof(heard), 0);
        if (n <= 0)
            return 1;
        for (ssize_t k = 0; k < n; k++)
            size += heard[k] == 'x';
        last = heard[n - 1];
        if (last == '\0')
            return size == LARGE ? 0 : 1;
    }
}

/* Its reader takes its time, and signals come. */
static void a_large_call_is_sent_whole(void **state)
{
    const struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;
    struct json_object *params = json_object_new_object();
    char *large = malloc(LARGE + 1);
    int status = -1;
    pid_t pid;

    (void)state;
    assert_non_null(large);
    connect_client();
    memset(large, 'x', LARGE);
    large[LARGE] = '\0';
    json_object_object_add(params, "a", json_object_new_string(large));
    free(large);
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(take_large_call());
    }
    assert_int_equal(client_send(client, "List", params, CLIENT_ONE), 0);
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    assert_int_equal(status, 0);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
}

/* The call says which one it wants. */
static void an_answer_is_one_or_more_or_an_upgrade(void **state)
{
    static const struct {
        enum client_answer answer;
        bool more, upgrade;
    } rows[] = {
        {CLIENT_ONE, false, false}, {CLIENT_MORE, true, false}, {CLIENT_UPGRADE, false, true}};

    (void)state;
    connect_client();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char heard[256];
        struct json_object *call;

        assert_int_equal(client_send(client, "Show", json_object_new_object(), rows[i].answer), 0);
        assert_true(recv(daemon_end, heard, sizeof(heard), 0) > 0);
        call = json_tokener_parse(heard);
        assert_int_equal(json_object_get_boolean(json_object_object_get(call, "more")),
                         rows[i].more);
        assert_int_equal(json_object_get_boolean(json_object_object_get(call, "upgrade")),
                         rows[i].upgrade);
        assert_int_equal(json_object_object_length(call), rows[i].more || rows[i].upgrade ? 3 : 2);
        json_object_put(call);
    }
}

/* They are no reply's, and are taken once. */
static void bytes_behind_an_upgrade_are_left_as_they_are(void **state)
{
    static const char said[] = "{}\0a\0b";
    char rest[8] = "......";

    (void)state;
    connect_client();
    assert_int_equal(client_take_rest(client, rest, sizeof(rest)), 0);
    for (size_t capacity = 2; capacity <= 4; capacity++) {
        size_t taken = capacity < 3 ? capacity : 3;

        say(said, sizeof(said) - 1);
        need_reply(1, "{}");
        memset(rest, '.', sizeof(rest));
        assert_int_equal(client_take_rest(client, rest, capacity), taken);
        assert_memory_equal(rest, "a\0b", taken);
        assert_int_equal(rest[taken], '.');
        assert_int_equal(client_take_rest(client, rest, capacity), 0);
        need_failure(0, -EAGAIN);
    }
    assert_int_equal(send(client_fd(client), "x", 1, MSG_NOSIGNAL), 1); /* it is the connection */
    assert_int_equal(recv(daemon_end, rest, sizeof(rest), 0), 1);
}

/* The client waits as long as its time limit says, also while signals interrupt it. */
static void a_late_reply_is_waited_for(void **state)
{
    static const int timeouts[] = {60000, -1};
    const struct sigaction action = {.sa_handler = on_signal};
    struct sigaction before;

    (void)state;
    connect_client();
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
        struct json_object *reply = NULL;
        pid_t pid = fork();

        if (pid == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (int k = 0; k < 20; k++) {
                (void)usleep(1000);
                (void)kill(getppid(), SIGUSR1);
            }
            (void)send(daemon_end, "{}", 3, MSG_NOSIGNAL);
            _exit(0);
        }
        assert_int_equal(client_receive(client, timeouts[i], &reply), 1);
        json_object_put(reply);
        while (waitpid(pid, NULL, 0) < 0)
            assert_int_equal(errno, EINTR);
    }
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
}

static void replies_come_in_parts_and_together(void **state)
{
    static const char many[] =
        "{\"parameters\":{\"a\":2},\"continues\":true}\0{\"continues\":true}\0{}";
    char *large = malloc(300000);
    int size;

    (void)state;
    connect_client();
    need_failure(0, -EAGAIN);
    say("{\"parameters\":", 14);
    need_failure(0, -EAGAIN);
    need_failure(20, -ETIMEDOUT);
    say("{\"a\":1}}", 0);
    need_reply(1, "{\"a\":1}");
    say(many, sizeof(many) - 1);
    need_reply(0, "{\"a\":2}");
    need_reply(0, "{}");
    need_failure(0, -EAGAIN); /* the last one's NUL is missing */
    say("", 1);
    need_reply(1, "{}");
    size = snprintf(large, 300000, "{\"parameters\":{\"a\":\"%0200000d\"}}", 7);
    assert_int_equal(send(daemon_end, large, (size_t)size / 2, 0), size / 2);
    need_failure(0, -EAGAIN);
    assert_int_equal(send(daemon_end, large + size / 2, (size_t)(size - size / 2) + 1, 0),
                     size - size / 2 + 1);
    large[size - 1] = '\0';
    need_reply(1, large + strlen("{\"parameters\":"));
    free(large);
}

static void what_is_no_reply_is_told(void **state)
{
    static const char *const foreign[] = {"", "nonsense", "[]", "7", "{\"parameters\""};

    (void)state;
    connect_client();
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        say(foreign[i], 0);
        need_failure(60000, -EPROTO);
    }
    say("{}", 0);
    need_reply(1, "{}");
    say("{", 1);
    (void)close(daemon_end);
    daemon_end = -1;
    need_failure(60000, -ECONNRESET);
    assert_string_equal(client_error(client, -ECONNRESET), client_error(client, -EPIPE));
    assert_string_equal(client_error(client, -EIO), strerror(EIO));
    assert_string_not_equal(client_error(client, -ETIMEDOUT), strerror(ETIMEDOUT));
    assert_string_not_equal(client_error(client, -EPROTO), strerror(EPROTO));
}

static void errors_are_sentences_with_what_they_are_about(void **state)
{
    static const struct {
        const char *name, *key, *begins, *has;
    } rows[] = {
        {"io.guestlink.NoSuchVm", "vm", "no VM is called \"x y\"", "list"},
        {"io.guestlink.NotConnected", "vm", "the guest of the VM \"x y\" is not", "show"},
        {"io.guestlink.NoSuchProcess", "process", "the command x y has", ""},
        {"io.guestlink.Refused", "reason", "x y", ""},
        {"io.guestlink.Failed", "reason", "x y", ""},
        {"org.varlink.service.PermissionDenied", "", "permission denied; ", "group guestlink"},
        {"org.varlink.service.InvalidParameter", "parameter", "", "parameter \"x y\""},
        {"org.varlink.service.MethodNotFound", "method", "the daemon has no method x y;", ""},
        {"org.example.Other", "reason", "the daemon answered org.example.Other", ""},
    };

    (void)state;
    connect_client();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[256];
        const char *said;

        (void)snprintf(text, sizeof(text), "{\"error\":\"%s\",\"parameters\":{\"%s\":\"x y\"}}",
                       rows[i].name, rows[i].key[0] ? rows[i].key : "other");
        say(text, 0);
        need_failure(60000, -EREMOTE);
        said = client_error(client, -EREMOTE);
        if (strncmp(said, rows[i].begins, strlen(rows[i].begins)) != 0 ||
            !strstr(said, rows[i].has))
            fail_msg("%s: %s", rows[i].name, said);
    }
    say("{\"error\":\"io.guestlink.Refused\"}", 0);
    need_failure(60000, -EREMOTE);
    assert_string_equal(client_error(client, -EREMOTE), "");
}

/* What client_new() says on stderr when it fails. */
static const char *complaint(const char *where)
{
    static char text[1024];
    int saved = dup(STDERR_FILENO), ends[2];
    struct client *none = NULL;
    ssize_t n;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    (void)dup2(ends[1], STDERR_FILENO);
    assert_int_equal(client_new(where, &none), 1);
    (void)dup2(saved, STDERR_FILENO);
    assert_null(none);
    n = read(ends[0], text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    (void)close(saved);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return text;
}

/* Each with what helps. */
static void who_cannot_reach_the_daemon_is_told_why(void **state)
{
    uid_t user = geteuid();
    const char *said;

    (void)state;
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(path, 0), 0);
    if (user == 0)
        assert_int_equal(seteuid(65534), 0);
    said = complaint(path);
    assert_int_equal(seteuid(user), 0);
    assert_non_null(strstr(said, "Permission denied; nothing was done"));
    assert_non_null(strstr(said, "usermod"));
    assert_null(strstr(said, "--socket"));
    (void)unlink(path);
    said = complaint(path);
    assert_non_null(strstr(said, path));
    assert_non_null(strstr(said, "No such file or directory; nothing was done"));
    assert_non_null(strstr(said, "--socket"));
    assert_null(strstr(said, "usermod"));
}

/* A daemon that takes one call, answers with that, and ends. */
static pid_t answer(const char *text)
{
    char heard[256];
    pid_t pid = fork();
    int fd;

    if (pid != 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (recv(fd, heard, sizeof(heard), 0) > 0 && text)
        (void)send(fd, text, strlen(text) + 1, MSG_NOSIGNAL);
    _exit(0);
}

static void who_asks_in_passing_gets_a_whole_answer_or_none(void **state)
{
    static const struct {
        const char *said, *reply; /* NULL: none */
    } rows[] = {{"{\"parameters\":{\"a\":1}}", "{\"a\":1}"},
                {"{}", "{}"},
                {"{\"parameters\":{\"a\":1},\"continues\":true}", NULL},
                {"{\"error\":\"io.guestlink.Refused\",\"parameters\":{}}", NULL},
                {"nonsense", NULL},
                {NULL, NULL}};
    char long_path[200];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pid_t pid = answer(rows[i].said);
        struct json_object *reply = client_ask(path, "Show", json_object_new_object());

        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(reply != NULL, rows[i].reply != NULL);
        if (reply)
            assert_string_equal(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN),
                                rows[i].reply);
        json_object_put(reply);
    }
    (void)unlink(path);
    assert_null(client_ask(path, "Show", json_object_new_object()));
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    assert_null(client_ask(long_path, "Show", json_object_new_object()));
    assert_int_equal(client_new(long_path, &client), 1);
    assert_int_equal(client_new(path, &client), 1);
    assert_null(client);
}

static void a_call_has_one_reply(void **state)
{
    static const struct {
        const char *said;
        int status;
    } rows[] = {{"{\"parameters\":{\"a\":1}}", 0},
                {"{\"error\":\"io.guestlink.Refused\",\"parameters\":{\"reason\":\"it\"}}", 1},
                {NULL, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pid_t pid = answer(rows[i].said);
        struct json_object *reply = NULL;

        assert_int_equal(client_new(path, &client), 0);
        assert_int_equal(client_call(client, "Show", NULL, 60000, &reply), rows[i].status);
        assert_int_equal(reply != NULL, rows[i].status == 0);
        json_object_put(reply);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        client = client_free(client);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_one_message),
        TEST(a_large_call_is_sent_whole),
        TEST(an_answer_is_one_or_more_or_an_upgrade),
        TEST(bytes_behind_an_upgrade_are_left_as_they_are),
        TEST(a_late_reply_is_waited_for),
        TEST(who_cannot_reach_the_daemon_is_told_why),
        TEST(replies_come_in_parts_and_together),
        TEST(what_is_no_reply_is_told),
        TEST(errors_are_sentences_with_what_they_are_about),
        TEST(who_asks_in_passing_gets_a_whole_answer_or_none),
        TEST(a_call_has_one_reply),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
