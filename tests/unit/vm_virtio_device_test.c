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
#include <json-c/json.h>
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
static const char *expected; /* whose device is asked for; NULL: anyone's */

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
    if (expected)
        assert_string_equal(share->tag, added.refusal && added.count++ ? "b" : expected);
    return ask(&added, done, userdata);
}

int __wrap_device_host_remove_share(struct device_host *host, const char *tag, device_done_fn done,
                                    void *userdata);
int __wrap_device_host_remove_share(struct device_host *host, const char *tag, device_done_fn done,
                                    void *userdata)
{
    (void)host;
    if (expected)
        assert_string_equal(tag, expected);
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
    expected = "a";
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

static void add(struct fixture *f, const char *tag, const char *path, const char *target,
                bool read_only)
{
    const struct config_share share = {
        .tag = (char *)tag, .path = (char *)path, .target = (char *)target, .read_only = read_only};

    assert_int_equal(vm_add_share(f->vm, &share, note_done, f), 0);
    settle(f);
}

static struct vm_share_view view_of(const struct fixture *f, size_t index)
{
    struct vm_share_view share;

    vm_get_share(f->vm, index, &share);
    return share;
}

/* The fixture's shares are mounted, and one of another directory is asked for. */
static void ask_for_another(struct fixture *f)
{
    connect_guest(f, POOL);
    answer_with(f, &added, &there);
    expected = "new";
    add(f, "new", "/tmp", "/new", false);
    assert_int_equal(added.count, 2);
    assert_int_equal(view_of(f, 2).state, VM_DEVICE_ADDING);
}

static void device_that_cannot_be_made_fails_nobody_else(void **state)
{
    struct fixture *f = *state;

    ask_for_another(f);
    answer_with(f, &added, &(struct device_outcome){.error = EIO, .text = "no such machine"});
    assert_int_equal(f->done, 1);
    assert_int_equal(f->error, EIO);
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 1);
    need_shares(f, VM_DEVICE_IN_USE, "");
    assert_non_null(virtio_device_find(f->vm, &share_kind, "a"));
}

static void nothing_fails_for_a_vm_that_has_ended(void **state)
{
    static const struct device_outcome failed = {.error = EIO, .text = "no such machine"};
    struct fixture *f = *state;

    connect_guest(f, POOL);
    f->vm->ended = true;
    answer_with(f, &added, &failed);
    need_shares(f, VM_DEVICE_ADDING, ""); /* again: its guest is connected here */
    assert_int_equal(added.count, 2);
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 0);
    f->vm->ended = false;
    answer_with(f, &added, &there);
    assert_int_equal(vm_remove_share(f->vm, "a", note_done, f), 0);
    settle(f);
    assert_int_equal(vm_remove_share(f->vm, "b", note_done, f), 0);
    settle(f);
    f->vm->ended = true;
    answer_with(f, &removed, &failed);
    assert_null(f->vm->devices);
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 0);
    assert_int_equal(f->done, 2);
}

/* What is saved names the devices. */
static void each_change_of_a_device_is_saved(void **state)
{
    struct fixture *f = *state;
    device_done_fn done;

    connect_guest(f, POOL);
    assert_false(f->vm->saver.now);
    done = added.done;
    done(added.userdata, &there);
    assert_true(f->vm->saver.now);
    settle(f);
    assert_int_equal(vm_remove_share(f->vm, "a", note_done, f), 0);
    assert_int_equal(vm_remove_share(f->vm, "b", note_done, f), 0);
    settle(f);
    assert_false(f->vm->saver.now);
    done = removed.done;
    done(removed.userdata, &(struct device_outcome){.text = ""});
    assert_true(f->vm->saver.now);
    settle(f);
}

static void device_of_nobody_is_removed_as_soon_as_it_is_there(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    assert_int_equal(vm_remove_share(f->vm, "a", note_done, f), 0);
    assert_int_equal(vm_remove_share(f->vm, "b", note_done, f), 0);
    settle(f);
    assert_int_equal(removed.count, 0);
    answer_with(f, &added, &there);
    assert_int_equal(removed.count, 1);
    answer_with(f, &removed, &(struct device_outcome){.text = ""});
    assert_null(f->vm->devices);
    assert_int_equal(f->done, 2);
}

/* A predecessor's mounts are of no use with a device that was made now; the other shares' are. */
static void what_is_mounted_of_a_predecessor_is_mounted_again(void **state)
{
    static const struct device_outcome found = {.text = "", .created = false};
    static const struct {
        const struct device_outcome *outcome;
        enum config_device_host_type host;
        const char *mounts;
    } rows[] = {
        {&there, CONFIG_DEVICE_HOST_QEMU, "!/a !/b +/a +/b "},
        {&found, CONFIG_DEVICE_HOST_QEMU, ""},
        {&there, CONFIG_DEVICE_HOST_NONE, ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f;

        assert_int_equal(set_up_here(state), 0);
        f = *state;
        ask_for_another(f);
        answer_with(f, &added, &there);
        f->settings->config->vms[0].device_host.type = rows[i].host;
        expected = NULL;
        f->mounts[0] = '\0';
        up = false;
        vm_device_host_events.down(f->vm, false, "the socket closed");
        assert_null(f->vm->devices);
        settle(f);
        up = true;
        vm_device_host_events.up(f->vm);
        settle(f);
        assert_non_null(virtio_device_find(f->vm, &share_kind, "a"));
        assert_non_null(virtio_device_find(f->vm, &share_kind, "new"));
        /* both are asked for, and the first one is answered */
        added.userdata = virtio_device_find(f->vm, &share_kind, "a");
        answer_with(f, &added, rows[i].outcome);
        assert_string_equal(f->mounts, rows[i].mounts);
        assert_false(attachment_find(f->vm, &share_kind, "new", true)->renew);
        need_shares(f, VM_DEVICE_IN_USE, "");
        f->settings->config->vms[0].device_host.type = CONFIG_DEVICE_HOST_NONE;
        assert_int_equal(tear_down(state), 0);
    }
}

static const struct device_outcome cut_off = {.error = ECONNRESET, .text = "it ended"};

static void go_down(struct fixture *f)
{
    up = false;
    vm_device_host_events.down(f->vm, false, "the socket closed");
    answer_with(f, &added, &cut_off);
}

/* What is mounted stays mounted, and is asked for again each time; nothing failed. */
static void device_host_that_goes_in_the_middle_fails_nothing_that_is_set_up(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    answer_with(f, &added, &there);
    for (unsigned i = 0; i < 3; i++) {
        up = false;
        vm_device_host_events.down(f->vm, false, "the socket closed");
        settle(f);
        up = true;
        vm_device_host_events.up(f->vm);
        settle(f);
        assert_int_equal(added.count, i + 2);
        go_down(f);
        need_shares(f, VM_DEVICE_IN_USE, "");
        assert_null(f->vm->devices);
    }
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 6); /* each the device host's */
    up = true;
    vm_device_host_events.up(f->vm);
    settle(f);
    answer_with(f, &added, &(struct device_outcome){.text = ""});
    need_shares(f, VM_DEVICE_IN_USE, "");
    assert_non_null(f->vm->devices);
    assert_int_equal(f->asked[FRAME_MOUNT], 2);
}

static void device_host_that_goes_in_the_middle_fails_what_waits_for_it(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    go_down(f);
    need_shares(f, VM_DEVICE_FAILED, "the socket closed");
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 3); /* the device host's, too */
    assert_null(f->vm->devices);
    up = true;
    vm_device_host_events.up(f->vm);
    settle(f);
    answer_with(f, &added, &there);
    need_shares(f, VM_DEVICE_IN_USE, "");
}

static void vm_that_ends_in_the_middle_is_told_to_who_waits(void **state)
{
    struct fixture *f = *state;

    ask_for_another(f);
    up = false;
    answer_with(f, &added, &cut_off);
    assert_int_equal(f->done, 0);
    vm_device_host_events.down(f->vm, true, "the process exited");
    settle(f);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->error, ENOTCONN);
    assert_null(attachment_find(f->vm, &share_kind, "new", true));
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 0);
}

static void vm_that_ends_while_its_devices_are_made_fails_nothing(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    need_shares(f, VM_DEVICE_ADDING, "");
    up = false;
    answer_with(f, &added, &cut_off);
    vm_device_host_events.down(f->vm, true, "the process exited");
    settle(f);
    need_shares(f, VM_DEVICE_WAITING, "");
    for (const struct attachment *a = f->vm->attachments; a; a = a->next)
        assert_false(a->timer && sd_event_source_get_enabled(a->timer, NULL)); /* nothing is late */
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 0);
}

/* It is removed when the device host is back. */
static void device_that_goes_is_not_forgotten_with_its_host(void **state)
{
    struct fixture *f = *state;

    ask_for_another(f);
    assert_int_equal(vm_remove_share(f->vm, "a", note_done, f), 0);
    assert_int_equal(vm_remove_share(f->vm, "b", note_done, f), 0);
    run(f); /* the guest has not unmounted them yet */
    vm_device_host_events.down(f->vm, false, "the socket closed");
    assert_non_null(virtio_device_find(f->vm, &share_kind, "a"));
    assert_non_null(virtio_device_find(f->vm, &share_kind, "new")); /* not there yet */
    vm_device_host_events.down(f->vm, true, "the process exited");
    assert_null(virtio_device_find(f->vm, &share_kind, "a"));
    assert_non_null(virtio_device_find(f->vm, &share_kind, "new"));
    expected = NULL;
    run(f);
}

static void folder_of_a_device_of_an_earlier_daemon_is_recalled(void **state)
{
    static const struct device_outcome found = {.text = "", .created = false};
    static const struct {
        const struct device_outcome *outcome;
        const char *folders;
        bool recalled;
    } rows[] = {
        {&found, "{\"a\": [111, 222]}", true},
        {&found, "{\"a\": [111]}", false},
        {&found, "{\"b\": [111, 222]}", false},
        {&there, "{\"a\": [111, 222]}", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct shared_folder folder;
        struct fixture *f;

        assert_int_equal(set_up_here(state), 0);
        assert_int_equal(shared_folder_look("/usr", &folder), 0);
        f = *state;
        f->vm->folders = json_tokener_parse(rows[i].folders);
        connect_guest(f, POOL);
        answer_with(f, &added, rows[i].outcome);
        assert_int_equal(f->vm->devices->folder.device, rows[i].recalled ? 111 : folder.device);
        assert_int_equal(f->vm->devices->folder.inode, rows[i].recalled ? 222 : folder.inode);
        assert_int_equal(tear_down(state), 0);
    }
}

static void devices_of_the_boot_are_timed_and_later_ones_are_not(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    f->vm->boot.timings.devices_ms = UINT32_MAX;
    answer_with(f, &added, &there);
    assert_int_not_equal(f->vm->boot.timings.devices_ms, UINT32_MAX);
    f->vm->boot.timings.devices_ms = UINT32_MAX;
    expected = "new";
    add(f, "new", "/tmp", "/new", false);
    answer_with(f, &added, &there);
    assert_int_equal(f->vm->boot.timings.devices_ms, UINT32_MAX);
}

static void devices_of_a_guest_that_is_ready_are_not_timed(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    f->vm->boot.ready = true;
    f->vm->boot.timings.devices_ms = UINT32_MAX;
    answer_with(f, &added, &there);
    assert_int_equal(f->vm->boot.timings.devices_ms, UINT32_MAX);
}

static void device_host_that_is_down_is_waited_for(void **state)
{
    static const int gone[] = {-ENOTCONN, -EPIPE, -ECONNRESET};
    struct fixture *f = *state;

    up = false;
    connect_guest(f, POOL);
    need_shares(f, VM_DEVICE_WAITING, "");
    assert_int_equal(added.count, 0);
    up = true;
    expected = NULL; /* either may be asked for first */
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
        added.refusal = gone[i];
        vm_device_host_events.up(f->vm);
        settle(f);
        need_shares(f, VM_DEVICE_WAITING, "");
        assert_null(f->vm->devices);
    }
    added.refusal = 0;
    vm_device_host_events.up(f->vm);
    settle(f);
    answer_with(f, &added, &there);
    need_shares(f, VM_DEVICE_IN_USE, "");
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 0);
}

static void share_that_is_read_only_has_another_device(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    answer_with(f, &added, &there);
    expected = "ro";
    add(f, "ro", "/usr", "/ro", true);
    assert_int_equal(added.count, 2);
    answer_with(f, &added, &there);
    expected = "c";
    add(f, "c", "/usr", "/c", true);
    assert_int_equal(added.count, 2);
    assert_string_equal(view_of(f, 3).device, "ro");
    assert_string_equal(view_of(f, 1).device, "a");
}

static void name_of_another_device_cannot_be_used(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    answer_with(f, &added, &there);
    assert_int_equal(vm_remove_share(f->vm, "a", note_done, f), 0);
    settle(f); /* b uses its device */
    add(f, "a", "/tmp", "/a", false);
    assert_int_equal(f->done, 2);
    assert_int_equal(f->error, EEXIST);
    assert_int_equal(added.count, 1);
}

static void path_that_does_not_exist_is_not_asked_for(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    answer_with(f, &added, &there);
    add(f, "new", "/usr/none/such", "/new", false);
    assert_int_equal(f->error, ENOENT);
    add(f, "new", "/dev/null", "/new", false);
    assert_int_equal(f->error, ENOTDIR);
    assert_int_equal(f->done, 2);
    assert_int_equal(added.count, 1);
}

/* Its device may be one of before the device host went down. */
static void share_without_a_device_leaves_none_behind(void **state)
{
    static const struct {
        bool up, ended;
        enum config_device_host_type host;
        unsigned removals;
    } rows[] = {
        {false, false, CONFIG_DEVICE_HOST_QEMU, 1},   {true, false, CONFIG_DEVICE_HOST_QEMU, 0},
        {true, false, CONFIG_DEVICE_HOST_LIBVIRT, 1}, {true, true, CONFIG_DEVICE_HOST_LIBVIRT, 0},
        {false, true, CONFIG_DEVICE_HOST_QEMU, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f;

        assert_int_equal(set_up_here(state), 0);
        f = *state;
        up = rows[i].up;
        f->vm->ended = rows[i].ended;
        f->settings->config->vms[0].device_host.type = rows[i].host;
        assert_int_equal(vm_remove_share(f->vm, "a", note_done, f), 0);
        settle(f);
        assert_int_equal(f->done, 1);
        assert_int_equal(removed.count, rows[i].removals);
        assert_int_equal(removed.done != NULL, rows[i].removals > 0);
        f->settings->config->vms[0].device_host.type = CONFIG_DEVICE_HOST_NONE;
        assert_int_equal(tear_down(state), 0);
    }
}

/* libvirt is asked to remove a device that may exist: a new share of that tag waits meanwhile. */
static void successor_of_a_device_that_may_be_there_waits(void **state)
{
    static const struct config_share share = {
        .tag = (char *)"a", .path = (char *)"/tmp", .target = (char *)"/a"};
    struct fixture *f = *state;

    f->settings->config->vms[0].device_host.type = CONFIG_DEVICE_HOST_LIBVIRT;
    expected = NULL;
    assert_int_equal(vm_remove_share(f->vm, "a", note_done, f), 0);
    settle(f);
    assert_int_equal(removed.count, 1);
    assert_int_equal(vm_add_share(f->vm, &share, note_done, f), 0);
    connect_guest(f, POOL);
    assert_int_equal(added.count, 1); /* b's alone */
    answer_with(f, &removed, &there);
    assert_int_equal(added.count, 2);
    assert_int_equal(count(f, TELEMETRY_REMOVE_VIRTIO_FS_SHARE), 0);
    f->settings->config->vms[0].device_host.type = CONFIG_DEVICE_HOST_NONE;
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
        TEST(device_that_cannot_be_made_fails_nobody_else),
        TEST(nothing_fails_for_a_vm_that_has_ended),
        TEST(each_change_of_a_device_is_saved),
        TEST(device_of_nobody_is_removed_as_soon_as_it_is_there),
        cmocka_unit_test(what_is_mounted_of_a_predecessor_is_mounted_again),
        TEST(device_that_goes_is_not_forgotten_with_its_host),
        cmocka_unit_test(folder_of_a_device_of_an_earlier_daemon_is_recalled),
        TEST(devices_of_the_boot_are_timed_and_later_ones_are_not),
        TEST(devices_of_a_guest_that_is_ready_are_not_timed),
        TEST(device_host_that_is_down_is_waited_for),
        TEST(device_host_that_goes_in_the_middle_fails_nothing_that_is_set_up),
        TEST(device_host_that_goes_in_the_middle_fails_what_waits_for_it),
        TEST(vm_that_ends_in_the_middle_is_told_to_who_waits),
        TEST(vm_that_ends_while_its_devices_are_made_fails_nothing),
        TEST(share_that_is_read_only_has_another_device),
        TEST(name_of_another_device_cannot_be_used),
        TEST(successor_of_a_device_that_may_be_there_waits),
        TEST(path_that_does_not_exist_is_not_asked_for),
        cmocka_unit_test(share_without_a_device_leaves_none_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
