/* inside: what guestlinkctl's exec is given for a request, and what its end means. The exec, the
 * daemon and the supervisor are the test's (CMakeLists.txt). */
#include "once/inside.h"

#include "ctl/client.h"
#include "ctl/command.h"
#include "once/ready.h"
#include "once/supervisor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What is done, and what comes of it. */
static struct {
    int exec_status, event; /* command_exec()'s, supervisor_wait()'s */
    unsigned execs, waits, tells, asks;
    struct options options;
    char socket[FOLDER_SIZE + 32], words[1024];
    int timeout_ms, told;
    char method[32], params[256];
} played;

int __wrap_command_exec(const struct options *options, char **words);
int __wrap_command_exec(const struct options *options, char **words)
{
    played.execs++;
    played.options = *options;
    (void)snprintf(played.socket, sizeof(played.socket), "%s", options->socket);
    played.words[0] = '\0';
    for (size_t size = 0; *words; words++)
        size += (size_t)snprintf(played.words + size, sizeof(played.words) - size, "%s|", *words);
    return played.exec_status;
}

int __wrap_supervisor_wait(struct supervisor *supervisor, int timeout_ms);
int __wrap_supervisor_wait(struct supervisor *supervisor, int timeout_ms)
{
    (void)supervisor;
    played.waits++;
    played.timeout_ms = timeout_ms;
    return played.event;
}

int __wrap_ready_tell_end(const struct plan *plan, int event);
int __wrap_ready_tell_end(const struct plan *plan, int event)
{
    (void)plan;
    played.tells++;
    played.told = event;
    return event == SUPERVISOR_TIMED_OUT ? READY_TIMED_OUT : READY_NOT_STARTED;
}

struct json_object *__wrap_client_ask(const char *socket, const char *method,
                                      struct json_object *params);
struct json_object *__wrap_client_ask(const char *socket, const char *method,
                                      struct json_object *params)
{
    assert_int_equal(played.waits, 0); /* its answer comes first */
    played.asks++;
    (void)snprintf(played.socket, sizeof(played.socket), "%s", socket);
    (void)snprintf(played.method, sizeof(played.method), "%s", method);
    (void)snprintf(played.params, sizeof(played.params), "%s",
                   json_object_to_json_string_ext(params, JSON_C_TO_STRING_PLAIN));
    json_object_put(params);
    return json_object_new_object();
}

/* Of the greatest length. */
static char folder[FOLDER_SIZE], socket_path[FOLDER_SIZE + 32];

static void fill(struct plan *plan)
{
    memset(folder, 'f', sizeof(folder) - 1);
    folder[0] = '/';
    memcpy(plan->folder, folder, sizeof(folder));
    (void)snprintf(socket_path, sizeof(socket_path), "%s/" FOLDER_CONTROL, folder);
}

static char *command[] = {(char *)"echo", (char *)"a", (char *)"b c", NULL};

static int run(struct request request)
{
    struct plan plan = {.request = &request};
    struct supervisor supervisor = {.pid = 1, .lifeline = 11, .events = 12};

    fill(&plan);
    request.argv = command;
    return inside_run(&plan, &supervisor);
}

static int set_up(void **state)
{
    (void)state;
    memset(&played, 0, sizeof(played));
    return 0;
}

static void command_alone_is_its_words(void **state)
{
    (void)state;
    played.exec_status = 7;
    assert_int_equal(run(REQUEST_NULL), 7);
    assert_int_equal(played.execs, 1);
    assert_string_equal(played.words, "guestlink|echo|a|b c|");
    assert_string_equal(played.socket, socket_path);
    assert_int_equal(played.options.given, OPTIONS_NO_INPUT);
    assert_int_equal(played.options.stop, 12);
    assert_int_equal(played.options.uid, 0);
    assert_int_equal(played.options.gid, 0);
    assert_null(played.options.directory);
    assert_int_equal(played.options.environment.count, 0);
    assert_int_equal(played.waits, 0);
    assert_int_equal(played.tells, 0);
}

static void input_and_terminal_are_those_of_the_request(void **state)
{
    struct request request = REQUEST_NULL;

    (void)state;
    request.input = true;
    assert_int_equal(run(request), 0);
    assert_int_equal(played.options.given, OPTIONS_INTERACTIVE);
    request.terminal = true;
    assert_int_equal(run(request), 0);
    assert_int_equal(played.options.given, OPTIONS_INTERACTIVE | OPTIONS_TERMINAL);
}

static void without_a_root_the_daemon_is_told_who_and_where(void **state)
{
    struct request request = REQUEST_NULL;
    char *variables[] = {(char *)"A=b"};

    (void)state;
    request.user = "1000:44";
    request.directory = "/tmp";
    request.environment = (struct config_strings){.items = variables, .count = 1};
    assert_int_equal(run(request), 0);
    assert_string_equal(played.words, "guestlink|echo|a|b c|");
    assert_int_equal(played.options.uid, 1000);
    assert_int_equal(played.options.gid, 44);
    assert_string_equal(played.options.directory, "/tmp");
    assert_int_equal(played.options.environment.count, 1);
    assert_ptr_equal(played.options.environment.items, variables);
}

/* There it is what enters the root that knows its users and folders. */
static void with_a_root_the_command_is_entered(void **state)
{
    struct request request = REQUEST_NULL;

    (void)state;
    request.root = (char *)"/srv/root";
    assert_int_equal(run(request), 0);
    assert_string_equal(played.words,
                        "guestlink|/sbin/guestlink-enter|--overlay|/newroot|echo|a|b c|");

    request.root_rw = true;
    request.user = "1000:44";
    request.directory = "/tmp";
    request.share_count = 2;
    request.shares[0].target = (char *)"/src";
    request.shares[1].target = (char *)"/with blank";
    assert_int_equal(run(request), 0);
    assert_string_equal(played.words,
                        "guestlink|/sbin/guestlink-enter|--bind|/src|--bind|/with blank|--user|"
                        "1000:44|--directory|/tmp|/newroot|echo|a|b c|");
    assert_int_equal(played.options.uid, 0);
    assert_null(played.options.directory);
}

/* 125 is the command's own, or that of a VM that is gone. */
static void status_of_a_vm_that_ended_is_told(void **state)
{
    (void)state;
    played.exec_status = READY_NOT_STARTED;
    assert_int_equal(run(REQUEST_NULL), READY_NOT_STARTED);
    assert_int_equal(played.waits, 1);
    assert_int_equal(played.timeout_ms, 1000);
    assert_int_equal(played.tells, 0);
    played.event = SUPERVISOR_TIMED_OUT;
    assert_int_equal(run(REQUEST_NULL), READY_TIMED_OUT);
    assert_int_equal(played.tells, 1);
    assert_int_equal(played.told, SUPERVISOR_TIMED_OUT);
    played.exec_status = 124;
    assert_int_equal(run(REQUEST_NULL), 124);
    assert_int_equal(played.tells, 1);
}

static void vm_that_runs_is_shut_down(void **state)
{
    const struct request request = REQUEST_NULL;
    struct plan plan = {.request = &request};
    struct supervisor supervisor = {.pid = 1, .lifeline = 11, .events = 12};

    (void)state;
    fill(&plan);
    inside_shut_down(&plan, &supervisor);
    assert_int_equal(played.asks, 1);
    assert_string_equal(played.socket, socket_path);
    assert_string_equal(played.method, "ShutDown");
    assert_string_equal(played.params, "{\"vm\":\"guestlink\",\"grace_ms\":1000}");
    assert_int_equal(played.waits, 1);
    assert_int_equal(played.timeout_ms, 15000);
    supervisor.over = true;
    inside_shut_down(&plan, &supervisor);
    assert_int_equal(played.asks, 1);
    assert_int_equal(played.waits, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(command_alone_is_its_words),
        TEST(input_and_terminal_are_those_of_the_request),
        TEST(without_a_root_the_daemon_is_told_who_and_where),
        TEST(with_a_root_the_command_is_entered),
        TEST(status_of_a_vm_that_ended_is_told),
        TEST(vm_that_runs_is_shut_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
