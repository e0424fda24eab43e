/* dispatch_job: which job a request starts and with what, and how its end is answered. The jobs are
 * not started: what would be is the test's (CMakeLists.txt). */
#include "descriptors.h"
#include "init/base/clock.h"
#include "init/base/fd.h"
#include "init/dispatch.h"
#include "init/work/network.h"
#include "init/work/share.h"
#include "kmsg_played.h"
#include "link_support.h"
#include "listed.h"
#include "protocol/request.h"
#include "protocol/result.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct guest guest;
static int host;
static uint8_t payload[16384];
static size_t payload_size;

static struct {
    int starts, adoptions, result;
    bool adopts;
    struct job_order order;
    struct share_order share;
    struct network_order network;
    uint64_t digest;
} seen;

int __wrap_jobs_start(struct jobs *jobs, const struct job_order *order);
int __wrap_jobs_start(struct jobs *jobs, const struct job_order *order)
{
    assert_ptr_equal(jobs, &guest.jobs);
    seen.starts++;
    seen.order = *order;
    if (order->work == network_configure)
        seen.network = *(const struct network_order *)order->argument;
    else
        seen.share = *(const struct share_order *)order->argument;
    return seen.result;
}

bool __wrap_jobs_adopt(struct jobs *jobs, uint64_t digest, uint32_t id, uint32_t generation);
bool __wrap_jobs_adopt(struct jobs *jobs, uint64_t digest, uint32_t id, uint32_t generation)
{
    assert_ptr_equal(jobs, &guest.jobs);
    assert_int_equal(id, 77);
    assert_int_equal(generation, 1);
    seen.adoptions++;
    seen.digest = digest;
    return seen.adopts;
}

static int begin(void **state)
{
    (void)state;
    memset(&guest, 0, sizeof(guest));
    memset(&seen, 0, sizeof(seen));
    seen.result = 4711;
    kmsg_played[0] = '\0';
    assert_int_equal(loop_init(&guest.loop), 0);
    host = link_support_up(&guest.link, &guest.loop);
    cmdline_parse((char[]){""}, &guest.cmdline);
    guest.cmdline.host.cid = 2;
    return 0;
}

static int finish(void **state)
{
    (void)state;
    link_support_down(&guest.link, host);
    (void)fd_close(guest.loop.epoll_fd);
    return 0;
}

/* Hands it over, as the request 77. */
static void send_frame(uint16_t type)
{
    const struct frame frame = {
        .type = type, .id = 77, .payload = payload, .length = (uint32_t)payload_size};

    assert_null(dispatch_frame(&guest, &frame));
}

/* Fails unless that is all that was answered; -1: nothing. */
static void expect_answer(int error, const char *text)
{
    struct result result;
    struct frame frame;

    if (error >= 0) {
        assert_true(link_support_take(host, &frame));
        assert_int_equal(frame.id, 77);
        assert_int_equal(frame.type, FRAME_RESULT);
        assert_int_equal(result_unpack(frame.payload, frame.length, &result), 0);
        assert_int_equal(result.error, error);
        assert_int_equal(result.text.size, strlen(text));
        assert_memory_equal(result.text.data, text, result.text.size);
    }
    assert_false(link_support_take(host, &frame));
}

static void mount_of(const struct request_mount *request)
{
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    request_mount_pack(&writer, request);
    assert_false(writer.overflow);
    payload_size = writer.size;
    send_frame(FRAME_MOUNT);
}

static struct request_mount usual(void)
{
    return (struct request_mount){
        .timeout_ms = 5000, .tag = wire_text_of("data"), .target = wire_text_of("/mnt")};
}

static void unmount_of(const char *target, uint32_t flags)
{
    const struct request_unmount request = {.flags = flags, .target = wire_text_of(target)};
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    request_unmount_pack(&writer, &request);
    payload_size = writer.size;
    send_frame(FRAME_UNMOUNT);
}

static void network_of(uint32_t timeout_ms)
{
    static uint8_t bytes[64];
    const struct request_configure_network request = {
        .timeout_ms = timeout_ms, .mtu = 1400, .dns = listed("192.0.2.53", bytes, sizeof(bytes))};
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    request_configure_network_pack(&writer, &request);
    payload_size = writer.size;
    send_frame(FRAME_CONFIGURE_NETWORK);
}

static void end_with(int error, const char *text)
{
    struct job job = {.order = seen.order};
    struct report report = {.error = error};

    (void)snprintf(report.text, sizeof(report.text), "%s", text);
    seen.order.done(&job, &report);
}

static void share_is_mounted_by_a_job(void **state)
{
    struct request_mount request = usual();

    (void)state;
    mount_of(&request);
    assert_int_equal(seen.starts, 1);
    assert_string_equal(seen.order.name, "mount");
    assert_ptr_equal(seen.order.work, share_mount);
    assert_ptr_equal(seen.order.context, &guest);
    assert_int_equal(seen.order.timeout_ms, 5000);
    assert_int_equal(seen.order.id, 77);
    assert_int_equal(seen.order.generation, 1);
    assert_int_equal(seen.order.digest, seen.digest);
    assert_string_equal(seen.share.tag, "data");
    assert_string_equal(seen.share.target, "/mnt");
    assert_int_equal(seen.share.timeout_ms, 5000);
    assert_ptr_equal(seen.share.late, &guest.late);
    assert_false(seen.share.by_9p || seen.share.read_only || seen.share.bounces ||
                 seen.share.as_root || seen.share.detach);
    expect_answer(-1, "");
}

static void share_is_as_the_request_says(void **state)
{
    struct request_mount request = usual();

    (void)state;
    request.transport = REQUEST_TRANSPORT_9P;
    request.flags = REQUEST_MOUNT_READ_ONLY;
    request.port = 1234;
    guest.cmdline.swiotlb_forced = true;
    mount_of(&request);
    assert_true(seen.share.by_9p && seen.share.read_only && seen.share.bounces);
    assert_int_equal(seen.share.port, 1234);
    assert_int_equal(seen.share.cid, 2);
}

static void end_of_a_mount_is_answered(void **state)
{
    struct request_mount request = usual();
    uint64_t before = clock_now_ns();

    (void)state;
    mount_of(&request);
    end_with(EPERM, "it did not");
    expect_answer(EPERM, "it did not");
    kmsg_expect("4 mount: it did not\n");
    assert_int_equal(guest.timings.mounted_ns, 0);
    end_with(0, "");
    expect_answer(0, "");
    kmsg_expect("");
    assert_true(guest.timings.mounted_ns >= before);
    seen.order.generation = 2; /* of another connection */
    end_with(0, "");
    expect_answer(-1, "");
}

static void mount_that_is_not_understood_is_refused(void **state)
{
    static char longest[LIMITS_PATH + 1];
    struct request_mount request;

    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    for (int i = 0; i < 4; i++) {
        char text[128];

        request = usual();
        if (i == 0)
            request.transport = REQUEST_TRANSPORT_9P + 1;
        if (i == 1)
            request.flags = REQUEST_MOUNT_READ_ONLY << 1;
        if (i == 2)
            request.tag = wire_text_of(longest);
        if (i == 3)
            request.target = wire_text_of(longest);
        mount_of(&request);
        (void)snprintf(text, sizeof(text),
                       "mount: unsupported transport %u, flags 0x%x, or names of %zu and %zu bytes",
                       request.transport, request.flags, request.tag.size, request.target.size);
        expect_answer(EINVAL, text);
    }
    assert_int_equal(seen.starts, 0);
}

/* It is mounted already, as what it is for. */
static void share_that_is_the_root_is_not_mounted_twice(void **state)
{
    struct request_mount request = usual();

    (void)state;
    guest.shutdown.agent = true;
    request.target = wire_text_of("/sysroot");
    (void)snprintf(guest.cmdline.root, sizeof(guest.cmdline.root), "virtiofs:data");
    mount_of(&request);
    assert_int_equal(seen.starts, 0);
    expect_answer(0, "");
    for (int i = 0; i < 4; i++) {
        guest.shutdown.agent = i != 0;
        request.target = wire_text_of(i == 1 ? "/sysroot/data" : "/sysroot");
        (void)snprintf(guest.cmdline.root, sizeof(guest.cmdline.root), "%s",
                       i == 2   ? "virtiofs:other"
                       : i == 3 ? "LABEL=...data"
                                : "virtiofs:data");
        mount_of(&request);
        assert_int_equal(seen.starts, i + 1);
        expect_answer(-1, "");
    }
}

static void share_is_unmounted_by_a_job(void **state)
{
    static char longest[LIMITS_PATH + 1];

    (void)state;
    unmount_of("/mnt", 0);
    assert_int_equal(seen.starts, 1);
    assert_string_equal(seen.order.name, "unmount");
    assert_ptr_equal(seen.order.work, share_unmount);
    assert_int_equal(seen.order.timeout_ms, INIT_UNMOUNT_MS);
    assert_string_equal(seen.share.target, "/mnt");
    assert_false(seen.share.detach);
    end_with(EBUSY, "in use");
    expect_answer(EBUSY, "in use");
    kmsg_expect("4 unmount: in use\n");
    assert_int_equal(guest.timings.mounted_ns, 0);
    unmount_of("/mnt", REQUEST_UNMOUNT_DETACH);
    assert_true(seen.share.detach);
    memset(longest, 'x', sizeof(longest) - 1);
    unmount_of(longest, 0);
    expect_answer(ENAMETOOLONG, "unmount: a target of 4096 bytes");
    assert_int_equal(seen.starts, 2);
}

static void interface_is_configured_by_a_job(void **state)
{
    uint64_t before = clock_now_ns();

    (void)state;
    guest.shutdown.agent = true;
    network_of(3000);
    assert_int_equal(seen.starts, 1);
    assert_string_equal(seen.order.name, "network");
    assert_int_equal(seen.order.timeout_ms, 3000);
    assert_int_equal(seen.network.request.mtu, 1400);
    assert_int_equal(seen.network.request.dns.count, 1);
    assert_ptr_equal(seen.network.late, &guest.late);
    assert_true(seen.network.agent);
    end_with(ENODEV, "no interface");
    expect_answer(ENODEV, "no interface");
    kmsg_expect("4 network: no interface\n");
    assert_int_equal(guest.timings.network_ns, 0);
    end_with(0, "a remark");
    expect_answer(0, "a remark");
    kmsg_expect("4 network: a remark\n");
    assert_true(guest.timings.network_ns >= before);
    end_with(0, "");
    expect_answer(0, "");
    kmsg_expect("");
}

static void no_job_takes_longer_than_the_longest(void **state)
{
    (void)state;
    network_of(INIT_JOB_LONGEST_MS);
    assert_int_equal(seen.order.timeout_ms, INIT_JOB_LONGEST_MS);
    network_of(INIT_JOB_LONGEST_MS + 1);
    assert_int_equal(seen.order.timeout_ms, INIT_JOB_LONGEST_MS);
    network_of(UINT32_MAX);
    assert_int_equal(seen.order.timeout_ms, INIT_JOB_LONGEST_MS);
}

/* What is asked again after a reconnect is not done twice. */
static void job_that_runs_already_answers(void **state)
{
    struct request_mount request = usual();
    uint64_t digest;

    (void)state;
    seen.adopts = true;
    mount_of(&request);
    digest = seen.digest;
    assert_int_equal(seen.adoptions, 1);
    assert_int_equal(seen.starts, 0);
    expect_answer(-1, "");
    mount_of(&request);
    assert_int_equal(seen.digest, digest);
    request.port++;
    mount_of(&request);
    assert_int_not_equal(seen.digest, digest);
}

/* The same bytes may stand in requests of two types. */
static void digest_is_of_the_type_and_every_byte(void **state)
{
    uint64_t digests[3];

    (void)state;
    seen.adopts = true;
    unmount_of("/mnt", 0);
    digests[0] = seen.digest;
    payload[payload_size - 1] ^= 1;
    send_frame(FRAME_UNMOUNT);
    digests[1] = seen.digest;
    /* FNV-1a of what was sent, by its definition. */
    digests[2] = (UINT64_C(0xcbf29ce484222325) ^ FRAME_UNMOUNT) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < payload_size; i++)
        digests[2] = (digests[2] ^ payload[i]) * UINT64_C(0x100000001b3);
    assert_int_not_equal(digests[0], digests[1]);
    assert_int_equal(digests[1], digests[2]);
}

static void job_that_cannot_be_started_is_told(void **state)
{
    struct request_mount request = usual();

    (void)state;
    seen.result = -ENOMEM;
    mount_of(&request);
    expect_answer(EAGAIN, "mount: cannot start a process: Cannot allocate memory");
}

static void nothing_is_started_in_a_shutdown(void **state)
{
    struct request_mount request = usual();

    (void)state;
    guest.shutdown.phase = SHUTDOWN_RUNNING + 1;
    mount_of(&request);
    expect_answer(ESHUTDOWN, "mount: shutting down");
    unmount_of("/mnt", 0);
    expect_answer(ESHUTDOWN, "unmount: shutting down");
    assert_int_equal(seen.starts + seen.adoptions, 0);
}

int main(void)
{
#define PLAYED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
    const struct CMUnitTest tests[] = {
        PLAYED(share_is_mounted_by_a_job),
        PLAYED(share_is_as_the_request_says),
        PLAYED(end_of_a_mount_is_answered),
        PLAYED(mount_that_is_not_understood_is_refused),
        PLAYED(share_that_is_the_root_is_not_mounted_twice),
        PLAYED(share_is_unmounted_by_a_job),
        PLAYED(interface_is_configured_by_a_job),
        PLAYED(no_job_takes_longer_than_the_longest),
        PLAYED(job_that_runs_already_answers),
        PLAYED(digest_is_of_the_type_and_every_byte),
        PLAYED(job_that_cannot_be_started_is_told),
        PLAYED(nothing_is_started_in_a_shutdown),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
