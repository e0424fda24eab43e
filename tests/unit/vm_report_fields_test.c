/* report: what each event says, member by member, and in which words a person reads it. */
#include "descriptors.h"
#include "vm/report.h"
#include "vm_support.h"

#include "protocol/event.h"
#include "protocol/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

static char events[65536], words[65536];

static void on_line(void *userdata, const char *line, size_t size)
{
    size_t used = strlen(events);

    (void)userdata;
    assert_in_range(used + size + 2, 0, sizeof(events));
    (void)snprintf(events + used, sizeof(events) - used, "%.*s\n", (int)size, line);
}

/* What is reported from here on. */
static FILE *listen_to(int *ret_saved)
{
    events[0] = '\0';
    return capture_stderr(ret_saved);
}

/* The first such event has these members behind those that all have; more may follow. */
static void expect_event(const char *event, const char *members)
{
    char head[64];
    const char *at;

    (void)snprintf(head, sizeof(head), "\"event\":\"%s\"", event);
    at = strstr(events, head);
    at = at == NULL ? NULL : strstr(at, "\"boot_id\":\"");
    if (at == NULL) {
        fail_msg("no %s in %s", event, events);
        return;
    }
    at += strcspn(at, ",");
    if (strncmp(at + 1, members, strlen(members)) != 0)
        fail_msg("%s is%.500s\nnot %s", event, at, members);
}

static void expect_words(const char *wanted)
{
    if (strstr(words, wanted) == NULL)
        fail_msg("\"%s\" is not in %s", wanted, words);
}

/* Runs the calls, with what they say in `events` and `words`. */
#define SAYING(calls)                                                                              \
    do {                                                                                           \
        int saved_;                                                                                \
        FILE *file_ = listen_to(&saved_);                                                          \
                                                                                                   \
        calls;                                                                                     \
        (void)captured(file_, saved_, words, sizeof(words));                                       \
    } while (0)

static void what_ends_in_the_guest(void **state)
{
    const struct event_child_exited payload = {.process = 1,
                                               .role = REQUEST_ROLE_PAYLOAD,
                                               .signal = 9,
                                               .status = 137,
                                               .pid = 30,
                                               .restarts = 4,
                                               .again_ms = 500,
                                               .exited_ns = 6},
                                    command = {.process = 7,
                                               .role = REQUEST_ROLE_COMMAND,
                                               .pid = 31,
                                               .again_ms = EVENT_NOT_AGAIN,
                                               .exited_ns = 8};
    struct fixture *f = *state;

    connect_guest(f, 64u << 20);
    SAYING(report_child_exit(f->vm, &payload));
    expect_event("ChildExit", "\"process\":1,\"role\":\"payload\",\"status\":137,\"signal\":9,"
                              "\"pid\":30,\"restarts\":4,\"again_ms\":500,\"exited_ns\":6");
    expect_words("the payload 1 exited with status 137; restarting it");
    SAYING(report_child_exit(f->vm, &command));
    expect_event("ChildExit", "\"process\":7,\"role\":\"command\",\"status\":0,\"signal\":0,"
                              "\"pid\":31,\"restarts\":0,\"exited_ns\":8");
    expect_words("the command 7 exited with status 0\n");
}

static void what_the_guest_says(void **state)
{
    const struct event_log_record record = {.dropped = 3,
                                            .time_ns = 4,
                                            .level = LOG_NOTICE,
                                            .text = wire_text_of("a\nb")},
                                  odd = {.level = 99, .text = wire_text_of("odd")};
    const struct event_process_output output = {
        .process = 1, .stream = EVENT_STDOUT, .data = wire_text_of("one\ntwo\n\nthree")};
    struct fixture *f = *state;

    connect_guest(f, 64u << 20);
    SAYING(report_guest_log(f->vm, &record));
    expect_event("GuestLog", "\"level\":5,\"time_ns\":4,\"dropped\":3,\"text\":\"a b\"");
    expect_words("guest log: a b\n");
    SAYING(report_guest_log(f->vm, &odd));
    expect_event("GuestLog", "\"level\":99,\"time_ns\":0,\"text\":\"odd\"");
    SAYING(report_output(f->vm, &output));
    expect_words("payload: one\n");
    expect_words("payload: two\n");
    expect_words("payload: \n");
    expect_words("payload: three\n");
    assert_string_equal(events, "");
}

static void how_the_guest_ends(void **state)
{
    static const struct {
        struct event_farewell farewell;
        const char *members, *said;
    } cases[] = {
        {{.how = REQUEST_POWER_OFF, .reason = EVENT_BY_HOST, .killed = 1, .mounted = 2},
         "\"how\":\"power-off\",\"reason\":\"host\",\"killed\":1,\"mounted\":2",
         "power-off, requested by host"},
        {{.how = REQUEST_REBOOT, .reason = EVENT_BY_SIGNAL},
         "\"how\":\"reboot\",\"reason\":\"signal\",\"killed\":0,\"mounted\":0",
         "reboot, requested by signal"},
        {{.how = REQUEST_HALT, .reason = EVENT_BY_HOST_LOSS},
         "\"how\":\"halt\",\"reason\":\"host-loss\",\"killed\":0,\"mounted\":0",
         "halt, requested by host-loss"},
        {{.how = 3, .reason = EVENT_BY_PAYLOAD},
         "\"how\":\"unknown\",\"reason\":\"payload\",\"killed\":0,\"mounted\":0",
         "unknown, requested by payload"},
        {{.how = 65535, .reason = 4},
         "\"how\":\"unknown\",\"reason\":\"unknown\",\"killed\":0,\"mounted\":0",
         "unknown, requested by unknown"},
    };
    struct fixture *f = *state;

    connect_guest(f, 64u << 20);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        SAYING(report_farewell(f->vm, &cases[i].farewell));
        expect_event("GuestFarewell", cases[i].members);
        expect_words(cases[i].said);
    }
    SAYING(report_disconnected(f->vm, "closed", 0));
    expect_event("GuestDisconnected", "\"reason\":\"closed\",\"farewell\":false");
    expect_words("the guest disconnected: closed\n");
    SAYING(report_disconnected(f->vm, "lost", EPIPE));
    expect_event("GuestDisconnected", "\"reason\":\"lost\",\"error\":32,\"farewell\":false");
    expect_words("the guest disconnected: lost: Broken pipe\n");
}

/* A guest is believed no number that its memory cannot hold. */
static void a_full_pool_comes_with_advice(void **state)
{
    const struct event_pool_exhausted
        full = {.count = 5, .used = 31000, .total = 32768, .bytes = 7},
        absurd = {.count = 6, .used = UINT64_MAX, .total = UINT64_MAX - 1, .bytes = UINT64_MAX};
    struct fixture *f = *state;

    connect_guest(f, 64u << 20);
    SAYING(report_pool_exhausted(f->vm, &full));
    expect_event("SwiotlbPoolExhausted",
                 "\"count\":5,\"used\":31000,\"total\":32768,\"bytes\":7,\"advice\":\"set "
                 "\\\"swiotlb\\\" of the VM to \\\"128M\\\" and restart it");
    expect_words("31000 of 32768 slots used, 5 mappings failed so far; set \"swiotlb\"");
    SAYING(report_pool_exhausted(f->vm, &absurd));
    expect_event("SwiotlbPoolExhausted",
                 "\"count\":6,\"used\":1048576,\"total\":1048576,\"bytes\":2147483648,"
                 "\"advice\":\"set \\\"swiotlb\\\" of the VM to \\\"128M\\\" and restart it");
}

static void what_did_not_work(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 64u << 20);
    SAYING(report_payload(f->vm, ENOENT, "why"));
    expect_event("StartPayload", "\"argv0\":\"/bin/true\",\"error\":2,\"text\":\"why\"");
    expect_words("cannot start the payload /bin/true: No such file or directory (why)");
    SAYING(report_payload(f->vm, 0, ""));
    expect_event("StartPayload", "\"argv0\":\"/bin/true\",\"error\":0,\"text\":\"\"");
    expect_words("started the payload /bin/true\n");
    SAYING(report_step_failed(f->vm, "hostname", EINVAL, "too long"));
    expect_words("hostname failed in the guest: Invalid argument: too long; the guest continues");
    SAYING(report_step_failed(f->vm, "entropy", EPERM, ""));
    expect_words("entropy failed in the guest: Operation not permitted; the guest continues");
    SAYING(report_timeout(f->vm, "mount", 30, "share a"));
    expect_event("GuestTimeout", "\"phase\":\"mount\",\"timeout_ms\":30,\"device\":\"share a\"");
    expect_words("phase mount of share a: no answer within 30 ms (timeouts_ms.mount)");
    SAYING(report_timeout(f->vm, "connect", 31, NULL));
    expect_event("GuestTimeout", "\"phase\":\"connect\",\"timeout_ms\":31");
    expect_words("phase connect: no answer within 31 ms");
}

static void a_device_that_failed_is_named_once(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 64u << 20);
    SAYING(report_device_failed(f->vm, "share", "a", "device", EIO, "share a: it broke"));
    expect_event("DeviceFailed", "\"kind\":\"share\",\"device\":\"a\",\"phase\":\"device\","
                                 "\"error\":5,\"text\":\"share a: it broke\"");
    expect_words("share a failed in phase device (Input/output error): it broke; everything else");
    SAYING(report_device_failed(f->vm, "share", "a", "mount", EIO, "Input/output error there"));
    expect_words("share a failed in phase mount: Input/output error there; everything else");
    SAYING(report_device_failed(f->vm, "share", "a", "mount", 99999, ""));
    expect_words("share a failed in phase mount (unknown error); everything else");
    SAYING(report_device_failed(f->vm, "share", "a", "mount", EIO, "share ab: no"));
    expect_words("(Input/output error): share ab: no; everything else");
}

static void the_times_of_a_boot(void **state)
{
    const struct event_ready ready = {.started_ns = 1,
                                      .modules_ns = 2,
                                      .connected_ns = 3,
                                      .sent_ns = 4,
                                      .welcomed_ns = 5,
                                      .mounted_ns = 6,
                                      .network_ns = 7,
                                      .payload_ns = 8,
                                      .ready_ns = 9};
    struct fixture *f = *state;
    uint8_t payload[256];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    connect_guest(f, 64u << 20);
    event_ready_pack(&writer, &ready);
    SAYING((say(f, FRAME_READY, 0, 0, payload, writer.size), settle(f)));
    if (strstr(events, "\"again\":false,\"started_ns\":1,\"modules_ns\":2,\"connected_ns\":3,"
                       "\"sent_ns\":4,\"welcomed_ns\":5,\"mounted_ns\":6,\"network_ns\":7,"
                       "\"payload_ns\":8,\"ready_ns\":9,\"host_accepted_us\":") == NULL)
        fail_msg("%s", events);
    assert_non_null(strstr(events, "\"host_capabilities_ms\":"));
    assert_non_null(strstr(events, "\"host_devices_ms\":"));
    assert_non_null(strstr(events, "\"host_mounts_ms\":"));
    assert_non_null(strstr(events, "\"host_network_ms\":"));
    assert_non_null(strstr(events, "\"host_payload_ms\":"));
    assert_non_null(strstr(events, "\"host_ready_ms\":"));
    expect_words("ms after it connected");
}

static void a_connection_says_who_it_is(void **state)
{
    struct fixture *f = *state;

    SAYING(connect_guest(f, 64u << 20));
    expect_event("GuestConnected", "\"release\":\"6.18.26.3\",\"init_version\":\"test\","
                                   "\"same_boot\":false,\"started_ns\":0,\"sent_ns\":0");
    expect_event("GuestKernelInfo",
                 "\"release\":\"6.18.26.3\",\"version\":6,\"revision\":18,\"minor\":26,"
                 "\"SeccompAvailable\":false,\"HvPciSwiotlbBase\":\"0x14000000\","
                 "\"HvPciSwiotlbSize\":67108864");
    expect_words("the guest connected: Linux 6.18.26.3, guestlink-init test");
    expect_event("ReadGuestCapabilities", "\"features\":\"0x12\",\"HvPciSwiotlbBase\":"
                                          "\"0x14000000\",\"HvPciSwiotlbSize\":67108864");
    expect_event("ApplyGuestCapabilities",
                 "\"features\":\"0x12\",\"HvPciSwiotlbBase\":\"0x14000000\","
                 "\"HvPciSwiotlbSize\":67108864");
    assert_non_null(strstr(events, ",\"token\":\"swiotlb=0x14000000,67108864\""));
    expect_words("devices get the token swiotlb=0x14000000,67108864");
    expect_event("AddVirtioFsShare",
                 "\"path\":\"/usr\",\"options\":\"swiotlb=0x14000000,67108864;vmId=11111111-2222-"
                 "3333-4444-555555555555\",\"tag\":\"a\",\"created\":true,\"shareCount\":1,"
                 "\"share\":\"a\",\"iommu_platform\":false");
    expect_words("share b: /usr is the virtiofs device a that existed already, options ");
    expect_event("MountShare", "\"tag\":\"a\",\"target\":\"/a\",\"transport\":\"virtiofs\","
                               "\"error\":0,\"text\":\"\"");
    expect_words("share a is mounted at /a\n");
    expect_event("StartPayload", "\"argv0\":\"/bin/true\",\"error\":0,\"text\":\"\"");
}

/* Each has a daemon of its own, which is listened to. */
static int listening(void **state)
{
    int r = set_up(state);
    const struct fixture *f = *state;

    if (r == 0)
        assert_true(telemetry_subscribe(f->services.telemetry, on_line, NULL) >= 0);
    return r;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, listening, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_ends_in_the_guest), TEST(what_the_guest_says),
        TEST(how_the_guest_ends),     TEST(a_full_pool_comes_with_advice),
        TEST(what_did_not_work),      TEST(a_device_that_failed_is_named_once),
        TEST(the_times_of_a_boot),    TEST(a_connection_says_who_it_is),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
