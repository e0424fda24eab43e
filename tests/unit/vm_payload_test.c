/* hostd payload: what the guest is asked to start, when, and what each answer makes of it. */
#include "base/limits.h"
#include "telemetry/telemetry.h"
#include "vm/payload.h"
#include "vm/vm_parts.h"
#include "vm_support.h"

#include "protocol/event.h"
#include "protocol/request.h"
#include "protocol/result.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define POOL UINT64_C(67108864)

/* A guest is there, and its payload was not asked for yet. */
static int set_up_before(void **state)
{
    int r = set_up(state);
    struct fixture *f = *state;

    if (r < 0)
        return r;
    connect_guest(f, POOL);
    payload_reset(f->vm);
    f->vm->boot.payload_started = false;
    return 0;
}

static struct config_payload *config_of(struct fixture *f)
{
    return &f->settings->config->vms[0].payload;
}

/* Asks for the payload. @return the guest's request, good until the next one */
static struct request_start_process ask(struct fixture *f, uint32_t *ret_id)
{
    static uint8_t bytes[4096];
    struct request_start_process request;
    struct frame frame;
    size_t size;
    ssize_t n;

    payload_start(f->vm);
    assert_int_equal(f->vm->payload.state, VM_PAYLOAD_WAITING);
    run(f);
    n = recv(f->guest, bytes, sizeof(bytes), MSG_DONTWAIT);
    assert_true(n > 0);
    assert_int_equal(frame_decode(bytes, (size_t)n, &frame, &size), 0);
    assert_int_equal(frame.type, FRAME_START_PROCESS);
    assert_int_equal(request_start_process_unpack(frame.payload, frame.length, &request), 0);
    *ret_id = frame.id;
    return request;
}

static void answer_id(struct fixture *f, uint32_t id, int error)
{
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    result_pack(&writer, &(struct result){.error = error, .text = wire_text_of("words")});
    say(f, FRAME_RESULT, FRAME_FLAG_ANSWER, id, payload, writer.size);
    run(f);
}

static void answer(struct fixture *f, int error)
{
    uint32_t id;

    (void)ask(f, &id);
    answer_id(f, id, error);
}

static uint64_t starts(const struct fixture *f)
{
    return telemetry_count(f->services.telemetry, TELEMETRY_START_PAYLOAD);
}

static void it_is_asked_for_as_it_is_configured(void **state)
{
    static const uint16_t restarts[][2] = {{CONFIG_RESTART_NEVER, REQUEST_RESTART_NEVER},
                                           {CONFIG_RESTART_ON_FAILURE, REQUEST_RESTART_ON_FAILURE},
                                           {CONFIG_RESTART_ALWAYS, REQUEST_RESTART_ALWAYS}};
    struct fixture *f = *state;
    struct config_payload *config = config_of(f);
    struct request_start_process request;
    uint32_t id;

    request = ask(f, &id);
    assert_int_equal(request.process, LIMITS_PAYLOAD_PROCESS);
    assert_int_equal(request.role, REQUEST_ROLE_PAYLOAD);
    assert_int_equal(request.restart, REQUEST_RESTART_NEVER);
    assert_int_equal(request.uid, 0);
    assert_int_equal(request.directory.size, 0);
    assert_int_equal(request.argv.count, 1);
    assert_int_equal(request.environment.count, 0);
    config->uid = 7;
    config->gid = 8;
    for (size_t i = 0; i < sizeof(restarts) / sizeof(restarts[0]); i++) {
        config->restart = (enum config_restart)restarts[i][0];
        config->output = i == 1;
        config->terminal = i == 2;
        request = ask(f, &id);
        assert_int_equal(request.restart, restarts[i][1]);
        assert_int_equal(request.flags, i == 1   ? REQUEST_PROCESS_OUTPUT
                                        : i == 2 ? REQUEST_PROCESS_TERMINAL
                                                 : 0);
        assert_int_equal(request.uid, 7);
        assert_int_equal(request.gid, 8);
    }
}

static void it_is_asked_for_once_in_a_boot_if_there_is_one(void **state)
{
    struct fixture *f = *state;
    struct config_strings *argv = &config_of(f)->argv;
    size_t count = argv->count;

    f->vm->boot.payload_started = true;
    payload_start(f->vm);
    assert_int_equal(f->vm->payload.state, VM_PAYLOAD_NONE);
    f->vm->boot.payload_started = false;
    argv->count = 0;
    payload_start(f->vm);
    assert_int_equal(f->vm->payload.state, VM_PAYLOAD_NONE);
    argv->count = count;
}

static void each_answer_is_kept_and_told(void **state)
{
    static const struct {
        int error;
        enum vm_payload_state state;
        uint32_t status;
        unsigned told, timeouts;
    } cases[] = {
        {0, VM_PAYLOAD_RUNNING, 0, 1, 0},
        {EALREADY, VM_PAYLOAD_RUNNING, 0, 0, 0}, /* told by who started it */
        {ENOENT, VM_PAYLOAD_FAILED, 127, 1, 0},
        {EACCES, VM_PAYLOAD_FAILED, 126, 1, 0},
        {ELOOP, VM_PAYLOAD_FAILED, 126, 1, 0},
        {ETIMEDOUT, VM_PAYLOAD_FAILED, 255, 1, 1},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t told = starts(f);
        uint64_t timeouts = telemetry_count(f->services.telemetry, TELEMETRY_GUEST_TIMEOUT);

        payload_reset(f->vm);
        f->vm->boot.payload_started = false;
        answer(f, cases[i].error);
        assert_int_equal(f->vm->payload.state, cases[i].state);
        assert_int_equal(f->vm->payload.status, cases[i].status == 255
                                                    ? payload_status_of_error(ETIMEDOUT)
                                                    : cases[i].status);
        if (cases[i].state == VM_PAYLOAD_FAILED)
            assert_string_equal(f->vm->payload.error, "words");
        else
            assert_null(f->vm->payload.error);
        assert_true(f->vm->boot.payload_started);
        assert_int_equal(starts(f), told + cases[i].told);
        assert_int_equal(telemetry_count(f->services.telemetry, TELEMETRY_GUEST_TIMEOUT),
                         timeouts + cases[i].timeouts);
    }
}

/* By a reload, while the guest starts it. */
static void one_that_is_configured_no_more_is_told_without_a_name(void **state)
{
    static const int errors[] = {0, ENOENT, ETIMEDOUT};
    struct fixture *f = *state;
    struct settings *next = configure(f, "\"shares\": []");

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        uint64_t told = starts(f);
        char text[2048];
        uint32_t id;
        FILE *file;
        int saved;

        payload_reset(f->vm);
        f->vm->boot.payload_started = false;
        vm_rebase(f->vm, f->settings, &f->settings->config->vms[0]);
        (void)ask(f, &id);
        vm_rebase(f->vm, next, &next->config->vms[0]);
        file = capture_stderr(&saved);
        answer_id(f, id, errors[i]);
        assert_non_null(strstr(captured(file, saved, text, sizeof(text)),
                               "the payload (removed from the configuration)"));
        assert_int_equal(starts(f), told + 1);
    }
    (void)settings_unref(next);
}

static void a_guest_that_leaves_meanwhile_is_asked_again(void **state)
{
    struct fixture *f = *state;
    uint64_t told = starts(f);
    uint32_t id;

    (void)ask(f, &id);
    (void)close(f->guest);
    f->guest = -1;
    run(f);
    assert_int_equal(f->vm->payload.state, VM_PAYLOAD_NONE);
    assert_false(f->vm->boot.payload_started);
    assert_int_equal(starts(f), told);
    payload_start(f->vm); /* nobody is there */
    assert_int_equal(f->vm->payload.state, VM_PAYLOAD_FAILED);
    assert_int_equal(starts(f), told + 1);
    payload_reset(f->vm);
    connect_guest(f, POOL);
    assert_int_equal(f->asked[FRAME_START_PROCESS], 1);
    assert_int_equal(f->vm->payload.state, VM_PAYLOAD_RUNNING);
}

static void its_end_is_kept(void **state)
{
    struct fixture *f = *state;
    struct event_child_exited exited = {
        .status = 143, .signal = 15, .restarts = 2, .again_ms = EVENT_NOT_AGAIN};

    payload_exited(f->vm, &exited);
    assert_int_equal(f->vm->payload.state, VM_PAYLOAD_EXITED);
    assert_int_equal(f->vm->payload.status, 143);
    assert_int_equal(f->vm->payload.signal, 15);
    assert_int_equal(f->vm->payload.restarts, 2);
    exited.again_ms = 0;
    payload_exited(f->vm, &exited);
    assert_int_equal(f->vm->payload.state, VM_PAYLOAD_RUNNING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_before, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_asked_for_as_it_is_configured),
        TEST(it_is_asked_for_once_in_a_boot_if_there_is_one),
        TEST(each_answer_is_kept_and_told),
        TEST(one_that_is_configured_no_more_is_told_without_a_name),
        TEST(a_guest_that_leaves_meanwhile_is_asked_again),
        TEST(its_end_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
