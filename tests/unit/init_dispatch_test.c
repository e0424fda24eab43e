/*
 * dispatch: whatever bytes a host sends, each request has at most one answer and nothing else
 * happens. What a request would do to this machine is taken by the linker (CMakeLists.txt).
 */
#include "descriptors.h"
#include "init/base/fd.h"
#include "init/dispatch.h"
#include "init/signals.h"
#include "link_support.h"
#include "protocol/request.h"
#include "protocol/result.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>

#include <cmocka.h>

static struct guest guest;
static int host;
static unsigned names_set, ioctls;

pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    errno = ENOMEM;
    return -1;
}

int __wrap_cgroup_open(void);
int __wrap_cgroup_open(void)
{
    return -ENODEV; /* not this machine's */
}

void __wrap_settings_write_hosts(void);
void __wrap_settings_write_hosts(void)
{
}

int __wrap_kill(pid_t pid, int signal);
int __wrap_kill(pid_t pid, int signal)
{
    (void)pid;
    (void)signal;
    return 0;
}

int __wrap_reboot(int command);
int __wrap_reboot(int command)
{
    (void)command;
    errno = EPERM;
    return -1;
}

int __wrap_sethostname(const char *name, size_t size);
int __wrap_sethostname(const char *name, size_t size)
{
    (void)name;
    assert_in_range(size, 1, 64);
    names_set++;
    return 0;
}

int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data);
int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
                 const void *data)
{
    (void)source;
    (void)target;
    (void)type;
    (void)flags;
    (void)data;
    errno = EPERM;
    return -1;
}

int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    (void)fd;
    (void)request;
    (void)argument;
    ioctls++;
    return 0;
}

int __wrap_clock_settime(clockid_t id, const struct timespec *time);
int __wrap_clock_settime(clockid_t id, const struct timespec *time)
{
    assert_int_equal(id, CLOCK_REALTIME);
    assert_true(time->tv_sec >= 0);
    assert_in_range(time->tv_nsec, 0, 999999999);
    return 0;
}

int __wrap_adjtime(const struct timeval *delta, struct timeval *old);
int __wrap_adjtime(const struct timeval *delta, struct timeval *old)
{
    (void)old;
    assert_int_equal(delta->tv_sec, 0);
    return 0;
}

void __wrap_sync(void);
void __wrap_sync(void)
{
}

static int set_up(void **state)
{
    (void)state;
    memset(&guest, 0, sizeof(guest));
    names_set = ioctls = 0;
    assert_int_equal(loop_init(&guest.loop), 0);
    jobs_init(&guest.jobs, &guest.loop);
    host = link_support_up(&guest.link, &guest.loop);
    guest.processes.loop = &guest.loop;
    guest.processes.link = &guest.link;
    guest.processes.exits = &guest.exits;
    processes_init(&guest.processes);
    guest.shutdown.loop = &guest.loop;
    guest.shutdown.link = &guest.link;
    guest.shutdown.jobs = &guest.jobs;
    guest.shutdown.processes = &guest.processes;
    cmdline_parse("", &guest.cmdline);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    link_support_down(&guest.link, host);
    (void)fd_close(guest.loop.epoll_fd);
    return 0;
}

/* Counts the answers to request 77 that are there; the newest RESULT's error in @p ret_error. */
static unsigned take_answers(int *ret_error)
{
    unsigned count = 0;
    struct frame frame;

    while (link_support_take(host, &frame)) {
        struct result result;

        if (!(frame.flags & FRAME_FLAG_ANSWER))
            continue;
        assert_int_equal(frame.id, 77);
        count++;
        if (frame.type == FRAME_RESULT && result_unpack(frame.payload, frame.length, &result) == 0)
            *ret_error = result.error;
    }
    return count;
}

static const char *handle(uint16_t type, uint32_t id, const void *payload, size_t size)
{
    const struct frame frame = {
        .type = type, .id = id, .payload = payload, .length = (uint32_t)size};

    return dispatch_frame(&guest, &frame);
}

static void every_type_takes_any_bytes(void **state)
{
    static uint8_t payload[512];
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 200; round++)
        for (uint16_t type = 0; type < 64; type++) {
            size_t size = (size_t)rand_r(&seed) % sizeof(payload);
            const char *said;
            unsigned answers;
            int error = 0;

            for (size_t i = 0; i < sizeof(payload); i++)
                payload[i] = (uint8_t)(round % 4 == 0 ? 0 : rand_r(&seed));
            memset(payload, 0, 4);
            payload[0] = (uint8_t)(8 + 4 * (rand_r(&seed) % 8)); /* often a sound struct_size */
            said = handle(type, 77, payload, size);
            answers = take_answers(&error);
            if (said)
                assert_int_equal(answers, 0);
            else
                assert_int_equal(answers, 1);
        }
}

static void an_id_of_0_is_never_answered(void **state)
{
    uint8_t payload[64] = {8};
    int error = 0;

    (void)state;
    for (uint16_t type = 3; type < 64; type++) {
        if (type == FRAME_GET_CAPABILITIES || type == FRAME_GET_POOL_USAGE)
            continue; /* whose answer is the point of them */
        (void)handle(type, 0, payload, sizeof(payload));
        assert_int_equal(take_answers(&error), 0);
    }
}

/* It is told before the answer, so that a host has both together. */
static void a_clock_that_is_far_off_is_stepped_and_told(void **state)
{
    uint8_t payload[16];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    const uint64_t hour_ns = UINT64_C(3600000000000);
    struct event_clock_stepped stepped;
    struct timespec now;
    struct frame frame;
    uint64_t now_ns;

    (void)state;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    now_ns = (uint64_t)now.tv_sec * 1000000000u;
    request_set_time_pack(&writer, &(struct request_set_time){.realtime_ns = now_ns + hour_ns});
    assert_null(handle(FRAME_SET_TIME, 77, payload, writer.size));
    assert_true(link_support_take(host, &frame));
    assert_int_equal(frame.type, FRAME_CLOCK_STEPPED);
    assert_int_equal(event_clock_stepped_unpack(frame.payload, frame.length, &stepped), 0);
    assert_in_range(stepped.after_ns - stepped.before_ns, hour_ns - 5000000000u, hour_ns);
    assert_true(link_support_take(host, &frame));
    assert_int_equal(frame.type, FRAME_RESULT);
}

static void a_terminal_of_no_process_has_no_size(void **state)
{
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    int error = 0;

    (void)state;
    request_resize_terminal_pack(&writer, &(struct request_resize_terminal){.process = 5});
    assert_null(handle(FRAME_RESIZE_TERMINAL, 77, payload, writer.size));
    assert_int_equal(take_answers(&error), 1);
    assert_int_equal(error, ESRCH);
}

static void an_unknown_type_is_enosys(void **state)
{
    int error = 0;

    (void)state;
    assert_null(handle(999, 77, "", 0));
    assert_int_equal(take_answers(&error), 1);
    assert_int_equal(error, ENOSYS);
}

static void a_ping_is_answered(void **state)
{
    int error = -1;

    (void)state;
    assert_null(handle(FRAME_PING, 77, "", 0));
    assert_int_equal(take_answers(&error), 1);
    assert_int_equal(error, 0);
}

static void without_a_child_a_request_is_eagain(void **state)
{
    static const struct request_mount mount = {
        .timeout_ms = 10, .tag = {"c", 1}, .target = {"/mnt/c", 6}};
    uint8_t bytes[128];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    int error = 0;

    (void)state;
    request_mount_pack(&writer, &mount);
    assert_null(handle(FRAME_MOUNT, 77, bytes, writer.size));
    assert_int_equal(take_answers(&error), 1);
    assert_int_equal(error, EAGAIN);
}

static void a_hostname_has_1_to_64_bytes(void **state)
{
    static const char name[66] =
        "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";

    (void)state;
    for (size_t size = 0; size <= 65; size++) {
        const struct request_set_hostname request = {.name = {name, size}};
        uint8_t bytes[128];
        struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
        int error = -1;

        request_set_hostname_pack(&writer, &request);
        assert_null(handle(FRAME_SET_HOSTNAME, 77, bytes, writer.size));
        assert_int_equal(take_answers(&error), 1);
        assert_int_equal(error, size == 0 || size == 65 ? EINVAL : 0);
    }
    assert_int_equal(names_set, 64);
}

static void entropy_is_not_counted_beyond_its_bits(void **state)
{
    const struct request_add_entropy request = {.bits = 65, .data = {"12345678", 8}};
    uint8_t bytes[64];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    int error = 0;

    (void)state;
    request_add_entropy_pack(&writer, &request);
    assert_null(handle(FRAME_ADD_ENTROPY, 77, bytes, writer.size));
    assert_int_equal(take_answers(&error), 1);
    assert_int_equal(error, EINVAL);
    assert_int_equal(ioctls, 0);
}

static void an_answer_of_an_older_connection_is_dropped(void **state)
{
    const struct report report = {0};
    int error = 0;

    (void)state;
    link_answer(&guest.link, 77, guest.link.generation - 1, &report);
    assert_int_equal(take_answers(&error), 0);
    link_answer(&guest.link, 77, guest.link.generation, &report);
    assert_int_equal(take_answers(&error), 1);
}

static void a_second_shut_down_is_under_way_already(void **state)
{
    const struct request_shut_down request = {.how = REQUEST_REBOOT, .grace_ms = 60000};
    uint8_t bytes[64];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    int error = -1;

    (void)state;
    guest.shutdown.phase = SHUTDOWN_TERMINATING;
    request_shut_down_pack(&writer, &request);
    assert_null(handle(FRAME_SHUT_DOWN, 77, bytes, writer.size));
    assert_int_equal(take_answers(&error), 1);
    assert_int_equal(error, 0);
    assert_int_equal(guest.shutdown.how, REQUEST_POWER_OFF);
    assert_int_equal(guest.shutdown.timer.at_ns, 0);
}

static void nothing_is_begun_while_the_machine_ends(void **state)
{
    const struct request_unmount unmount = {.target = wire_text_of("/mnt/c")};
    uint8_t bytes[64];
    struct wire_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
    int error = 0;

    (void)state;
    guest.shutdown.phase = SHUTDOWN_UNMOUNTING;
    request_unmount_pack(&writer, &unmount);
    assert_null(handle(FRAME_UNMOUNT, 77, bytes, writer.size));
    assert_int_equal(take_answers(&error), 1);
    assert_int_equal(error, ESHUTDOWN);
    assert_null(handle(FRAME_COMPLETE_BOOT, 77, NULL, 0));
    assert_int_equal(take_answers(&error), 1);
    assert_int_equal(error, ESHUTDOWN);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(every_type_takes_any_bytes),
        LIVE(an_id_of_0_is_never_answered),
        LIVE(a_clock_that_is_far_off_is_stepped_and_told),
        LIVE(a_terminal_of_no_process_has_no_size),
        LIVE(an_unknown_type_is_enosys),
        LIVE(a_ping_is_answered),
        LIVE(without_a_child_a_request_is_eagain),
        LIVE(a_hostname_has_1_to_64_bytes),
        LIVE(entropy_is_not_counted_beyond_its_bits),
        LIVE(an_answer_of_an_older_connection_is_dropped),
        LIVE(a_second_shut_down_is_under_way_already),
        LIVE(nothing_is_begun_while_the_machine_ends),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
