/* wall clock: what is far off is stepped, what is a little off is slewed, and nonsense is refused.
 */
#include "init/kernel/wall_clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/time.h>
#include <time.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define NOW    (UINT64_C(1795910400) * SECOND)

static int refusal; /* an errno of clock_settime() */
static struct timespec now, set;
static struct timeval slewed;

int __real_clock_gettime(clockid_t id, struct timespec *time);
int __wrap_clock_gettime(clockid_t id, struct timespec *time);
int __wrap_clock_gettime(clockid_t id, struct timespec *time)
{
    if (id != CLOCK_REALTIME) /* of the log */
        return __real_clock_gettime(id, time);
    *time = now;
    return 0;
}

int __wrap_clock_settime(clockid_t id, const struct timespec *time);
int __wrap_clock_settime(clockid_t id, const struct timespec *time)
{
    assert_int_equal(id, CLOCK_REALTIME);
    errno = refusal;
    set = *time;
    return refusal ? -1 : 0;
}

int __wrap_adjtime(const struct timeval *delta, struct timeval *old);
int __wrap_adjtime(const struct timeval *delta, struct timeval *old)
{
    assert_null(old);
    slewed = *delta;
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    now = (struct timespec){.tv_sec = NOW / SECOND};
    set = (struct timespec){0};
    slewed = (struct timeval){0};
    refusal = 0;
    return 0;
}

static void what_is_far_off_is_stepped(void **state)
{
    const uint64_t times[] = {NOW + SECOND + 1, NOW - SECOND - 1, NOW + 3600 * SECOND, 1};
    struct event_clock_stepped stepped;

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        assert_int_equal(wall_clock_set(times[i], &stepped), WALL_CLOCK_STEPPED);
        assert_int_equal(stepped.before_ns, NOW);
        assert_int_equal(stepped.after_ns, times[i]);
        assert_int_equal(set.tv_sec, times[i] / SECOND);
        assert_int_equal(set.tv_nsec, times[i] % SECOND);
    }
    assert_int_equal(slewed.tv_usec, 0);
}

static void what_is_a_little_off_is_slewed(void **state)
{
    const struct {
        uint64_t host_ns;
        long by_us;
    } cases[] = {{NOW + SECOND, 1000000},
                 {NOW - SECOND, -1000000},
                 {NOW + 5000000, 5000},
                 {NOW - 5000000, -5000}};
    struct event_clock_stepped stepped;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(wall_clock_set(cases[i].host_ns, &stepped), WALL_CLOCK_SLEWED);
        assert_int_equal(slewed.tv_sec, 0);
        assert_int_equal(slewed.tv_usec, cases[i].by_us);
    }
    assert_int_equal(set.tv_sec, 0);
}

static void what_is_fine_is_left(void **state)
{
    struct event_clock_stepped stepped;

    (void)state;
    assert_int_equal(wall_clock_set(NOW + 4999999, &stepped), WALL_CLOCK_KEPT);
    assert_int_equal(wall_clock_set(NOW - 4999999, &stepped), WALL_CLOCK_KEPT);
    assert_int_equal(slewed.tv_usec, 0);
    assert_int_equal(set.tv_sec, 0);
}

static void nonsense_is_refused(void **state)
{
    struct event_clock_stepped stepped;

    (void)state;
    assert_int_equal(wall_clock_set(0, &stepped), -EINVAL);
    assert_int_equal(wall_clock_set(UINT64_MAX, &stepped), -EINVAL);
    assert_int_equal(wall_clock_set((uint64_t)INT64_MAX + 1, &stepped), -EINVAL);
    refusal = EPERM;
    assert_int_equal(wall_clock_set(NOW + 10 * SECOND, &stepped), -EPERM);
}

/* A guest whose clock was set to before 1970 by somebody. */
static void a_clock_before_1970_counts_as_1970(void **state)
{
    struct event_clock_stepped stepped;

    (void)state;
    now.tv_sec = -5;
    assert_int_equal(wall_clock_set(NOW, &stepped), WALL_CLOCK_STEPPED);
    assert_int_equal(stepped.before_ns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_far_off_is_stepped, set_up),
        cmocka_unit_test_setup(what_is_a_little_off_is_slewed, set_up),
        cmocka_unit_test_setup(what_is_fine_is_left, set_up),
        cmocka_unit_test_setup(nonsense_is_refused, set_up),
        cmocka_unit_test_setup(a_clock_before_1970_counts_as_1970, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
