/* hostd virtio device: a device host that answers when the test says so, and what it answers. The
 * two shares of the fixture have one directory, and so one device. */
#include "vm_support.h"

#include "base/clock.h"
#include "device/device_host.h"
#include "telemetry/telemetry.h"
#include "vm/attachment.h"
#include "vm/share.h"
#include "vm/virtio_device.h"
#include "vm/vm_parts.h"

#include <errno.h>
#include <string.h>

#define POOL UINT64_C(67108864)

/* What the device host was asked last, and has not answered. */
struct asked {
    device_done_fn done;
    void *userdata;
    unsigned count;
    int refusal; /* what beginning it returns */
};

static struct asked added, removed;
static bool up;

static int ask(struct asked *asked, device_done_fn done, void *userdata)
{
    if (asked->refusal)
        return asked->refusal;
    *asked = (struct asked){.done = done, .userdata = userdata, .count = asked->count + 1};
    return 0;
}

int __wrap_device_host_add_share(struct device_host *host, const struct device_share *share,
                                 device_done_fn done, void *userdata);
int __wrap_device_host_add_share(struct device_host *host, const struct device_share *share,
                                 device_done_fn done, void *userdata)
{
    (void)host;
    assert_string_equal(share->tag, added.refusal && added.count++ ? "b" : "a");
    return ask(&added, done, userdata);
}

int __wrap_device_host_remove_share(struct device_host *host, const char *tag, device_done_fn done,
                                    void *userdata);
int __wrap_device_host_remove_share(struct device_host *host, const char *tag, device_done_fn done,
                                    void *userdata)
{
    (void)host;
    assert_string_equal(tag, "a");
    return ask(&removed, done, userdata);
}

bool __wrap_device_host_is_up(const struct device_host *host);
bool __wrap_device_host_is_up(const struct device_host *host)
{
    (void)host;
    return up;
}

static int set_up_here(void **state)
{
    added = removed = (struct asked){.done = NULL};
    up = true;
    return set_up(state);
}

static void answer_with(struct fixture *f, struct asked *asked,
                        const struct device_outcome *outcome)
{
    device_done_fn done = asked->done;

    assert_non_null(done);
    asked->done = NULL;
    done(asked->userdata, outcome);
    settle(f);
}

static void need_shares(struct fixture *f, enum vm_device_state state, const char *error)
{
    struct vm_share_view share;

    for (size_t i = 0; i < 2; i++) {
        vm_get_share(f->vm, i, &share);
        assert_int_equal(share.state, state);
        assert_string_equal(share.error, error);
    }
}

static uint64_t count(const struct fixture *f, enum telemetry_event event)
{
    return telemetry_count(f->services.telemetry, event);
}

static const struct device_outcome there = {.text = "", .created = true};

static void two_shares_of_one_directory_have_one_device(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    need_shares(f, VM_DEVICE_ADDING, "");
    assert_int_equal(added.count, 1);
    assert_int_equal(f->asked[FRAME_MOUNT], 0);
    answer_with(f, &added, &there);
    need_shares(f, VM_DEVICE_IN_USE, "");
    assert_int_equal(f->asked[FRAME_MOUNT], 2);
    assert_int_equal(added.count, 1);
    assert_int_equal(f->services.latencies.device.count, 1);
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 0);
}

static void device_that_cannot_be_made_fails_its_users_and_is_forgotten(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    answer_with(f, &added, &(struct device_outcome){.error = EIO, .text = "no such machine"});
    need_shares(f, VM_DEVICE_FAILED, "no such machine");
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 2);
    assert_null(f->vm->devices);
    assert_int_equal(f->asked[FRAME_COMPLETE_BOOT], 1); /* the boot does not wait for it */
    vm_device_host_events.up(f->vm);
    settle(f);
    assert_int_equal(added.count, 2);
    answer_with(f, &added, &there);
    need_shares(f, VM_DEVICE_IN_USE, "");
}

static void device_that_cannot_be_asked_for_fails_its_users_and_is_forgotten(void **state)
{
    struct fixture *f = *state;

    added.refusal = -EMFILE;
    connect_guest(f, POOL);
    need_shares(f, VM_DEVICE_FAILED, "/usr on the host: Too many open files");
    assert_null(f->vm->devices);
}

static void answer_to_nobody_changes_nothing(void **state)
{
    static const struct device_outcome given_up = {.error = ECANCELED, .text = ""};
    struct fixture *f = *state;

    connect_guest(f, POOL);
    added.done(added.userdata, &given_up);
    settle(f);
    need_shares(f, VM_DEVICE_ADDING, "");
    assert_int_equal(f->services.latencies.device.count, 0);
    answer_with(f, &added, &there);
    assert_int_equal(vm_remove_share(f->vm, "a", note_done, f), 0);
    assert_int_equal(vm_remove_share(f->vm, "b", note_done, f), 0);
    settle(f);
    removed.done(removed.userdata, &given_up);
    settle(f);
    assert_non_null(f->vm->devices);
    assert_int_equal(f->done, 1);
}

static void remove_both(struct fixture *f)
{
    connect_guest(f, POOL);
    answer_with(f, &added, &there);
    assert_int_equal(vm_remove_share(f->vm, "a", note_done, f), 0);
    settle(f);
    assert_int_equal(f->done, 1); /* the other one's goes on */
    assert_int_equal(f->error, 0);
    assert_int_equal(removed.count, 0);
    assert_int_equal(vm_remove_share(f->vm, "b", note_done, f), 0);
    settle(f);
}

static void last_user_has_its_device_removed(void **state)
{
    struct fixture *f = *state;

    remove_both(f);
    assert_int_equal(removed.count, 1);
    assert_int_equal(f->done, 1);
    answer_with(f, &removed, &(struct device_outcome){.text = ""});
    assert_int_equal(f->done, 2);
    assert_int_equal(f->error, 0);
    assert_null(f->vm->devices);
    assert_null(f->vm->attachments);
    assert_int_equal(count(f, TELEMETRY_REMOVE_VIRTIO_FS_SHARE), 1);
}

static void device_that_cannot_be_removed_is_told_to_whoever_asked(void **state)
{
    struct fixture *f = *state;

    remove_both(f);
    answer_with(f, &removed, &(struct device_outcome){.error = EBUSY, .text = "in use"});
    assert_int_equal(f->done, 2);
    assert_int_equal(f->error, EBUSY);
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 1);
    assert_int_equal(count(f, TELEMETRY_REMOVE_VIRTIO_FS_SHARE), 0);
    assert_null(f->vm->devices);
}

/* Where the VM is not there, that is no failure of the device's. */
static void removal_that_cannot_begin_is_told_if_the_vm_is_there(void **state)
{
    static const struct {
        int refusal;
        unsigned failures;
    } rows[] = {{-EIO, 1}, {-ENOTCONN, 0}, {-EPIPE, 0}, {-ECONNRESET, 0}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f;

        assert_int_equal(set_up_here(state), 0);
        f = *state;
        removed.refusal = rows[i].refusal;
        remove_both(f);
        assert_int_equal(f->done, 2);
        assert_int_equal(f->error, -rows[i].refusal);
        assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), rows[i].failures);
        assert_null(f->vm->devices);
        assert_int_equal(tear_down(state), 0);
    }
}

static void share_that_comes_back_waits_for_the_device_that_goes(void **state)
{
    const struct config_share share = {
        .tag = (char *)"a", .path = (char *)"/usr", .target = (char *)"/a"};
    struct fixture *f = *state;

    remove_both(f);
    assert_int_equal(vm_add_share(f->vm, &share, note_done, f), 0);
    settle(f);
    assert_int_equal(added.count, 1);
    answer_with(f, &removed, &(struct device_outcome){.text = ""});
    assert_int_equal(added.count, 2);
    answer_with(f, &added, &there);
    assert_int_equal(f->done, 3);
    assert_int_equal(f->error, 0);
}

/* What the guest was asked may wait for the lost device's successor: its answer decides. */
static void late_device_does_not_fail_what_the_guest_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct attachment *a;

    f->step_us = clock_now_us();
    f->settings->config->vms[0].timeouts.device = 77000;
    connect_guest(f, POOL);
    added.done(added.userdata, &there);
    run(f); /* the guest is asked, and does not answer yet */
    up = false;
    shares_lost(f->vm, "a", false, "it was killed");
    run(f);
    removed.done(removed.userdata, &(struct device_outcome){.text = ""});
    run(f);
    a = attachment_next(f->vm, &share_kind, NULL);
    assert_true(a->asked);
    assert_int_equal(a->state, VM_DEVICE_WAITING);
    expire(f, a->timer, 77000);
    assert_int_equal(count(f, TELEMETRY_GUEST_TIMEOUT), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_here, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_shares_of_one_directory_have_one_device),
        TEST(device_that_cannot_be_made_fails_its_users_and_is_forgotten),
        TEST(device_that_cannot_be_asked_for_fails_its_users_and_is_forgotten),
        TEST(answer_to_nobody_changes_nothing),
        TEST(last_user_has_its_device_removed),
        TEST(device_that_cannot_be_removed_is_told_to_whoever_asked),
        cmocka_unit_test(removal_that_cannot_begin_is_told_if_the_vm_is_there),
        TEST(share_that_comes_back_waits_for_the_device_that_goes),
        TEST(late_device_does_not_fail_what_the_guest_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
