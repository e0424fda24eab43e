/* hostd VM: the server of a share is lost, at any moment of the share's way to its mount. What the
 * guest has mounted by then is of no use, and a guest that is asked to mount it again says that it
 * is mounted. */
#include "vm_support.h"

#include "telemetry/telemetry.h"
#include "vm/share.h"
#include "vm/virtio_device.h"
#include "vm/vm_parts.h"

#include "protocol/event.h"
#include "protocol/request.h"

#include <errno.h>
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
