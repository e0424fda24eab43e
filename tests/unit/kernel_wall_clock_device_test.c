/* wall clock: which of the kernel's clock devices is asked for the time, and what is done when none
 * answers. The devices are the test's. */
#include "descriptors.h"
#include "init/base/fd.h"
#include "init/kernel/wall_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define NOW    (UINT64_C(1795910400) * SECOND) /* by this guest */
#define HOST   (NOW + 100 * SECOND)
#define DEVICE (NOW + 200 * SECOND) /* of the first; each further one is a second later */

static struct device {
    const char *name; /* NULL: there is none */
    bool is_refused, is_broken, is_unset;
} devices[8];
static int opened, descriptor; /* which device, and as what */
static unsigned opens;
static int64_t set_ns;
static int refusal; /* an errno of adjtime() */

int __wrap_fd_read_file(const char *path, char *buffer, size_t capacity);
int __wrap_fd_read_file(const char *path, char *buffer, size_t capacity)
{
    static const char begins[] = "/sys/class/ptp/ptp";
    char *rest = NULL;
    unsigned long i;

    assert_int_equal(strncmp(path, begins, strlen(begins)), 0);
    i = strtoul(path + strlen(begins), &rest, 10);
    assert_string_equal(rest, "/clock_name");
    assert_in_range(i, 0, 7);
    buffer[0] = '\0';
    return devices[i].name ? snprintf(buffer, capacity, "%s\n", devices[i].name) : -ENOENT;
}

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    static const char begins[] = "/dev/ptp";

    assert_int_equal(strncmp(path, begins, strlen(begins)), 0);
    assert_int_equal(flags, O_RDONLY | O_CLOEXEC);
    opened = (int)strtol(path + strlen(begins), NULL, 10);
    assert_in_range(opened, 0, 7);
    opens++;
    if (devices[opened].is_refused) {
        errno = EACCES;
        return -1;
    }
    descriptor = dup(STDOUT_FILENO);
    return descriptor;
}

int __real_clock_gettime(clockid_t id, struct timespec *time);
int __wrap_clock_gettime(clockid_t id, struct timespec *time);
int __wrap_clock_gettime(clockid_t id, struct timespec *time)
{
    uint64_t ns = NOW;

    if (id >= 0 && id != CLOCK_REALTIME) /* of the log */
        return __real_clock_gettime(id, time);
    if (id < 0) { /* linux/posix-timers.h: a descriptor's clock */
        assert_int_equal(id & 7, 3);
        assert_int_equal(~(id >> 3), descriptor);
        ns = DEVICE + (uint64_t)opened * SECOND + 5;
        if (devices[opened].is_unset)
            ns = 0;
        if (devices[opened].is_broken) {
            errno = ENODEV;
            return -1;
        }
    }
    *time = (struct timespec){.tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND)};
    return 0;
}

int __wrap_clock_settime(clockid_t id, const struct timespec *time);
int __wrap_clock_settime(clockid_t id, const struct timespec *time)
{
    assert_int_equal(id, CLOCK_REALTIME);
    set_ns = time->tv_sec * (int64_t)SECOND + time->tv_nsec;
    return 0;
}

int __wrap_adjtime(const struct timeval *delta, struct timeval *old);
int __wrap_adjtime(const struct timeval *delta, struct timeval *old)
{
    (void)delta;
    (void)old;
    errno = refusal;
    return refusal ? -1 : 0;
}

static int set_up(void **state)
{
    (void)state;
    memset(devices, 0, sizeof(devices));
    opened = descriptor = -1;
    opens = 0;
    set_ns = 0;
    refusal = 0;
    return 0;
}

/* The host says HOST; what the clock is set to is another one's. */
static void need_time(uint64_t ns)
{
    struct event_clock_stepped stepped = {0};

    assert_int_equal(wall_clock_set(HOST, &stepped), WALL_CLOCK_STEPPED);
    assert_int_equal(set_ns, ns);
    assert_int_equal(stepped.before_ns, NOW);
    assert_int_equal(stepped.after_ns, ns);
}

static void without_a_device_it_is_the_hosts_time(void **state)
{
    (void)state;
    need_time(HOST);
    assert_int_equal(opens, 0);
}

static void a_hypervisors_device_is_nearer_than_the_host(void **state)
{
    static const char *const names[] = {"KVM virtual PTP", "vmclock", "vmclock0", "hyperv"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)set_up(NULL);
        devices[0].name = names[i];
        need_time(DEVICE + 5);
        assert_int_equal(opens, 1);
    }
}

/* It may tell TAI, or a time that nobody ever set. */
static void another_device_is_not_asked(void **state)
{
    static const char *const names[] = {"e1000e-ptp", "KVM",     "my hyperv", "vmcloc",
                                        "",           "virtual", "Hyperv"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        devices[0].name = names[i];
        need_time(HOST);
        assert_int_equal(opens, 0);
    }
}

static void the_first_of_four_that_can_be_opened_is_asked(void **state)
{
    (void)state;
    devices[0].name = "e1000e-ptp"; /* number 1 is none */
    devices[2].name = "hyperv";
    devices[3].name = "vmclock";
    need_time(DEVICE + 2 * SECOND + 5);
    assert_int_equal(opens, 1);
    devices[2].is_refused = true;
    need_time(DEVICE + 3 * SECOND + 5);
    assert_int_equal(opens, 3);
    devices[3].is_refused = true;
    need_time(HOST);
    (void)set_up(NULL);
    devices[4].name = "vmclock"; /* a fifth is not looked for */
    need_time(HOST);
    assert_int_equal(opens, 0);
}

static void a_device_that_tells_no_time_leaves_the_hosts_time(void **state)
{
    (void)state;
    devices[0].name = "hyperv";
    devices[0].is_broken = true;
    need_time(HOST);
    assert_int_equal(opens, 1);
    devices[0].is_broken = false;
    devices[0].is_unset = true;
    need_time(HOST);
}

static void a_clock_that_cannot_be_slewed_is_told(void **state)
{
    struct event_clock_stepped stepped;

    (void)state;
    assert_int_equal(wall_clock_set(NOW + SECOND / 2, &stepped), WALL_CLOCK_SLEWED);
    refusal = EPERM;
    assert_int_equal(wall_clock_set(NOW + SECOND / 2, &stepped), -EPERM);
    assert_int_equal(set_ns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_a_device_it_is_the_hosts_time, set_up),
        cmocka_unit_test_setup(a_hypervisors_device_is_nearer_than_the_host, set_up),
        cmocka_unit_test_setup(another_device_is_not_asked, set_up),
        cmocka_unit_test_setup(the_first_of_four_that_can_be_opened_is_asked, set_up),
        cmocka_unit_test_setup(a_device_that_tells_no_time_leaves_the_hosts_time, set_up),
        cmocka_unit_test_setup(a_clock_that_cannot_be_slewed_is_told, set_up),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
