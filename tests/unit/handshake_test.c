/* hostd handshake: who is served on AF_VSOCK while which QEMU answers, and who makes room for whom.
 * AF_VSOCK itself is not opened: the peer's CID and port are what the listener would say. */
#include "vm_support.h"

#include "base/clock.h"
#include "base/limits.h"
#include "device/device_host.h"
#include "guest/listener.h"
#include "protocol/welcome.h"
#include "vm/vm_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CID      4u
#define PATIENCE 6000u /* turns of 10 ms */
#define CROWD    40u
#define SHARES   2u /* of the fixture's VM */

/* A QMP server that says what QEMU says, no more. */
struct qemu {
    struct sockaddr_un address;
    int listener, connection;
};

static void qemu_start(struct fixture *f, struct qemu *qemu)
{
    *qemu = (struct qemu){.address = {.sun_family = AF_UNIX}, .connection = -1};
    (void)snprintf(qemu->address.sun_path, sizeof(qemu->address.sun_path), "%s/qmp", f->folder);
    qemu->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(
        bind(qemu->listener, (const struct sockaddr *)&qemu->address, sizeof(qemu->address)), 0);
    assert_int_equal(listen(qemu->listener, 1), 0);
}

/* Greets the daemon, and answers its qmp_capabilities. */
static void qemu_answer(struct fixture *f, struct qemu *qemu)
{
    static const char greeting[] = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n";
    char line[256] = "", reply[64];
    const char *id = NULL;

    for (unsigned i = 0; i < PATIENCE && qemu->connection < 0; i++) {
        (void)sd_event_run(f->services.event, 10000);
        qemu->connection = accept4(qemu->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    assert_true(qemu->connection >= 0);
    assert_int_equal(write(qemu->connection, greeting, strlen(greeting)), strlen(greeting));
    for (unsigned i = 0; i < PATIENCE && !id; i++) {
        (void)sd_event_run(f->services.event, 10000);
        if (read(qemu->connection, line, sizeof(line) - 1) > 0)
            id = strstr(line, "\"id\":");
    }
    assert_non_null(id);
    (void)snprintf(reply, sizeof(reply), "{\"return\": {}, \"id\": %ld}\r\n",
                   strtol(id + 5, NULL, 10));
    assert_int_equal(write(qemu->connection, reply, strlen(reply)), strlen(reply));
    for (unsigned i = 0; i < PATIENCE && !device_host_is_up(f->vm->host); i++)
        (void)sd_event_run(f->services.event, 10000);
    assert_true(device_host_is_up(f->vm->host));
}

static void qemu_hang_up(struct qemu *qemu)
{
    if (qemu->connection >= 0)
        (void)close(qemu->connection);
    qemu->connection = -1;
}

static void qemu_end(struct qemu *qemu)
{
    (void)unlink(qemu->address.sun_path);
    (void)close(qemu->listener);
    qemu_hang_up(qemu);
}

/* The fixture's VM as one that its CID names and that QEMU runs, without devices. */
static void be_vm_of_qemu(struct fixture *f)
{
    struct config_vm *config = &f->settings->config->vms[0];

    f->vm = vm_free(f->vm);
    config->cid = CID;
    config->share_count = 0; /* until the end */
    config->device_host.type = CONFIG_DEVICE_HOST_QEMU;
    assert_true(asprintf(&config->device_host.qmp, "%s/qmp", f->folder) > 0);
    assert_int_equal(vm_new(&f->services, f->settings, config, &f->vm), 0);
}

/* @return the guest's end of a connection that the daemon has accepted */
static int call(struct fixture *f, const struct peer *peer)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    handshake_begin(f->handshakes, pair[0], peer, f->vm);
    return pair[1];
}

/* As PID 1 does: a call, and CAPABILITIES at once. It is the fixture's guest from now on. */
static void call_and_greet(struct fixture *f, bool vsock, uint32_t port)
{
    if (f->guest >= 0)
        (void)close(f->guest);
    f->guest = call(f, &(struct peer){.vsock = vsock, .cid = CID, .port = port});
    report(f, 0);
}

/* Runs the daemon until something of it is there for the guest. @return bytes; 0: closed */
static ssize_t wait_words(struct fixture *f, int guest, uint8_t *bytes, size_t capacity)
{
    ssize_t n = -1;

    for (unsigned i = 0; i < PATIENCE && n < 0; i++) {
        (void)sd_event_run(f->services.event, 10000);
        n = recv(guest, bytes, capacity, MSG_DONTWAIT);
    }
    return n;
}

static void expect_welcome(struct fixture *f, uint32_t status, const char *name)
{
    uint8_t bytes[4096];
    struct welcome welcome;
    struct frame frame;
    size_t size;
    ssize_t n = wait_words(f, f->guest, bytes, sizeof(bytes));

    assert_true(n > 0);
    assert_int_equal(frame_decode(bytes, (size_t)n, &frame, &size), 0);
    assert_int_equal(frame.type, FRAME_WELCOME);
    assert_int_equal(welcome_unpack(frame.payload, frame.length, &welcome), 0);
    assert_int_equal(welcome.status, status);
    assert_int_equal(welcome.name.size, strlen(name));
    assert_memory_equal(welcome.name.data, name, strlen(name));
}

/* Not a byte, however long the daemon runs. */
static void expect_silence(struct fixture *f)
{
    char byte;

    for (unsigned i = 0; i < 20; i++)
        (void)sd_event_run(f->services.event, 5000);
    assert_int_equal(recv(f->guest, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    assert_null(f->vm->connection);
    assert_false(f->vm->boot.known);
}

static size_t count_in(const char *text, const char *words)
{
    size_t count = 0;

    for (; (text = strstr(text, words)); text++)
        count++;
    return count;
}

/* What the daemon's telemetry file says so far. */
static void read_telemetry(const struct fixture *f, char *text, size_t size)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/t", f->folder);
    file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    (void)fclose(file);
}

static void taker_of_a_cid_gets_nothing_while_its_qemu_is_down(void **state)
{
    struct fixture *f = *state;
    char text[16384];
    uint8_t bytes[64];

    be_vm_of_qemu(f);
    call_and_greet(f, true, 1023);
    expect_silence(f);
    f->settings->config->vms[0].timeouts.capabilities = 20;
    for (unsigned i = 0; i < 3; i++) {
        call_and_greet(f, true, 1023);
        assert_int_equal(wait_words(f, f->guest, bytes, sizeof(bytes)), 0);
        assert_null(f->vm->connection);
    }
    read_telemetry(f, text, sizeof(text));
    assert_int_equal(count_in(text, "\"phase\":\"device-host\""), 1);
    assert_int_equal(count_in(text, "HandshakeTimeout"), 1);
    assert_int_equal(count_in(text, "GuestConnected"), 0);
}

static void guest_is_held_until_its_qemu_answers(void **state)
{
    struct fixture *f = *state;
    struct qemu qemu;
    uint8_t byte;
    int given_up;

    be_vm_of_qemu(f);
    given_up = call(f, &(struct peer){.vsock = true, .cid = CID, .port = 1022});
    call_and_greet(f, true, 1023);
    expect_silence(f);
    qemu_start(f, &qemu);
    expect_silence(f); /* it listens, and does not answer yet */
    qemu_answer(f, &qemu);
    expect_welcome(f, WELCOME_ACCEPTED, "dev");
    assert_int_equal(wait_words(f, given_up, &byte, 1), 0);
    (void)close(given_up);
    qemu_end(&qemu);
}

static void end_of_qemu_is_the_end_for_whoever_has_its_cid(void **state)
{
    struct fixture *f = *state;
    struct qemu qemu;

    be_vm_of_qemu(f);
    qemu_start(f, &qemu);
    qemu_answer(f, &qemu);
    call_and_greet(f, true, 1023);
    expect_welcome(f, WELCOME_ACCEPTED, "dev");
    qemu_end(&qemu);
    for (unsigned i = 0; i < PATIENCE && f->vm->connection; i++)
        (void)sd_event_run(f->services.event, 10000);
    assert_null(f->vm->connection);
    f->vm->boot.known = false; /* expect_silence(): none is begun */
    call_and_greet(f, true, 1023);
    expect_silence(f);
}

/* Between its accept and its greeting QEMU may end. */
static void greeting_that_comes_after_the_end_of_qemu_is_not_answered(void **state)
{
    struct fixture *f = *state;
    struct qemu qemu;
    uint8_t byte;

    be_vm_of_qemu(f);
    qemu_start(f, &qemu);
    qemu_answer(f, &qemu);
    f->guest = call(f, &(struct peer){.vsock = true, .cid = CID, .port = 1023});
    qemu_end(&qemu);
    for (unsigned i = 0; i < PATIENCE && device_host_is_up(f->vm->host); i++)
        (void)sd_event_run(f->services.event, 10000);
    report(f, 0);
    assert_int_equal(wait_words(f, f->guest, &byte, 1), 0);
    assert_false(f->vm->boot.known);
}

static void guest_lives_on_while_qmp_is_connected_anew(void **state)
{
    struct fixture *f = *state;
    struct qemu qemu;

    be_vm_of_qemu(f);
    qemu_start(f, &qemu);
    qemu_answer(f, &qemu);
    call_and_greet(f, true, 1023);
    expect_welcome(f, WELCOME_ACCEPTED, "dev");
    qemu_hang_up(&qemu);
    for (unsigned i = 0; i < PATIENCE && device_host_is_up(f->vm->host); i++)
        (void)sd_event_run(f->services.event, 10000);
    qemu_answer(f, &qemu);
    settle(f);
    assert_non_null(f->vm->connection);
    qemu_end(&qemu);
}

static void hybrid_socket_is_guarded_by_its_mode(void **state)
{
    struct fixture *f = *state;

    be_vm_of_qemu(f);
    call_and_greet(f, false, 0);
    expect_welcome(f, WELCOME_ACCEPTED, "dev");
}

static void unprivileged_port_is_not_told_whose_cid_it_has(void **state)
{
    struct fixture *f = *state;

    be_vm_of_qemu(f);
    call_and_greet(f, true, 1024);
    expect_welcome(f, WELCOME_UNPRIVILEGED, "");
}

/* @p how many bytes of a frame each of them says */
static void crowd(struct fixture *f, int *guests, size_t how_many)
{
    static const uint8_t begun[] = {'G', 'L', 'N', 'K', 1, 0, 0, 0};

    for (size_t i = 0; i < CROWD; i++) {
        guests[i] = call(f, &(struct peer){.vsock = false});
        assert_int_equal(send(guests[i], begun, how_many, MSG_NOSIGNAL), how_many);
    }
}

static void disperse(int *guests)
{
    for (size_t i = 0; i < CROWD; i++)
        (void)close(guests[i]);
}

static void silent_connections_keep_no_guest_out(void **state)
{
    struct fixture *f = *state;
    int guests[CROWD];

    f->settings->config->limits.connections_per_vm = 4;
    for (size_t said = 0; said <= 8; said += 4) {
        crowd(f, guests, said);
        assert_int_equal(f->services.counters.open, 4);
        call_and_greet(f, false, 0);
        expect_welcome(f, WELCOME_ACCEPTED, "dev");
        disperse(guests);
        settle(f);
    }
}

/* The end of its old connection may never come. */
static void guest_that_is_back_replaces_itself_whatever_the_limit(void **state)
{
    struct fixture *f = *state;
    int old;

    f->settings->config->limits.connections_per_vm = 1;
    call_and_greet(f, false, 0);
    expect_welcome(f, WELCOME_ACCEPTED, "dev");
    old = f->guest;
    f->guest = -1; /* it is not closed */
    call_and_greet(f, false, 0);
    expect_welcome(f, WELCOME_ACCEPTED, "dev");
    assert_int_equal(f->services.counters.accepted, 2);
    (void)close(old);
}

/* The crowd calls before the daemon had a moment to read. */
static void guest_that_has_spoken_is_heard_before_it_makes_room(void **state)
{
    struct fixture *f = *state;
    int guests[CROWD];

    f->settings->config->limits.connections_per_vm = 4;
    call_and_greet(f, false, 0);
    crowd(f, guests, 4);
    expect_welcome(f, WELCOME_ACCEPTED, "dev");
    assert_int_equal(f->services.counters.accepted, 1);
    disperse(guests);
    settle(f);
    assert_non_null(f->vm->connection);
}

/* One that says nonsense is left a moment to read why: that is no place for life either. */
static void refused_connections_keep_no_guest_out(void **state)
{
    struct fixture *f = *state;
    int guests[CROWD];
    uint8_t bytes[64];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    size_t start = frame_begin(&writer, FRAME_CAPABILITIES, 0, 1);

    wire_put_u32(&writer, 8);
    wire_put_u32(&writer, 2); /* another major */
    assert_int_equal(frame_end(&writer, start), 0);
    f->settings->config->limits.connections_per_vm = 4;
    for (size_t i = 0; i < CROWD; i++) {
        guests[i] = call(f, &(struct peer){.vsock = false});
        assert_int_equal(send(guests[i], bytes, writer.size, MSG_NOSIGNAL), writer.size);
        run(f);
    }
    call_and_greet(f, false, 0);
    expect_welcome(f, WELCOME_ACCEPTED, "dev");
    disperse(guests);
    settle(f);
}

static void guests_of_one_vm_do_not_use_up_what_all_have(void **state)
{
    struct fixture *f = *state;
    struct vm *loud = f->vm;
    struct vm *quiet = NULL;
    int guests[CROWD], one;
    uint8_t byte;

    f->settings->config->limits.connections_per_vm = 64;
    f->settings->config->limits.connections = 8;
    assert_int_equal(vm_new(&f->services, f->settings, &f->settings->config->vms[0], &quiet), 0);
    f->vm = quiet;
    one = call(f, &(struct peer){.vsock = false});
    f->vm = loud;
    crowd(f, guests, 0);
    assert_int_equal(f->services.counters.open, 8);
    f->vm = quiet;
    call_and_greet(f, false, 0);
    expect_welcome(f, WELCOME_ACCEPTED, "dev");
    /* nor was the other one of that VM taken for them */
    assert_int_equal(recv(one, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    (void)close(one);
    disperse(guests);
    settle(f);
    handshakes_forget(f->handshakes, quiet);
    f->vm = loud;
    (void)vm_free(quiet);
}

/* However a caller ends that was not served, its connection is closed and its place is free. */
static void caller_that_ends_leaves_nothing(void **state)
{
    static const uint8_t begun[] = {'G', 'L', 'N', 'K', 1};
    static const uint8_t foreign[] = {'H', 'T', 'T', 'P'};
    static const uint8_t large[] = {'G', 'L', 'N', 'K', 1, 0, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0};
    static const struct {
        const uint8_t *bytes;
        size_t size;
        bool hangs_up;
        uint64_t malformed;
    } rows[] = {
        {begun, 0, true, 0},
        {begun, sizeof(begun), true, 0},
        {foreign, sizeof(foreign), false, 1},
        {large, sizeof(large), false, 2},
    };
    struct fixture *f = *state;
    uint8_t byte;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int caller = call(f, &(struct peer){.vsock = false});

        assert_int_equal(f->services.counters.open, 1);
        assert_int_equal(send(caller, rows[i].bytes, rows[i].size, MSG_NOSIGNAL), rows[i].size);
        run(f);
        if (rows[i].hangs_up)
            assert_int_equal(f->services.counters.open, 1);
        else
            assert_int_equal(recv(caller, &byte, 1, MSG_DONTWAIT), 0);
        (void)close(caller);
        run(f);
        assert_int_equal(f->services.counters.open, 0);
        assert_int_equal(f->services.counters.malformed, rows[i].malformed);
        assert_int_equal(vm_handshakes(f->vm)->count, 0);
    }
}

/* Runs the daemon until no connection is open. */
static void wait_for_all_to_close(struct fixture *f)
{
    for (unsigned i = 0; i < PATIENCE && f->services.counters.open > 0; i++)
        (void)sd_event_run(f->services.event, 10000);
    assert_int_equal(f->services.counters.open, 0);
    assert_int_equal(vm_count_connection(f->vm, 0), 0);
    assert_int_equal(vm_handshakes(f->vm)->count, 0);
}

/* A VM's has its VM's time, a stranger the daemon's; each from its own begin. */
static void caller_that_says_nothing_is_closed_in_time(void **state)
{
    struct fixture *f = *state;
    struct config *config = f->settings->config;
    uint64_t begin_us = clock_now_us();
    char text[16384];
    int guests[2], stranger[2];

    config->vms[0].timeouts.capabilities = 30;
    config->timeouts.capabilities = 60;
    guests[0] = call(f, &(struct peer){.vsock = false});
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stranger), 0);
    handshake_begin(f->handshakes, stranger[0], &(struct peer){.vsock = true, .cid = 77, .port = 1},
                    NULL);
    config->vms[0].timeouts.capabilities = 90;
    guests[1] = call(f, &(struct peer){.vsock = false});
    assert_int_equal(f->services.counters.open, 3);
    assert_int_equal(f->services.counters.connections, 3);
    wait_for_all_to_close(f);
    assert_in_range(clock_now_us() - begin_us, 90000, UINT64_MAX);
    assert_int_equal(f->services.counters.timed_out, 3);
    assert_int_equal(f->services.counters.refused[WELCOME_TOO_MANY], 0);
    read_telemetry(f, text, sizeof(text));
    assert_int_equal(count_in(text, "\"HandshakeTimeout\""), 3);
    (void)close(guests[0]);
    (void)close(guests[1]);
    (void)close(stranger[1]);
}

/* It is left a moment to read why, which is no time that it lets pass. */
static void refused_caller_is_closed_and_not_late(void **state)
{
    struct fixture *f = *state;
    uint64_t begin_us = clock_now_us();
    uint8_t bytes[64];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    size_t start = frame_begin(&writer, FRAME_CAPABILITIES, 0, 1);

    wire_put_u32(&writer, 8);
    wire_put_u32(&writer, 2); /* another major */
    assert_int_equal(frame_end(&writer, start), 0);
    f->guest = call(f, &(struct peer){.vsock = false});
    assert_int_equal(send(f->guest, bytes, writer.size, MSG_NOSIGNAL), writer.size);
    expect_welcome(f, WELCOME_VERSION, "dev");
    wait_for_all_to_close(f);
    assert_in_range(clock_now_us() - begin_us, LIMITS_REFUSAL_LINGER_MS * UINT64_C(1000),
                    UINT64_MAX);
    assert_int_equal(f->services.counters.refused[WELCOME_VERSION], 1);
    assert_int_equal(f->services.counters.timed_out, 0);
    assert_int_equal(f->services.counters.malformed, 0);
}

/* What is no report is no begin. */
static void first_frame_that_is_no_report_ends_it(void **state)
{
    struct fixture *f = *state;
    char text[16384], byte;

    f->guest = call(f, &(struct peer){.vsock = false});
    say(f, FRAME_PING, 0, 1, NULL, 0);
    run(f);
    assert_int_equal(recv(f->guest, &byte, 1, MSG_DONTWAIT), 0);
    assert_int_equal(f->services.counters.malformed, 1);
    read_telemetry(f, text, sizeof(text));
    assert_int_equal(count_in(text, "\"ProtocolError\""), 1);
    assert_int_equal(count_in(text, "\"reason\":\"capabilities-expected\""), 1);
    wait_for_all_to_close(f);
}

/* So many strangers are heard, whatever the limits of guests; one more is closed at once. */
static void strangers_are_bounded_and_keep_no_guest_out(void **state)
{
    static int strangers[LIMITS_REFUSED_IN_ALL + 1];
    const struct peer peer = {.vsock = true, .cid = CID, .port = LIMITS_PRIVILEGED_PORTS};
    struct fixture *f = *state;
    char byte;

    f->settings->config->limits.connections = 1;
    f->settings->config->limits.connections_per_vm = 1;
    for (size_t i = 0; i <= LIMITS_REFUSED_IN_ALL; i++)
        strangers[i] = call(f, &peer);
    for (size_t i = 0; i < LIMITS_REFUSED_IN_ALL; i++)
        assert_int_equal(recv(strangers[i], &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(recv(strangers[LIMITS_REFUSED_IN_ALL], &byte, 1, MSG_DONTWAIT), 0);
    assert_int_equal(f->services.counters.refused[WELCOME_TOO_MANY], 1);
    assert_int_equal(vm_count_connection(f->vm, 0), 0);
    call_and_greet(f, false, 0);
    expect_welcome(f, WELCOME_ACCEPTED, "dev");
    for (size_t i = 0; i <= LIMITS_REFUSED_IN_ALL; i++)
        (void)close(strangers[i]);
    run(f);
    /* their places are free again */
    strangers[0] = call(f, &peer);
    assert_int_equal(recv(strangers[0], &byte, 1, MSG_DONTWAIT), -1);
    (void)close(strangers[0]);
    run(f);
}

/* Those of a VM that leaves are closed; another's are not. */
static void callers_of_a_vm_are_forgotten_with_it(void **state)
{
    struct fixture *f = *state;
    struct vm *stays = f->vm, *leaves = NULL;
    int one, other;
    char byte;

    assert_int_equal(vm_new(&f->services, f->settings, &f->settings->config->vms[0], &leaves), 0);
    one = call(f, &(struct peer){.vsock = false});
    f->vm = leaves;
    other = call(f, &(struct peer){.vsock = false});
    handshakes_forget(f->handshakes, leaves);
    f->vm = stays;
    assert_int_equal(recv(other, &byte, 1, MSG_DONTWAIT), 0);
    assert_int_equal(recv(one, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(vm_count_connection(leaves, 0), 0);
    (void)vm_free(leaves);
    (void)close(one);
    (void)close(other);
    wait_for_all_to_close(f);
}

static int end(void **state)
{
    struct fixture *f = *state;

    f->settings->config->vms[0].share_count = SHARES;
    return tear_down(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(taker_of_a_cid_gets_nothing_while_its_qemu_is_down),
        TEST(guest_is_held_until_its_qemu_answers),
        TEST(end_of_qemu_is_the_end_for_whoever_has_its_cid),
        TEST(greeting_that_comes_after_the_end_of_qemu_is_not_answered),
        TEST(guest_lives_on_while_qmp_is_connected_anew),
        TEST(hybrid_socket_is_guarded_by_its_mode),
        TEST(unprivileged_port_is_not_told_whose_cid_it_has),
        TEST(silent_connections_keep_no_guest_out),
        TEST(guest_that_is_back_replaces_itself_whatever_the_limit),
        TEST(guest_that_has_spoken_is_heard_before_it_makes_room),
        TEST(refused_connections_keep_no_guest_out),
        TEST(guests_of_one_vm_do_not_use_up_what_all_have),
        TEST(caller_that_ends_leaves_nothing),
        TEST(caller_that_says_nothing_is_closed_in_time),
        TEST(refused_caller_is_closed_and_not_late),
        TEST(first_frame_that_is_no_report_ends_it),
        TEST(strangers_are_bounded_and_keep_no_guest_out),
        TEST(callers_of_a_vm_are_forgotten_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
