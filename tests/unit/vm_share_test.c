/* hostd VM: the server of a share is lost, at any moment of the share's way to its mount. What the
 * guest has mounted by then is of no use, and a guest that is asked to mount it again says that it
 * is mounted. */
#include "vm_support.h"

#include "base/limits.h"
#include "telemetry/telemetry.h"
#include "vm/adapter.h"
#include "vm/share.h"
#include "vm/virtio_device.h"
#include "vm/vm_parts.h"

#include "protocol/event.h"
#include "protocol/request.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define POOL UINT64_C(67108864)

/* What the removal of a device's begin answers in its place, if not 0. */
static int removal;

int __real_device_host_remove_share(struct device_host *host, const char *tag, device_done_fn done,
                                    void *userdata);
int __wrap_device_host_remove_share(struct device_host *host, const char *tag, device_done_fn done,
                                    void *userdata);
int __wrap_device_host_remove_share(struct device_host *host, const char *tag, device_done_fn done,
                                    void *userdata)
{
    return removal ? removal : __real_device_host_remove_share(host, tag, done, userdata);
}

static void lose(struct fixture *f, const char *tag)
{
    shares_lost(f->vm, tag, false, "it was killed");
}

static void hang_up(struct fixture *f)
{
    (void)close(f->guest);
    f->guest = -1;
    run(f);
}

static void lose_without_guest(struct fixture *f, const char *tag)
{
    connect_guest(f, POOL);
    hang_up(f);
    lose(f, tag);
    run(f);
}

/* The guest was asked for just that, and has all of its shares. */
static void assert_remounted(struct fixture *f, unsigned unmounts, unsigned mounts)
{
    struct vm_share_view share;
    struct vm_view view;

    assert_int_equal(f->asked[FRAME_UNMOUNT], unmounts);
    assert_int_equal(f->asked[FRAME_MOUNT], mounts);
    vm_get_view(f->vm, &view);
    for (size_t i = 0; i < view.share_count; i++) {
        vm_get_share(f->vm, i, &share);
        assert_int_equal(share.state, VM_DEVICE_IN_USE);
    }
}

static void a_mounted_share_is_mounted_anew(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    lose(f, "a"); /* b uses the same device */
    settle(f);
    assert_remounted(f, 2, 2 + 2);
}

static void an_answer_that_is_on_its_way_counts_for_nothing(void **state)
{
    const struct config_share share = {
        .tag = (char *)"new", .path = (char *)"/tmp", .target = (char *)"/new"};
    struct fixture *f = *state;

    connect_guest(f, POOL);
    assert_int_equal(vm_add_share(f->vm, &share, note_done, f), 0);
    run(f); /* the guest is asked, and does not answer yet */
    lose(f, "new");
    run(f);
    assert_int_equal(f->done, 0);
    settle(f);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->error, 0);
    assert_remounted(f, 1, 2 + 2);
}

static void what_was_lost_without_a_guest_is_unmounted_when_it_is_back(void **state)
{
    struct fixture *f = *state;

    lose_without_guest(f, "a");
    connect_guest(f, POOL);
    assert_remounted(f, 2, 2);
    connect_guest(f, POOL);
    assert_remounted(f, 0, 0);
}

static void a_guest_that_leaves_before_it_answers_is_asked_again(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    lose(f, "a");
    run(f);
    hang_up(f);
    connect_guest(f, POOL);
    assert_remounted(f, 2, 2);
}

static void another_boot_has_nothing_to_unmount(void **state)
{
    struct fixture *f = *state;

    lose_without_guest(f, "a");
    f->boot = 2;
    connect_guest(f, POOL);
    assert_remounted(f, 0, 2);
}

static void what_the_guest_has_there_itself_stays(void **state)
{
    struct fixture *f = *state;

    f->answer = EBUSY;
    connect_guest(f, POOL);
    lose(f, "a"); /* neither it nor its like was mounted */
    settle(f);
    f->answer = 0;
    connect_guest(f, POOL);
    assert_remounted(f, 0, 2);
}

static void one_that_is_removed_meanwhile_is_unmounted(void **state)
{
    struct fixture *f = *state;

    lose_without_guest(f, "a");
    connect_guest(f, POOL);
    lose(f, "a");
    assert_int_equal(vm_remove_share(f->vm, "a", note_done, f), 0);
    settle(f);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->error, 0);
    assert_remounted(f, 2 + 2, 2 + 1);
}

/* At once: what the guest is asked may be waiting for it. */
static void one_whose_device_cannot_be_removed_is_made_anew(void **state)
{
    const struct config_share share = {
        .tag = (char *)"new", .path = (char *)"/tmp", .target = (char *)"/new"};
    struct fixture *f = *state;

    connect_guest(f, POOL);
    assert_int_equal(vm_add_share(f->vm, &share, note_done, f), 0);
    run(f); /* the guest is asked, and does not answer yet */
    removal = -EIO;
    lose(f, "new");
    removal = 0;
    assert_null(virtio_device_find(f->vm, &share_kind, "new"));
    run(f);
    assert_non_null(virtio_device_find(f->vm, &share_kind, "new"));
    settle(f);
    assert_int_equal(f->error, 0);
    assert_remounted(f, 1, 2 + 2);
}

static uint64_t failures(const struct fixture *f)
{
    return telemetry_count(f->services.telemetry, TELEMETRY_DEVICE_FAILED);
}

static void servers_that_end_with_the_guest_are_no_failure(void **state)
{
    struct fixture *f = *state;
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
    uint64_t before;

    connect_guest(f, POOL);
    before = failures(f);
    lose(f, "a");
    settle(f);
    assert_int_equal(failures(f), before + 1);
    event_farewell_pack(&writer, &(struct event_farewell){.how = REQUEST_POWER_OFF});
    say(f, FRAME_FAREWELL, 0, 7, payload, writer.size);
    run(f);
    lose(f, "a"); /* QEMU and virtiofsd end before the connection does */
    run(f);
    hang_up(f);
    assert_int_equal(failures(f), before + 1);
}

/* A QEMU that was killed closes all at once, and the daemon hears of it in any order. */
static void servers_that_end_behind_a_guest_that_hung_up_are_no_failure(void **state)
{
    struct fixture *f = *state;
    uint64_t before;

    connect_guest(f, POOL);
    before = failures(f);
    say(f, FRAME_PING, 0, 7, NULL, 0); /* not read yet, either */
    assert_int_equal(close(f->guest), 0);
    f->guest = -1;
    lose(f, "a");
    adapters_lost(f->vm, "eth0", false, "passt: exit status 0");
    assert_int_equal(failures(f), before);
    run(f);
    assert_int_equal(failures(f), before);
}

static const struct config_share other = {
    .tag = (char *)"new", .path = (char *)"/tmp/", .target = (char *)"/new/"};

static void add(struct fixture *f, const char *tag, const char *target)
{
    struct config_share share = other;

    share.tag = (char *)tag;
    share.target = (char *)target;
    assert_int_equal(vm_add_share(f->vm, &share, note_done, f), 0);
}

static struct vm_share_view view_of(const struct fixture *f, size_t index)
{
    struct vm_share_view share;

    vm_get_share(f->vm, index, &share);
    return share;
}

static void paths_are_kept_in_their_shortest_form(void **state)
{
    struct fixture *f = *state;
    struct vm_share_view share;

    add(f, "new", "/new/");
    share = view_of(f, 2);
    assert_string_equal(share.path, "/tmp");
    assert_string_equal(share.target, "/new");
    assert_false(share.configured);
    assert_true(view_of(f, 0).configured);
}

static void a_vm_has_a_bounded_number_of_shares(void **state)
{
    struct fixture *f = *state;
    char tag[16], target[32];

    for (size_t i = 2; i < LIMITS_SHARES; i++) {
        (void)snprintf(tag, sizeof(tag), "n%zu", i);
        (void)snprintf(target, sizeof(target), "/n%zu", i);
        add(f, tag, target);
    }
    assert_int_equal(vm_add_share(f->vm, &other, note_done, f), -ENOBUFS);
    assert_int_equal(attachment_count(f->vm, &share_kind), LIMITS_SHARES);
    run(f);
}

static void what_goes_holds_up_its_tag_and_its_target_and_nothing_else(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    assert_int_equal(vm_remove_share(f->vm, "a", note_done, f), 0);
    run(f); /* the guest is asked, and does not answer yet */
    add(f, "a", "/elsewhere");
    add(f, "c", "/a");
    add(f, "d", "/d");
    run(f);
    assert_int_equal(share_find(f->vm, "a")->attachment.state, VM_DEVICE_WAITING);
    assert_int_equal(share_find(f->vm, "c")->attachment.state, VM_DEVICE_WAITING);
    assert_int_equal(share_find(f->vm, "d")->attachment.state, VM_DEVICE_SETTING);
    settle(f);
    assert_int_equal(f->done, 4);
    assert_remounted(f, 1, 2 + 3);
}

static void one_that_is_lost_too_often_is_given_up(void **state)
{
    struct fixture *f = *state;
    uint64_t before;

    connect_guest(f, POOL);
    before = failures(f);
    for (unsigned i = 0; i < LIMITS_SHARE_RETRIES; i++) {
        lose(f, view_of(f, 0).device);
        settle(f);
        assert_int_equal(view_of(f, 0).state, VM_DEVICE_IN_USE);
    }
    assert_int_equal(failures(f), before + LIMITS_SHARE_RETRIES);
    lose(f, view_of(f, 0).device);
    settle(f);
    assert_int_equal(view_of(f, 0).state, VM_DEVICE_FAILED);
    assert_non_null(strstr(view_of(f, 0).error, "too often"));
    f->boot = 2; /* which has its tries again */
    connect_guest(f, POOL);
    lose(f, view_of(f, 0).device);
    settle(f);
    assert_int_equal(view_of(f, 0).state, VM_DEVICE_IN_USE);
}

static void what_is_lost_without_a_guest_is_logged(void **state)
{
    struct fixture *f = *state;
    char text[1024];
    FILE *file;
    int saved;

    connect_guest(f, POOL);
    hang_up(f);
    file = capture_stderr(&saved);
    lose(f, "a");
    assert_non_null(strstr(captured(file, saved, text, sizeof(text)), "share a: it was killed"));
    run(f);
}

/* The guest's answer leaves open whether it mounted the share. */
static void what_an_earlier_connection_left_open_is_unmounted_first(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    add(f, "new", "/new");
    run(f);
    hang_up(f); /* before it answers */
    f->answer = ETIMEDOUT;
    connect_guest(f, POOL);
    assert_string_equal(f->mounts, "+/new ");
    vm_device_host_events.up(f->vm);
    settle(f);
    assert_string_equal(f->mounts, "+/new +/new ");
    lose(f, "new");
    f->answer = 0;
    vm_device_host_events.up(f->vm);
    settle(f);
    assert_string_equal(f->mounts, "+/new +/new !/new +/new ");
    assert_int_equal(view_of(f, 2).state, VM_DEVICE_IN_USE);
}

static void a_boot_leaves_nothing_open_at_its_first_connection(void **state)
{
    struct fixture *f = *state;

    f->answer = ETIMEDOUT;
    connect_guest(f, POOL);
    lose(f, "a");
    f->answer = 0;
    vm_device_host_events.up(f->vm);
    settle(f);
    assert_string_equal(f->mounts, "+/a +/b +/a +/b ");
}

/* The shares before and behind it have another device. */
static void a_refused_device_fails_its_own_shares(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    add(f, "c", "/c");
    add(f, "d", "/d");
    settle(f);
    f->mounts[0] = '\0';
    assert_false(f->vm->saver.now);
    shares_refused(f->vm, "c", "not kept");
    assert_true(f->vm->saver.now);
    settle(f);
    assert_string_equal(f->mounts, "!/c !/d ");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(view_of(f, i).state, i < 2 ? VM_DEVICE_IN_USE : VM_DEVICE_FAILED);
        assert_string_equal(view_of(f, i).error, i < 2 ? "" : "not kept");
    }
    assert_null(virtio_device_find(f->vm, &share_kind, "c"));
    shares_refused(f->vm, "c", "not kept"); /* of nobody */
    assert_false(f->vm->saver.now);
}

static void a_loss_is_remembered(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    assert_false(f->vm->saver.now);
    lose(f, "a");
    assert_true(f->vm->saver.now);
    settle(f);
    lose(f, "nobody's");
    assert_false(f->vm->saver.now);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_mounted_share_is_mounted_anew),
        TEST(an_answer_that_is_on_its_way_counts_for_nothing),
        TEST(what_was_lost_without_a_guest_is_unmounted_when_it_is_back),
        TEST(a_guest_that_leaves_before_it_answers_is_asked_again),
        TEST(another_boot_has_nothing_to_unmount),
        TEST(what_the_guest_has_there_itself_stays),
        TEST(one_that_is_removed_meanwhile_is_unmounted),
        TEST(one_whose_device_cannot_be_removed_is_made_anew),
        TEST(servers_that_end_with_the_guest_are_no_failure),
        TEST(servers_that_end_behind_a_guest_that_hung_up_are_no_failure),
        TEST(paths_are_kept_in_their_shortest_form),
        TEST(a_vm_has_a_bounded_number_of_shares),
        TEST(what_goes_holds_up_its_tag_and_its_target_and_nothing_else),
        TEST(one_that_is_lost_too_often_is_given_up),
        TEST(what_is_lost_without_a_guest_is_logged),
        TEST(what_an_earlier_connection_left_open_is_unmounted_first),
        TEST(a_boot_leaves_nothing_open_at_its_first_connection),
        TEST(a_refused_device_fails_its_own_shares),
        TEST(a_loss_is_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
