/*
 * dispatch: what each request does, and what it is answered. What a request would do to this
 * machine is taken by the linker (CMakeLists.txt).
 */
#include "descriptors.h"
#include "dispatch_support.h"
#include "init/base/clock.h"
#include "init/kernel/pool_usage.h"
#include "link_support.h"
#include "protocol/limits.h"
#include "protocol/request.h"
#include "protocol/result.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <cmocka.h>

#include <linux/random.h>

static int failing;    /* errno of what is taken here; 0: none */
static unsigned hosts; /* how often /etc/hosts was written */
static char name[LIMITS_HOSTNAME + 1];
static char answered[64]; /* what a shut-down was answered */
static unsigned mounts;   /* of debugfs */
static unsigned seeds, reseeds;
static uint8_t pool[sizeof(struct rand_pool_info) + LIMITS_ENTROPY]; /* of the last seed */
static struct pool_usage usage;

static int outcome(void)
{
    errno = failing;
    return failing ? -1 : 0;
}

void __wrap_settings_write_hosts(void);
void __wrap_settings_write_hosts(void)
{
    hosts++;
}

int __wrap_sethostname(const char *text, size_t size);
int __wrap_sethostname(const char *text, size_t size)
{
    assert_in_range(size, 1, LIMITS_HOSTNAME);
    (void)snprintf(name, sizeof(name), "%.*s", (int)size, text);
    return outcome();
}

uint64_t __wrap_default_pool_measure(uint64_t *ret_base, uint64_t *ret_size);
uint64_t __wrap_default_pool_measure(uint64_t *ret_base, uint64_t *ret_size)
{
    (void)ret_base;
    (void)ret_size;
    fail_msg("the kernel's log was read again");
    return 0;
}

int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    const struct rand_pool_info *info = argument;

    assert_true(fd >= 0);
    assert_true(request == RNDADDENTROPY || request == RNDRESEEDCRNG);
    if (request == RNDRESEEDCRNG) {
        reseeds++;
        errno = ENODATA;
        return -1;
    }
    seeds++;
    memcpy(pool, argument, sizeof(*info) + (size_t)info->buf_size);
    return outcome();
}

int __wrap_clock_settime(clockid_t id, const struct timespec *now);
int __wrap_clock_settime(clockid_t id, const struct timespec *now)
{
    (void)id;
    (void)now;
    return outcome();
}

int __wrap_adjtime(const struct timeval *delta, struct timeval *old);
int __wrap_adjtime(const struct timeval *delta, struct timeval *old)
{
    (void)delta;
    (void)old;
    return outcome();
}

void __wrap_pool_usage_mount_debugfs(void);
void __wrap_pool_usage_mount_debugfs(void)
{
    mounts++;
}

int __wrap_pool_usage_read(const char *directory, struct pool_usage *ret);
int __wrap_pool_usage_read(const char *directory, struct pool_usage *ret)
{
    assert_string_equal(directory, POOL_USAGE_DIRECTORY);
    assert_int_equal(mounts, 1); /* it is there by now */
    mounts = 0;
    *ret = usage;
    return failing ? -failing : 0;
}

bool __wrap_shutdown_begin(struct shutdown *shutdown, uint16_t how, uint16_t reason,
                           uint32_t grace_ms);
bool __wrap_shutdown_begin(struct shutdown *shutdown, uint16_t how, uint16_t reason,
                           uint32_t grace_ms)
{
    struct result result;
    struct frame frame;

    assert_true(link_support_take(dispatch_host, &frame)); /* answered before it begins */
    assert_int_equal(frame.type, FRAME_RESULT);
    assert_int_equal(frame.id, 77);
    assert_int_equal(result_unpack(frame.payload, frame.length, &result), 0);
    assert_int_equal(result.error, 0);
    assert_int_equal(wire_text_copy(result.text, answered, sizeof(answered)), 0);
    shutdown->how = how;
    shutdown->reason = reason;
    shutdown->grace_ms = grace_ms;
    return true;
}

static int set_up(void **state)
{
    failing = 0;
    hosts = mounts = seeds = reseeds = 0;
    (void)dispatch_set_up(state);
    dispatch_guest.hold.on = true; /* none of these waits for the root */
    return 0;
}

static int set_hostname(const char *text)
{
    const struct request_set_hostname request = {.name = wire_text_of(text)};

    request_set_hostname_pack(&dispatch_writer, &request);
    dispatch_send(FRAME_SET_HOSTNAME);
    return dispatch_answer();
}

static void a_hostname_is_set_and_written_for_programs_that_look_it_up(void **state)
{
    (void)state;
    assert_int_equal(set_hostname("guest-1"), 0);
    assert_string_equal(name, "guest-1");
    assert_int_equal(hosts, 1);
    assert_int_equal(set_hostname("a\nb"), EINVAL);
    assert_string_equal(name, "guest-1");
    dispatch_guest.shutdown.agent = true; /* the files are another PID 1's */
    assert_int_equal(set_hostname("guest-2"), 0);
    assert_string_equal(name, "guest-2");
    assert_int_equal(hosts, 1);
    dispatch_guest.shutdown.agent = false;
    failing = EPERM;
    assert_int_equal(set_hostname("guest-3"), EPERM);
    assert_int_equal(hosts, 1);
}

static int add_entropy(uint32_t bits, size_t size)
{
    char data[LIMITS_ENTROPY + 1];
    const struct request_add_entropy request = {.bits = bits, .data = {data, size}};

    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 7);
    request_add_entropy_pack(&dispatch_writer, &request);
    dispatch_send(FRAME_ADD_ENTROPY);
    return dispatch_answer();
}

static void entropy_is_given_to_the_kernel_which_takes_from_it_at_once(void **state)
{
    const struct rand_pool_info *info = (const void *)pool;

    (void)state;
    assert_int_equal(add_entropy(LIMITS_ENTROPY * 8, LIMITS_ENTROPY), 0);
    assert_int_equal(seeds, 1);
    assert_int_equal(reseeds, 1);
    assert_int_equal(info->entropy_count, LIMITS_ENTROPY * 8);
    assert_int_equal(info->buf_size, LIMITS_ENTROPY);
    for (size_t i = 0; i < LIMITS_ENTROPY; i++)
        assert_int_equal(pool[sizeof(*info) + i], (uint8_t)(i * 7));
    assert_int_equal(add_entropy(3, 1), 0); /* fewer bits than there could be */
    assert_int_equal(info->entropy_count, 3);
    assert_int_equal(info->buf_size, 1);
    assert_int_equal(add_entropy(0, LIMITS_ENTROPY + 1), EINVAL);
    assert_int_equal(add_entropy(9, 1), EINVAL);
    assert_int_equal(seeds, 2);
    failing = EPERM;
    assert_int_equal(add_entropy(8, 1), EPERM);
    assert_int_equal(reseeds, 2); /* not for what was not taken */
}

static void shut_down(uint16_t how, uint32_t grace_ms)
{
    request_shut_down_pack(&dispatch_writer,
                           &(struct request_shut_down){.how = how, .grace_ms = grace_ms});
    dispatch_send(FRAME_SHUT_DOWN);
}

static void a_shut_down_is_answered_first_and_has_a_longest_time(void **state)
{
    static const uint32_t longest = INIT_GRACE_LONGEST_MS;
    static const uint32_t graces[][2] = {
        {0, 0}, {1, 1}, {longest, longest}, {longest + 1, longest}, {UINT32_MAX, longest}};

    (void)state;
    dispatch_guest.shutdown.how = UINT16_MAX;
    shut_down(REQUEST_HALT + 1, 0);
    assert_int_equal(dispatch_answer(), EINVAL);
    assert_int_equal(dispatch_guest.shutdown.how, UINT16_MAX);
    for (size_t i = 0; i < sizeof(graces) / sizeof(graces[0]); i++) {
        shut_down(REQUEST_HALT, graces[i][0]);
        assert_true(dispatch_is_quiet());
        assert_int_equal(dispatch_guest.shutdown.how, REQUEST_HALT);
        assert_int_equal(dispatch_guest.shutdown.reason, EVENT_BY_HOST);
        assert_int_equal(dispatch_guest.shutdown.grace_ms, graces[i][1]);
        assert_string_equal(answered, "");
    }
    dispatch_guest.shutdown.phase = SHUTDOWN_TERMINATING;
    shut_down(REQUEST_HALT, 0);
    assert_string_equal(answered, "already in progress");
}

/* What was promised to be loaded may have failed: a boot keeps its first features. */
static void facts_are_measured_again_but_not_the_features(void **state)
{
    const uint64_t before_ns = clock_now_ns();
    struct guest_capabilities facts;
    struct frame frame;

    (void)state;
    dispatch_guest.facts.features = UINT32_C(0x12345678);
    dispatch_guest.facts.started_ns = 4711;
    dispatch_send(FRAME_GET_CAPABILITIES);
    assert_true(link_support_take(dispatch_host, &frame));
    assert_int_equal(frame.type, FRAME_CAPABILITIES);
    assert_int_equal(frame.flags, FRAME_FLAG_ANSWER);
    assert_int_equal(frame.id, 77);
    assert_int_equal(capabilities_unpack(frame.payload, frame.length, &facts), 0);
    assert_int_equal(facts.features, dispatch_guest.facts.features);
    assert_int_equal(facts.started_ns, 4711);
    assert_in_range(facts.sent_ns, before_ns, clock_now_ns());
    assert_in_range(facts.memory_bytes, 1, UINTMAX_MAX);
    assert_true(dispatch_is_quiet());
}

/* The kernel's log, which has the pool, is not read again: it may have been overwritten. */
static void the_kernels_own_pool_stays_as_first_reported(void **state)
{
    struct guest_capabilities facts;
    struct frame frame;

    (void)state;
    dispatch_guest.cmdline.swiotlb_forced = true;
    dispatch_guest.facts.features = CAPABILITIES_SWIOTLB_DEFAULT;
    dispatch_guest.facts.swiotlb_base = 0x1b000000;
    dispatch_guest.facts.swiotlb_size = 0x4000000;
    dispatch_send(FRAME_GET_CAPABILITIES);
    assert_true(link_support_take(dispatch_host, &frame));
    assert_int_equal(capabilities_unpack(frame.payload, frame.length, &facts), 0);
    assert_int_equal(facts.swiotlb_base, 0x1b000000);
    assert_int_equal(facts.swiotlb_size, 0x4000000);
    assert_true(dispatch_guest.cmdline.swiotlb_forced);
}

static void the_pools_use_is_the_answer(void **state)
{
    struct event_pool_usage told;
    struct frame frame;

    (void)state;
    usage = (struct pool_usage){.event = {.slot_bytes = 2048, .count = 1}};
    usage.event.pools[0] =
        (struct event_pool){.total = 9, .used = 5, .high_water = 7, .name = {"pool", 4}};
    dispatch_send(FRAME_GET_POOL_USAGE);
    assert_true(link_support_take(dispatch_host, &frame));
    assert_int_equal(frame.type, FRAME_POOL_USAGE);
    assert_int_equal(frame.flags, FRAME_FLAG_ANSWER);
    assert_int_equal(frame.id, 77);
    assert_int_equal(event_pool_usage_unpack(frame.payload, frame.length, &told), 0);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.pools[0].used, 5);
    assert_true(dispatch_is_quiet());
    failing = ENOENT;
    dispatch_send(FRAME_GET_POOL_USAGE);
    assert_int_equal(dispatch_answer(), ENOENT);
}

static int set_time(uint64_t realtime_ns)
{
    request_set_time_pack(&dispatch_writer, &(struct request_set_time){.realtime_ns = realtime_ns});
    dispatch_send(FRAME_SET_TIME);
    return dispatch_answer(); /* and no step is told */
}

static void a_clock_that_was_not_stepped_is_not_told(void **state)
{
    const uint64_t day_ns = UINT64_C(86400000000000);
    struct timespec now;

    (void)state;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    assert_int_equal(set_time(0), EINVAL);
    assert_int_equal(set_time((uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec), 0);
    failing = EPERM;
    assert_int_equal(set_time((uint64_t)now.tv_sec * CLOCK_NS_PER_S + day_ns), EPERM);
}

#define LIVE(test) cmocka_unit_test_setup_teardown(test, set_up, dispatch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(a_hostname_is_set_and_written_for_programs_that_look_it_up),
        LIVE(entropy_is_given_to_the_kernel_which_takes_from_it_at_once),
        LIVE(a_shut_down_is_answered_first_and_has_a_longest_time),
        LIVE(facts_are_measured_again_but_not_the_features),
        LIVE(the_kernels_own_pool_stays_as_first_reported),
        LIVE(the_pools_use_is_the_answer),
        LIVE(a_clock_that_was_not_stepped_is_not_told),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
