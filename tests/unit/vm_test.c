/* hostd VM: from its guest's connection to its end, and everything in between that is asked. */
#include "vm_support.h"

#include "base/clock.h"
#include "base/limits.h"
#include "device/device_driver.h"
#include "vm/vm_parts.h"

#include "protocol/event.h"
#include "protocol/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *options_of(struct fixture *f, size_t index)
{
    struct vm_share_view share;

    vm_get_share(f->vm, index, &share);
    assert_int_equal(share.state, VM_DEVICE_IN_USE);
    return share.options;
}

static void a_boot_mounts_starts_and_completes(void **state)
{
    struct fixture *f = *state;
    struct vm_share_view share;
    struct vm_view view;

    connect_guest(f, 67108864);
    vm_get_view(f->vm, &view);
    assert_int_equal(view.state, VM_CONNECTED);
    assert_string_equal(view.token, "swiotlb=0x14000000,67108864");
    assert_int_equal(view.payload.state, VM_PAYLOAD_RUNNING);
    assert_int_equal(f->asked[FRAME_MOUNT], 2);
    assert_int_equal(f->asked[FRAME_START_PROCESS], 1);
    assert_int_equal(f->asked[FRAME_COMPLETE_BOOT], 1);
    assert_string_equal(options_of(f, 0),
                        "swiotlb=0x14000000,67108864;vmId=11111111-2222-3333-4444-555555555555");
    /* equal shares use one device */
    vm_get_share(f->vm, 1, &share);
    assert_string_equal(share.device, "a");
}

static void the_same_boot_starts_nothing_twice(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 67108864);
    connect_guest(f, 67108864);
    assert_int_equal(f->asked[FRAME_MOUNT], 0);
    assert_int_equal(f->asked[FRAME_START_PROCESS], 0);
    assert_int_equal(f->asked[FRAME_COMPLETE_BOOT], 1);
}

/* Each boot has another pool, so that its devices are made anew, and starts its payload. */
static void a_boot_loop_costs_few_writes(void **state)
{
    const unsigned boots = 200;
    uint64_t start_us = clock_now_us(), one, waited;
    struct fixture *f = *state;
    struct vm *again = NULL;

    connect_guest(f, 67108864);
    one = f->services.counters.saves;
    assert_in_range(one, 1, 10);
    for (unsigned i = 0; i < boots; i++) {
        f->boot++;
        connect_guest(f, i % 2 ? 67108864 : 4096);
        assert_int_equal(f->asked[FRAME_COMPLETE_BOOT], 1);
    }
    waited = (clock_now_us() - start_us) / 1000000 + 1;
    assert_in_range(f->services.counters.saves, one,
                    LIMITS_SAVES_BURST + waited * LIMITS_SAVES_IN_1000_S / 1000 +
                        waited * 1000 / LIMITS_SAVE_DELAY_MS + 1);
    /* what waits is written before the daemon goes, and the next one knows the last boot */
    f->vm = vm_free(f->vm);
    assert_int_equal(vm_new(&f->services, f->settings, &f->settings->config->vms[0], &again), 0);
    f->vm = again;
    assert_int_equal(vm_boot_report(again)->boot_id[0], f->boot);
}

static void another_boot_brings_devices_in_line_with_its_token(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 67108864);
    f->boot = 2;
    connect_guest(f, 4096);
    assert_int_equal(f->asked[FRAME_MOUNT], 2);
    assert_int_equal(f->asked[FRAME_START_PROCESS], 1);
    assert_string_equal(options_of(f, 0),
                        "swiotlb=0x14000000,4096;vmId=11111111-2222-3333-4444-555555555555");
    f->boot = 3;
    connect_guest(f, 0);
    assert_string_equal(options_of(f, 1), "vmId=11111111-2222-3333-4444-555555555555");
}

static void what_was_started_is_remembered_by_the_next_daemon(void **state)
{
    struct fixture *f = *state;
    const struct config_vm *config = &f->settings->config->vms[0];
    struct vm_view view;

    connect_guest(f, 67108864);
    f->vm = vm_free(f->vm);
    assert_int_equal(vm_new(&f->services, f->settings, config, &f->vm), 0);
    vm_get_view(f->vm, &view);
    assert_int_equal(view.state, VM_LOST);
    assert_string_equal(view.token, "swiotlb=0x14000000,67108864");
    connect_guest(f, 67108864);
    assert_int_equal(f->asked[FRAME_MOUNT], 2);
    assert_int_equal(f->asked[FRAME_START_PROCESS], 0);
    connect_guest(f, 4096);
    vm_get_view(f->vm, &view);
    assert_string_equal(view.token, "swiotlb=0x14000000,67108864");
}

static void a_guest_that_is_back_in_the_same_boot_is_not_written_down_again(void **state)
{
    struct fixture *f = *state;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/vms/%s.json", f->folder, f->settings->config->vms[0].id);
    connect_guest(f, 67108864);
    saver_flush(&f->vm->saver);
    assert_int_equal(unlink(path), 0);
    connect_guest(f, 67108864);
    saver_flush(&f->vm->saver);
    assert_int_equal(access(path, F_OK), -1);
    f->boot = 2;
    connect_guest(f, 67108864);
    saver_flush(&f->vm->saver);
    assert_int_equal(access(path, F_OK), 0);
}

static int add(struct fixture *f, const char *path)
{
    const struct config_share share = {
        .tag = (char *)"new", .path = (char *)path, .target = (char *)"/new"};

    return vm_add_share(f->vm, &share, note_done, f);
}

static void shares_come_and_go_at_runtime(void **state)
{
    struct fixture *f = *state;
    struct vm_view view;

    connect_guest(f, 67108864);
    assert_int_equal(add(f, "/tmp"), 0);
    assert_int_equal(f->done, 0);
    settle(f);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->error, 0);
    assert_int_equal(add(f, "/tmp"), -EEXIST);
    assert_int_equal(vm_remove_share(f->vm, "none", note_done, f), -ENOENT);
    assert_int_equal(vm_remove_share(f->vm, "new", note_done, f), 0);
    assert_int_equal(f->done, 1);
    settle(f);
    assert_int_equal(f->done, 2);
    assert_int_equal(f->error, 0);
    assert_int_equal(f->asked[FRAME_UNMOUNT], 1);
    vm_get_view(f->vm, &view);
    assert_int_equal(view.share_count, 2);
}

static void a_share_that_cannot_be_made_is_gone_again(void **state)
{
    struct fixture *f = *state;
    struct vm_view view;

    connect_guest(f, 67108864);
    assert_int_equal(add(f, "/no/such/folder"), 0);
    settle(f);
    assert_int_equal(f->error, ENOENT);
    f->answer = EIO;
    assert_int_equal(add(f, "/tmp"), 0);
    settle(f);
    assert_int_equal(f->done, 2);
    assert_int_equal(f->error, EIO);
    vm_get_view(f->vm, &view);
    assert_int_equal(view.share_count, 2);
    assert_int_equal(add(f, "relative"), -EINVAL);
    assert_int_equal(add(f, "/a;b"), -EINVAL);
}

static void a_busy_share_stays(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 67108864);
    f->answer = EBUSY;
    assert_int_equal(vm_remove_share(f->vm, "a", note_done, f), 0);
    settle(f);
    assert_int_equal(f->error, EBUSY);
    (void)options_of(f, 0);
}

static void who_goes_away_is_not_called(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 67108864);
    assert_int_equal(add(f, "/tmp"), 0);
    vm_forget(f->vm, f);
    settle(f);
    assert_int_equal(f->done, 0);
    assert_int_equal(vm_remove_share(f->vm, "new", NULL, NULL), 0);
}

static void a_changed_configuration_changes_only_what_it_says(void **state)
{
    struct fixture *f = *state;
    struct settings *next =
        configure(f, "\"shares\": [{\"tag\": \"a\", \"path\": \"/usr\", \"target\": \"/a\"},"
                     " {\"tag\": \"b\", \"path\": \"/tmp\", \"target\": \"/b\"}]");
    struct vm_share_view share;

    connect_guest(f, 67108864);
    memset(f->asked, 0, sizeof(f->asked));
    vm_change(f->vm, next, &next->config->vms[0]);
    assert_ptr_equal(f->vm->host->vm, &next->config->vms[0]);
    settle(f);
    /* b went and came anew, with a device of its own; a was left alone */
    assert_int_equal(f->asked[FRAME_UNMOUNT], 1);
    assert_int_equal(f->asked[FRAME_MOUNT], 1);
    vm_get_share(f->vm, 1, &share);
    assert_string_equal(share.path, "/tmp");
    assert_string_equal(share.device, "b");
    (void)options_of(f, 1);
    (void)settings_unref(next);
}

static void a_guest_that_leaves_ends_what_waits_for_it(void **state)
{
    struct fixture *f = *state;
    struct vm_view view;

    connect_guest(f, 67108864);
    assert_int_equal(vm_shut_down(f->vm, false, 0, note_done, f), 0);
    (void)close(f->guest);
    f->guest = -1;
    settle(f);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->error, 0);
    vm_get_view(f->vm, &view);
    assert_int_equal(view.state, VM_LOST);
    assert_int_equal(view.connections, 0);
    assert_int_equal(vm_shut_down(f->vm, false, 0, note_done, f), -ENOTCONN);
}

/* Long enough not to be over by itself. */
#define CONNECT_MS 60000u

/* The time is over after which a guest that hung up should have called again: is that told? */
static bool is_missed(struct fixture *f)
{
    uint64_t before = telemetry_count(f->services.telemetry, TELEMETRY_GUEST_TIMEOUT);

    expire(f, f->vm->connect_timer, CONNECT_MS);
    return telemetry_count(f->services.telemetry, TELEMETRY_GUEST_TIMEOUT) > before;
}

static void hang_up(struct fixture *f)
{
    (void)close(f->guest);
    f->guest = -1;
    run(f);
}

static void a_guest_is_missed_unless_it_is_back_or_said_farewell(void **state)
{
    struct fixture *f = *state;
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    f->settings->config->vms[0].timeouts.connect = CONNECT_MS;
    connect_guest(f, 67108864);
    hang_up(f);
    assert_true(is_missed(f));
    connect_guest(f, 67108864);
    hang_up(f);
    connect_guest(f, 67108864);
    assert_false(is_missed(f));
    event_farewell_pack(&writer, &(struct event_farewell){.how = REQUEST_POWER_OFF});
    say(f, FRAME_FAREWELL, 0, 7, payload, writer.size);
    run(f);
    hang_up(f);
    assert_int_equal(sd_event_source_get_enabled(f->vm->connect_timer, NULL), 0);
}

static void say_farewell(struct fixture *f)
{
    uint8_t payload[64];
    struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};

    connect_guest(f, 67108864);
    event_farewell_pack(&writer, &(struct event_farewell){.how = REQUEST_REBOOT});
    say(f, FRAME_FAREWELL, 0, 7, payload, writer.size);
    run(f);
    hang_up(f);
}

static enum vm_state state_of(const struct fixture *f)
{
    struct vm_view view;

    vm_get_view(f->vm, &view);
    return view.state;
}

/* That it ended in good order says nothing of the boot that follows. */
static void a_guest_that_reboots_is_missed(void **state)
{
    struct fixture *f = *state;

    f->settings->config->vms[0].timeouts.connect = CONNECT_MS;
    f->settings->config->vms[0].device_host.type = CONFIG_DEVICE_HOST_QEMU;
    say_farewell(f);
    assert_int_equal(state_of(f), VM_ENDED);
    /* the VMM that was there is reached again: nothing boots */
    vm_device_host_events.down(f->vm, false, "hung up");
    vm_device_host_events.up(f->vm);
    assert_int_equal(state_of(f), VM_ENDED);
    assert_false(is_missed(f));
    /* it resets its guest */
    vm_device_host_events.reset(f->vm);
    assert_int_equal(state_of(f), VM_LOST);
    assert_true(is_missed(f));
    /* it ends, and another one begins */
    say_farewell(f);
    vm_device_host_events.down(f->vm, true, "gone");
    assert_int_equal(state_of(f), VM_ENDED);
    vm_device_host_events.up(f->vm);
    assert_int_equal(state_of(f), VM_LOST);
    assert_true(is_missed(f));
    f->settings->config->vms[0].device_host.type = CONFIG_DEVICE_HOST_NONE;
}

/* An earlier daemon saw its end: a VMM that is there now is another, or was reset since. */
static void a_guest_that_ended_under_an_earlier_daemon_is_missed_if_its_vm_runs(void **state)
{
    struct fixture *f = *state;
    struct config_vm *config = &f->settings->config->vms[0];

    config->timeouts.connect = CONNECT_MS;
    say_farewell(f);
    f->vm = vm_free(f->vm);
    assert_int_equal(vm_new(&f->services, f->settings, config, &f->vm), 0);
    run(f); /* a device host of no type that could tell comes up */
    assert_int_equal(state_of(f), VM_ENDED);
    assert_false(is_missed(f));
    config->device_host.type = CONFIG_DEVICE_HOST_QEMU;
    vm_device_host_events.up(f->vm);
    assert_int_equal(state_of(f), VM_LOST);
    assert_true(is_missed(f));
    config->device_host.type = CONFIG_DEVICE_HOST_NONE;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_boot_mounts_starts_and_completes),
        TEST(the_same_boot_starts_nothing_twice),
        TEST(a_boot_loop_costs_few_writes),
        TEST(another_boot_brings_devices_in_line_with_its_token),
        TEST(a_guest_that_is_back_in_the_same_boot_is_not_written_down_again),
        TEST(what_was_started_is_remembered_by_the_next_daemon),
        TEST(shares_come_and_go_at_runtime),
        TEST(a_share_that_cannot_be_made_is_gone_again),
        TEST(a_busy_share_stays),
        TEST(who_goes_away_is_not_called),
        TEST(a_changed_configuration_changes_only_what_it_says),
        TEST(a_guest_is_missed_unless_it_is_back_or_said_farewell),
        TEST(a_guest_that_reboots_is_missed),
        TEST(a_guest_that_ended_under_an_earlier_daemon_is_missed_if_its_vm_runs),
        TEST(a_guest_that_leaves_ends_what_waits_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
