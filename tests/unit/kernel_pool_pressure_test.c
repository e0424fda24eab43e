/* pool pressure: a full pool is told at once and then once a second, with all that it counted, as
 * soon as there is a host. */
#include "descriptors.h"
#include "init/kernel/pool_pressure.h"
#include "link_support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* pool_pressure.c's EVENT_INTERVAL_MS. */
#define INTERVAL_MS UINT64_C(1000)

static int kernel = -1;    /* where the test writes the records of /dev/kmsg */
static int open_error;     /* of /dev/kmsg, an errno */
static uint64_t passed_ms; /* by which it is later than it is */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
off_t __wrap_lseek(int fd, off_t offset, int whence);
int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_open(const char *path, int flags, ...)
{
    int ends[2];

    if (strcmp(path, "/dev/kmsg") != 0)
        return __real_open(path, flags, 0);
    if (open_error != 0) {
        errno = open_error;
        return -1;
    }
    assert_int_equal(flags, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
                     0);
    kernel = ends[0];
    return ends[1];
}

/* Behind all that is there already. */
off_t __wrap_lseek(int fd, off_t offset, int whence)
{
    assert_true(fd >= 0 && offset == 0 && whence == SEEK_END);
    return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    int r = __real_clock_gettime(clock, time);

    time->tv_sec += (time_t)(passed_ms / 1000);
    return r;
}

struct fixture {
    struct loop loop;
    struct link link;
    struct pool_pressure pressure;
    int host;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(loop_init(&f->loop), 0);
    f->host = link_support_up(&f->link, &f->loop);
    assert_int_equal(loop_add(&f->loop, &f->link.source, 0), 0);
    assert_int_equal(pool_pressure_start(&f->pressure, &f->loop, &f->link), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    link_support_down(&f->link, f->host);
    loop_close(&f->loop, &f->pressure.source);
    (void)close(f->loop.epoll_fd);
    (void)close(kernel);
    free(f);
    return 0;
}

/* The kernel says that the pool is full. */
static void fill(unsigned bytes, unsigned used)
{
    char record[256];
    int size = snprintf(record, sizeof(record),
                        "4,1,100,-;virtio-pci 0000:00:05.0: swiotlb buffer is full (sz: %u bytes), "
                        "total 512 (slots), used %u (slots)\n SUBSYSTEM=pci\n"
                        " DEVICE=+pci:0000:00:05.0\n",
                        bytes, used);

    assert_int_equal(send(kernel, record, (size_t)size, 0), size);
}

/* Lets @p ms pass, and PID 1 do all that is to be done then. */
static void pass(struct fixture *f, uint64_t ms)
{
    struct pollfd ready = {.fd = f->loop.epoll_fd, .events = POLLIN};
    struct timespec now;

    passed_ms += ms;
    for (;;) {
        (void)__wrap_clock_gettime(CLOCK_BOOTTIME, &now);
        if (poll(&ready, 1, 0) <= 0 &&
            (!f->loop.timers ||
             f->loop.timers->at_ns > (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec))
            return;
        loop_turn(&f->loop);
    }
}

static void expect_event(const struct fixture *f, uint64_t count, uint64_t used, uint64_t bytes)
{
    struct event_pool_exhausted event;
    struct frame frame;

    assert_true(link_support_take(f->host, &frame));
    assert_int_equal(frame.type, FRAME_POOL_EXHAUSTED);
    assert_int_equal(event_pool_exhausted_unpack(frame.payload, frame.length, &event), 0);
    assert_int_equal(event.count, count);
    assert_int_equal(event.used, used);
    assert_int_equal(event.total, 512);
    assert_int_equal(event.bytes, bytes);
    assert_true(event.time_ns > 0);
}

/* What all events that came say in the end. */
static void expect_last(const struct fixture *f, uint64_t count)
{
    struct event_pool_exhausted event = {0};
    struct frame frame;

    while (link_support_take(f->host, &frame))
        assert_int_equal(event_pool_exhausted_unpack(frame.payload, frame.length, &event), 0);
    assert_int_equal(event.count, count);
}

static void expect_nothing(const struct fixture *f)
{
    struct frame frame;

    assert_false(link_support_take(f->host, &frame));
}

static void the_first_is_told_at_once_and_the_next_a_second_later(void **state)
{
    struct fixture *f = *state;

    pass(f, 0);
    expect_nothing(f);
    fill(1536, 500);
    pass(f, 0);
    expect_event(f, 1, 500, 1536);
    fill(2048, 501);
    fill(4096, 502);
    pass(f, 0);
    expect_nothing(f);
    pass(f, INTERVAL_MS);
    expect_event(f, 3, 502, 4096);
    /* nothing more to say: nothing is said */
    pass(f, 10 * INTERVAL_MS);
    expect_nothing(f);
    assert_null(f->loop.timers);
    fill(1, 2);
    pass(f, 0);
    expect_event(f, 4, 2, 1);
}

static void what_a_host_missed_reaches_it_when_it_is_back(void **state)
{
    struct fixture *f = *state;

    f->link.state = LINK_DOWN;
    fill(1536, 500);
    pass(f, 0);
    fill(2048, 501);
    pass(f, 5 * INTERVAL_MS);
    expect_nothing(f);
    f->link.state = LINK_UP;
    pass(f, INTERVAL_MS);
    expect_event(f, 2, 501, 2048);
    pass(f, 5 * INTERVAL_MS);
    expect_nothing(f);
}

static void other_records_say_nothing_and_many_at_once_are_all_counted(void **state)
{
    static const char other[] = "6,2,100,-;a usb stick\n";
    struct fixture *f = *state;

    assert_int_equal(send(kernel, other, sizeof(other) - 1, 0), sizeof(other) - 1);
    pass(f, INTERVAL_MS);
    expect_nothing(f);
    for (unsigned i = 0; i < 100; i++)
        fill(1536, 500);
    pass(f, INTERVAL_MS);
    pass(f, INTERVAL_MS);
    expect_last(f, 100);
}

static void a_log_that_cannot_be_followed_is_an_error(void **state)
{
    struct pool_pressure pressure = {0};

    (void)state;
    open_error = EPERM;
    assert_int_equal(pool_pressure_start(&pressure, NULL, NULL), -EPERM);
    open_error = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_is_told_at_once_and_the_next_a_second_later),
        TEST(what_a_host_missed_reaches_it_when_it_is_back),
        TEST(other_records_say_nothing_and_many_at_once_are_all_counted),
        cmocka_unit_test(a_log_that_cannot_be_followed_is_an_error),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
