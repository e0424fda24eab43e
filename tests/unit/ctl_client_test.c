/* guestlinkctl's client: calls and replies, whole, in parts and one behind the other, and what is
 * said of a daemon that refuses, speaks otherwise or ends. Nothing of a reply is left
 * (LeakSanitizer). */
#include "ctl/client.h"
#include "descriptors.h"
#include "folder.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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

    (void)state;
    folder_make(folder);
    (void)snprintf(path, sizeof(path), "%s/c", folder);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
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
        TEST(replies_come_in_parts_and_together),
        TEST(what_is_no_reply_is_told),
        TEST(errors_are_sentences_with_what_they_are_about),
        TEST(who_asks_in_passing_gets_a_whole_answer_or_none),
        TEST(a_call_has_one_reply),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
