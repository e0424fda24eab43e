/* hostd VM: what others ask of it: what each guest's answer, its silence, or its end means to
 * whoever asked, and what is refused at once. */
#include "base/clock.h"
#include "base/limits.h"
#include "telemetry/telemetry.h"
#include "vm/attachment.h"
#include "vm/operation.h"
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

/* What was told last. */
static struct {
    unsigned count;
    int error;
    char text[256];
    bool there;
    struct guest_capabilities measured;
    struct event_pool_usage usage;
} told;

static void note(int error, const char *text, bool there)
{
    told.count++;
    told.error = error;
    told.there = there;
    (void)snprintf(told.text, sizeof(told.text), "%s", text);
}

static void on_capabilities(void *userdata, int error, const char *text,
                            const struct guest_capabilities *measured)
{
    (void)userdata;
    note(error, text, measured != NULL);
    if (measured)
        told.measured = *measured;
}

static void on_usage(void *userdata, int error, const char *text,
                     const struct event_pool_usage *usage)
{
    (void)userdata;
    note(error, text, usage != NULL);
    if (usage)
        told.usage = *usage;
}

static void on_done(void *userdata, int error, const char *text)
{
    (void)userdata;
    note(error, text, false);
}

static int set_up_connected(void **state)
{
    int r = set_up(state);

    memset(&told, 0, sizeof(told));
    if (r == 0)
        connect_guest(*state, POOL);
    return r;
}

static void hang_up(struct fixture *f)
{
    (void)close(f->guest);
    f->guest = -1;
    run(f);
}

/* Takes the daemon's request of that type. @return its id */
static uint32_t take(struct fixture *f, uint16_t type, struct frame *ret_frame)
{
    static uint8_t bytes[65536];
    size_t size;
    ssize_t n;

    run(f);
    n = recv(f->guest, bytes, sizeof(bytes), MSG_DONTWAIT);
    assert_true(n > 0);
    assert_int_equal(frame_decode(bytes, (size_t)n, ret_frame, &size), 0);
    assert_int_equal(size, n);
    assert_int_equal(ret_frame->type, type);
    return ret_frame->id;
}

static void answer_error(struct fixture *f, uint32_t id, int error)
{
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    result_pack(&writer, &(struct result){.error = error, .text = wire_text_of("words")});
    say(f, FRAME_RESULT, FRAME_FLAG_ANSWER, id, payload, writer.size);
    run(f);
}

/* Asks for capabilities, and answers with those of the first report but for its memory.
 * @param cut  so many bytes less */
static void refresh(struct fixture *f, uint64_t more_memory, uint16_t type, size_t cut)
{
    struct guest_capabilities c = f->vm->boot.capabilities;
    uint8_t payload[256];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    struct frame frame;
    uint32_t id;

    assert_int_equal(vm_refresh_capabilities(f->vm, on_capabilities, f), 0);
    id = take(f, FRAME_GET_CAPABILITIES, &frame);
    c.memory_bytes += more_memory;
    capabilities_pack(&writer, &c);
    say(f, type, FRAME_FLAG_ANSWER, id, payload, writer.size - cut);
    run(f);
}

static void the_same_report_is_told_as_such_and_another_one_as_stale(void **state)
{
    struct fixture *f = *state;
    uint64_t before = telemetry_count(f->services.telemetry, TELEMETRY_READ_GUEST_CAPABILITIES);

    refresh(f, 0, FRAME_CAPABILITIES, 0);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.error, 0);
    assert_true(told.there);
    assert_int_equal(told.measured.swiotlb_size, POOL);
    refresh(f, 4096, FRAME_CAPABILITIES, 0);
    assert_int_equal(told.count, 2);
    assert_int_equal(told.error, ESTALE);
    assert_true(told.there);
    assert_int_equal(told.measured.memory_bytes, f->vm->boot.capabilities.memory_bytes + 4096);
    assert_int_equal(telemetry_count(f->services.telemetry, TELEMETRY_READ_GUEST_CAPABILITIES),
                     before + 2);
}

static void a_report_that_is_none_is_an_error(void **state)
{
    struct fixture *f = *state;
    uint64_t before = telemetry_count(f->services.telemetry, TELEMETRY_READ_GUEST_CAPABILITIES);
    struct frame frame;

    refresh(f, 0, FRAME_CAPABILITIES, 3);
    assert_int_equal(told.error, EPROTO);
    assert_false(told.there);
    refresh(f, 0, FRAME_POOL_USAGE, 0);
    assert_int_equal(told.count, 2);
    assert_int_equal(told.error, EPROTO);
    assert_int_equal(vm_refresh_capabilities(f->vm, on_capabilities, f), 0);
    answer_error(f, take(f, FRAME_GET_CAPABILITIES, &frame), EIO);
    assert_int_equal(told.count, 3);
    assert_int_equal(told.error, EIO);
    assert_string_equal(told.text, "words");
    assert_int_equal(telemetry_count(f->services.telemetry, TELEMETRY_READ_GUEST_CAPABILITIES),
                     before);
    assert_true(LIST_EMPTY(&f->vm->operations));
}

static void query_pool(struct fixture *f, const struct event_pool_usage *usage, uint16_t type,
                       size_t cut)
{
    uint8_t payload[256];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    struct frame frame;
    uint32_t id;

    assert_int_equal(vm_query_pool(f->vm, on_usage, f), 0);
    id = take(f, FRAME_GET_POOL_USAGE, &frame);
    event_pool_usage_pack(&writer, usage);
    say(f, type, FRAME_FLAG_ANSWER, id, payload, writer.size - cut);
    run(f);
}

/* No guest's number is larger than the memory that the VM has. */
static void the_use_of_a_pool_is_told_within_bounds(void **state)
{
    const struct event_pool_usage sound = {
        .slot_bytes = 2048,
        .count = 2,
        .pools = {{.total = 100, .used = 50, .high_water = 70, .name = wire_text_of("a")},
                  {.total = 10, .used = 11, .high_water = 12, .name = wire_text_of("b")}}};
    struct event_pool_usage usage = sound;
    struct fixture *f = *state;

    query_pool(f, &usage, FRAME_POOL_USAGE, 0);
    assert_int_equal(told.error, 0);
    assert_true(told.there);
    assert_int_equal(told.usage.count, 2);
    assert_int_equal(told.usage.pools[0].total, 100);
    assert_int_equal(told.usage.pools[0].used, 50);
    assert_int_equal(told.usage.pools[0].high_water, 70);
    assert_int_equal(told.usage.pools[1].used, 10);
    assert_int_equal(told.usage.pools[1].high_water, 10);
    usage.pools[0].total = usage.pools[0].used = UINT64_MAX;
    query_pool(f, &usage, FRAME_POOL_USAGE, 0);
    assert_int_equal(told.usage.pools[0].total, boot_pool_most(f->vm->config->memory) / 2048);
    assert_int_equal(told.usage.pools[0].used, told.usage.pools[0].total);
    usage.slot_bytes = 0;
    query_pool(f, &usage, FRAME_POOL_USAGE, 0);
    assert_int_equal(told.usage.pools[0].total, 0);
    assert_int_equal(told.count, 3);
    query_pool(f, &sound, FRAME_POOL_USAGE, 1);
    assert_int_equal(told.error, EPROTO);
    assert_false(told.there);
    query_pool(f, &sound, FRAME_CAPABILITIES, 0);
    assert_int_equal(told.error, EPROTO);
    assert_int_equal(told.count, 5);
}

static void a_kernel_without_statistics_is_told(void **state)
{
    struct fixture *f = *state;
    struct frame frame;

    assert_int_equal(vm_query_pool(f->vm, on_usage, f), 0);
    answer_error(f, take(f, FRAME_GET_POOL_USAGE, &frame), ENOENT);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.error, ENOENT);
    assert_string_equal(told.text, "words");
    assert_false(told.there);
}

static void who_goes_away_meanwhile_is_not_called(void **state)
{
    struct fixture *f = *state;
    int another = 0;

    assert_int_equal(vm_refresh_capabilities(f->vm, on_capabilities, f), 0);
    assert_int_equal(vm_query_pool(f->vm, on_usage, f), 0);
    assert_int_equal(vm_query_pool(f->vm, on_usage, &another), 0);
    vm_forget(f->vm, f);
    hang_up(f);
    assert_int_equal(told.count, 1); /* the other one */
    assert_int_equal(told.error, ECONNRESET);
    assert_true(LIST_EMPTY(&f->vm->operations));
}

static void nobody_is_asked_without_a_guest(void **state)
{
    struct fixture *f = *state;

    hang_up(f);
    assert_int_equal(vm_refresh_capabilities(f->vm, on_capabilities, f), -ENOTCONN);
    assert_int_equal(vm_query_pool(f->vm, on_usage, f), -ENOTCONN);
    assert_int_equal(vm_shut_down(f->vm, true, 0, on_done, f), -ENOTCONN);
    assert_false(f->vm->shutting_down);
    assert_true(LIST_EMPTY(&f->vm->operations));
    assert_int_equal(told.count, 0);
}

static int add(struct fixture *f, const char *tag, const char *path, const char *target)
{
    return vm_add_share(
        f->vm,
        &(struct config_share){.tag = (char *)tag, .path = (char *)path, .target = (char *)target},
        on_done, f);
}

static void a_share_that_no_file_may_have_is_refused(void **state)
{
    struct fixture *f = *state;
    char tag[LIMITS_TAG + 2], path[LIMITS_PATH + 1];
    size_t before = 0, after = 0;
    const struct attachment *a;

    for (a = f->vm->attachments; a; a = a->next)
        before++;
    memset(tag, 't', sizeof(tag));
    tag[LIMITS_TAG + 1] = '\0';
    memset(path, 'p', sizeof(path));
    path[0] = '/';
    path[LIMITS_PATH] = '\0';
    assert_int_equal(add(f, "", "/tmp", "/n"), -EINVAL);
    assert_int_equal(add(f, tag, "/tmp", "/n"), -EINVAL);
    assert_int_equal(add(f, "n", "", "/n"), -EINVAL);
    assert_int_equal(add(f, "n", "tmp", "/n"), -EINVAL);
    assert_int_equal(add(f, "n", "/tmp", "n"), -EINVAL);
    assert_int_equal(add(f, "n", "/tmp", ""), -EINVAL);
    assert_int_equal(add(f, "n", path, "/n"), -EINVAL);
    assert_int_equal(add(f, "n", "/tmp", path), -EINVAL);
    assert_int_equal(add(f, "n;", "/tmp", "/n"), -EINVAL);
    assert_int_equal(add(f, "n", "/tm;p", "/n"), -EINVAL);
    assert_int_equal(add(f, "n", "/tmp", "/n;"), -EINVAL);
    assert_int_equal(add(f, "n", "/tmp", "/\n"), -EINVAL);
    assert_int_equal(add(f, "n\xff", "/tmp", "/n"), -EINVAL);
    assert_int_equal(add(f, "n", "/tmp", "/a"), -EBUSY); /* a's */
    assert_int_equal(add(f, "a", "/tmp", "/a"), -EEXIST);
    for (a = f->vm->attachments; a; a = a->next)
        after++;
    assert_int_equal(after, before);
    tag[LIMITS_TAG] = '\0';
    assert_int_equal(add(f, tag, "/tmp", "/n"), 0);
    settle(f);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.error, 0);
}

static void a_share_is_promised_to_a_guest_that_is_away(void **state)
{
    struct fixture *f = *state;

    hang_up(f);
    assert_int_equal(add(f, "new", "/tmp", "/new"), 0);
    assert_int_equal(told.count, 0); /* not before the call has returned */
    run(f);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.error, 0);
    assert_non_null(strstr(told.text, "not connected"));
    connect_guest(f, POOL);
    assert_int_equal(f->asked[FRAME_MOUNT], 1);
    assert_int_equal(told.count, 1);
}

static void one_thing_at_a_time_is_asked_of_a_share(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, "new", "/tmp", "/new"), 0);
    assert_int_equal(vm_remove_share(f->vm, "new", on_done, f), -EBUSY);
    settle(f);
    assert_int_equal(told.count, 1);
    assert_int_equal(vm_remove_share(f->vm, "new", on_done, f), 0);
    assert_int_equal(vm_remove_share(f->vm, "new", on_done, f), -EBUSY);
    settle(f);
    assert_int_equal(told.count, 2);
    assert_int_equal(told.error, 0);
    assert_string_equal(told.text, "");
    assert_int_equal(vm_remove_share(f->vm, "new", on_done, f), -ENOENT);
    hang_up(f);
    assert_int_equal(vm_remove_share(f->vm, "a", on_done, f), 0);
    run(f);
    assert_int_equal(told.count, 3);
    assert_non_null(strstr(told.text, "was not asked to unmount"));
}

/* @return the operation, of which the guest was asked for @p how within @p grace_ms */
static struct operation *shut_down(struct fixture *f, bool reboot, uint32_t given_ms, uint16_t how,
                                   uint32_t grace_ms)
{
    struct request_shut_down request;
    struct frame frame;

    assert_int_equal(vm_shut_down(f->vm, reboot, given_ms, on_done, f), 0);
    assert_true(f->vm->shutting_down);
    (void)take(f, FRAME_SHUT_DOWN, &frame);
    assert_int_equal(request_shut_down_unpack(frame.payload, frame.length, &request), 0);
    assert_int_equal(request.how, how);
    assert_int_equal(request.grace_ms, grace_ms);
    answer_error(f, frame.id, 0);
    assert_int_equal(told.count, 0);
    return LIST_FIRST(&f->vm->operations);
}

static void a_guest_that_says_farewell_has_shut_down(void **state)
{
    struct fixture *f = *state;
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    f->settings->config->vms[0].timeouts.shut_down = 1234;
    (void)shut_down(f, false, 0, REQUEST_POWER_OFF, 1234);
    event_farewell_pack(&writer, &(struct event_farewell){.how = REQUEST_POWER_OFF});
    say(f, FRAME_FAREWELL, 0, 7, payload, writer.size);
    run(f);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.error, 0);
    assert_string_equal(told.text, "");
    assert_true(LIST_EMPTY(&f->vm->operations));
}

static void a_guest_that_is_gone_without_it_has_too(void **state)
{
    struct fixture *f = *state;

    (void)shut_down(f, true, 77, REQUEST_REBOOT, 77);
    hang_up(f);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.error, 0);
    assert_string_equal(told.text, "the guest's connection closed without farewell");
}

static void a_guest_that_stays_is_told_after_its_time(void **state)
{
    struct fixture *f = *state;
    uint64_t before = telemetry_count(f->services.telemetry, TELEMETRY_GUEST_TIMEOUT);
    struct operation *operation;

    f->step_us = clock_now_us();
    operation = shut_down(f, false, 5000, REQUEST_POWER_OFF, 5000);
    expire(f, operation->timer, 5000 + LIMITS_FAREWELL_SLACK_MS);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.error, ETIMEDOUT);
    assert_false(f->vm->shutting_down);
    assert_int_equal(telemetry_count(f->services.telemetry, TELEMETRY_GUEST_TIMEOUT), before + 1);
    assert_true(LIST_EMPTY(&f->vm->operations));
}

static void a_guest_that_refuses_goes_on(void **state)
{
    struct fixture *f = *state;
    struct frame frame;

    assert_int_equal(vm_shut_down(f->vm, false, 0, on_done, f), 0);
    answer_error(f, take(f, FRAME_SHUT_DOWN, &frame), EINVAL);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.error, EINVAL);
    assert_string_equal(told.text, "words");
    assert_false(f->vm->shutting_down);
    assert_true(LIST_EMPTY(&f->vm->operations));
}

static unsigned lefts;

static void on_left(void *userdata, struct vm *vm)
{
    assert_ptr_equal(((struct fixture *)userdata)->vm, vm);
    lefts++;
}

static void a_vm_leaves_when_its_devices_have_gone(void **state)
{
    struct fixture *f = *state;

    lefts = 0;
    vm_leave(f->vm, on_left, f);
    run(f);
    assert_int_equal(lefts, 0);
    settle(f);
    assert_int_equal(f->asked[FRAME_UNMOUNT], 2);
    assert_null(f->vm->attachments);
    assert_null(f->vm->devices);
    assert_int_equal(lefts, 1);
}

static void a_vm_leaves_in_time_whatever_stays(void **state)
{
    struct fixture *f = *state;

    lefts = 0;
    f->step_us = clock_now_us();
    vm_leave(f->vm, on_left, f);
    run(f); /* the guest does not answer */
    expire(f, f->vm->leave_timer, LIMITS_LEAVE_MS);
    assert_int_equal(lefts, 1);
    assert_non_null(f->vm->attachments);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_connected, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_same_report_is_told_as_such_and_another_one_as_stale),
        TEST(a_report_that_is_none_is_an_error),
        TEST(the_use_of_a_pool_is_told_within_bounds),
        TEST(a_kernel_without_statistics_is_told),
        TEST(who_goes_away_meanwhile_is_not_called),
        TEST(nobody_is_asked_without_a_guest),
        TEST(a_share_that_no_file_may_have_is_refused),
        TEST(a_share_is_promised_to_a_guest_that_is_away),
        TEST(one_thing_at_a_time_is_asked_of_a_share),
        TEST(a_guest_that_says_farewell_has_shut_down),
        TEST(a_guest_that_is_gone_without_it_has_too),
        TEST(a_guest_that_stays_is_told_after_its_time),
        TEST(a_guest_that_refuses_goes_on),
        TEST(a_vm_leaves_when_its_devices_have_gone),
        TEST(a_vm_leaves_in_time_whatever_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
