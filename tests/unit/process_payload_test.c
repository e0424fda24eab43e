/* payload: what is kept of its request, when it runs, and how it is asked to stop. */
#include "descriptors.h"
#include "init/process/payload.h"
#include "protocol/limits.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LAST (INIT_PROCESSES - 1)

static struct processes processes;
static struct process *const payload = &processes.table[LAST];
static char did[256]; /* the signals in turn */

int __wrap_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number)
{
    size_t used = strlen(did);

    (void)snprintf(did + used, sizeof(did) - used, "%d to %d;", number, (int)pid);
    return 0;
}

static void expect(const char *signals)
{
    assert_string_equal(did, signals);
    did[0] = '\0';
}

/* A payload runs in the last place, behind a command. */
static int set_up(void **state)
{
    (void)state;
    memset(&processes, 0, sizeof(processes));
    processes.cgroups = -1;
    for (size_t i = 0; i < INIT_PROCESSES; i++)
        processes.table[i].owner = &processes;
    processes.table[0].used = true;
    processes.table[0].pid = 1111;
    processes.table[0].role = REQUEST_ROLE_COMMAND;
    payload->used = true;
    payload->pid = 4321;
    payload->role = REQUEST_ROLE_PAYLOAD;
    did[0] = '\0';
    return 0;
}

static void a_payload_exists_also_between_two_runs(void **state)
{
    (void)state;
    assert_true(payload_exists(&processes));
    assert_true(payload_runs(&processes));
    payload->exited = true; /* its streams are still open */
    assert_true(payload_exists(&processes));
    assert_false(payload_runs(&processes));
    payload->exited = false;
    payload->pid = 0; /* waits to be started again */
    assert_true(payload_exists(&processes));
    assert_false(payload_runs(&processes));
    payload->used = false;
    payload->pid = 4321;
    assert_false(payload_exists(&processes));
    assert_false(payload_runs(&processes));
    payload->used = true;
    payload->role = REQUEST_ROLE_COMMAND; /* commands alone */
    assert_false(payload_exists(&processes));
    assert_false(payload_runs(&processes));
}

static bool has(struct wire_list list, const char *first, const char *second)
{
    struct wire_text text;

    for (const char *const *word = (const char *const[]){first, second, NULL}; *word; word++)
        if (!wire_list_next(&list, &text) || text.size != strlen(*word) ||
            memcmp(text.data, *word, text.size) != 0)
            return false;
    return !wire_list_next(&list, &text);
}

static struct wire_list list_of(struct wire_writer *writer, const char *first, const char *second)
{
    struct wire_list list = {.data = writer->data + writer->size, .count = 2};
    size_t start = writer->size;

    wire_put_list_item(writer, wire_text_of(first));
    wire_put_list_item(writer, wire_text_of(second));
    list.size = writer->size - start;
    return list;
}

static void all_of_its_request_is_kept(void **state)
{
    uint8_t bytes[256];
    char directory[] = "/srv/data";
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    struct request_start_process request = {.process = 5, .stop_signal = SIGINT};
    const struct request_start_process *kept = &processes.payload;

    (void)state;
    request.argv = list_of(&writer, "server", "--port=1");
    request.environment = list_of(&writer, "A=b", "C=d");
    request.limits = list_of(&writer, "nofile 1 2", "nproc 3 4");
    request.directory = wire_text_of(directory);
    payload_keep(&processes, &request);
    memset(bytes, 'x', sizeof(bytes)); /* the frame is gone */
    memset(directory, 'x', sizeof(directory) - 1);
    assert_int_equal(kept->process, 5);
    assert_int_equal(kept->stop_signal, SIGINT);
    assert_true(has(kept->argv, "server", "--port=1"));
    assert_true(has(kept->environment, "A=b", "C=d"));
    assert_true(has(kept->limits, "nofile 1 2", "nproc 3 4"));
    assert_int_equal(kept->directory.size, strlen("/srv/data"));
    assert_memory_equal(kept->directory.data, "/srv/data", kept->directory.size);
}

static void a_payload_is_stopped_as_its_request_says(void **state)
{
    static const struct {
        uint16_t signal;
        uint32_t timeout_ms;
        uint32_t flags;
        uint32_t wanted_ms;
        const char *signals;
    } cases[] = {
        {0, 0, 0, 0, ""}, /* with all others */
        {0, 0, REQUEST_PROCESS_TERMINAL, 0, ""},
        {SIGINT, 0, 0, 3000, "2 to -4321;18 to -4321;"},
        {SIGINT, 500, REQUEST_PROCESS_TERMINAL, 500, "2 to -4321;18 to -4321;"},
        {0, 500, 0, 500, "15 to -4321;18 to -4321;"},
        {0, 500, REQUEST_PROCESS_TERMINAL, 500, "15 to -4321;1 to -4321;18 to -4321;"},
        {0, INIT_GRACE_LONGEST_MS, 0, INIT_GRACE_LONGEST_MS, "15 to -4321;18 to -4321;"},
        {0, INIT_GRACE_LONGEST_MS + 1, 0, INIT_GRACE_LONGEST_MS, "15 to -4321;18 to -4321;"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        payload->flags = cases[i].flags;
        processes.payload.stop_signal = cases[i].signal;
        processes.payload.stop_timeout_ms = cases[i].timeout_ms;
        assert_int_equal(payload_stop(&processes, 3000), cases[i].wanted_ms);
        expect(cases[i].signals);
    }
    payload_kill(&processes);
    expect("9 to -4321;");
}

static void one_that_does_not_run_is_not_waited_for(void **state)
{
    (void)state;
    processes.payload.stop_signal = SIGINT;
    processes.payload.stop_timeout_ms = 500;
    payload->exited = true;
    assert_int_equal(payload_stop(&processes, 3000), 0);
    payload_kill(&processes);
    expect("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_payload_exists_also_between_two_runs, set_up),
        cmocka_unit_test_setup(all_of_its_request_is_kept, set_up),
        cmocka_unit_test_setup(a_payload_is_stopped_as_its_request_says, set_up),
        cmocka_unit_test_setup(one_that_does_not_run_is_not_waited_for, set_up),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
