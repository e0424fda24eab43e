/* hostd VM: what the device host says of a share's aperture, whenever it knows it, is what is told
 * of the share; and what the configuration requires and does not get is refused. The device host's
 * word is played. */
#include "vm_support.h"

#include "control/metrics_text.h"
#include "device/device_host.h"
#include "fleet.h"
#include "vm/device_aperture.h"
#include "vm/share.h"
#include "vm/vm_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOL  UINT64_C(67108864)
#define BYTES (POOL + 8192)

#define ADDED    "\"event\":\"AddVirtioFsShare\""
#define APERTURE "\"event\":\"DeviceAperture\""
#define FAILED   "\"event\":\"DeviceFailed\""
#define MOUNTED  "\"event\":\"MountShare\""

/* What the device host says, as long as @p after is NULL or has been asked to mount something. */
static struct {
    struct aperture_status status;
    const struct fixture *after;
} host;

int __wrap_device_host_get_aperture(const struct device_host *self, const char *tag,
                                    struct aperture_status *ret_status);

int __wrap_device_host_get_aperture(const struct device_host *self, const char *tag,
                                    struct aperture_status *ret_status)
{
    (void)self;
    (void)tag;
    if (host.after && host.after->asked[FRAME_MOUNT] == 0)
        return -ENOENT;
    *ret_status = host.status;
    return 0;
}

/* What the daemon confirmed last. */
static uint64_t confirmed;

int __wrap_device_host_confirm_aperture(const struct device_host *self, const char *tag,
                                        uint64_t number);

int __wrap_device_host_confirm_aperture(const struct device_host *self, const char *tag,
                                        uint64_t number)
{
    (void)self;
    assert_string_equal(tag, "a");
    confirmed = number;
    return 0;
}

static void let_host_say(enum aperture_state state, uint64_t bytes, const char *reason)
{
    host.after = NULL;
    host.status = (struct aperture_status){.state = state, .bytes = bytes};
    (void)snprintf(host.status.reason, sizeof(host.status.reason), "%s", reason);
}

static int begin(void **state, enum config_aperture mode, enum config_device_host_type type)
{
    int r = set_up(state);
    struct fixture *f = *state;

    if (r < 0)
        return r;
    f->settings->config->vms[0].aperture = mode;
    f->settings->config->vms[0].device_host.type = type;
    let_host_say(APERTURE_ENFORCED, BYTES, "");
    confirmed = 0;
    return 0;
}

static int set_up_auto(void **state)
{
    return begin(state, CONFIG_APERTURE_AUTO, CONFIG_DEVICE_HOST_QEMU);
}

static int set_up_require(void **state)
{
    return begin(state, CONFIG_APERTURE_REQUIRE, CONFIG_DEVICE_HOST_QEMU);
}

static int set_up_off(void **state)
{
    return begin(state, CONFIG_APERTURE_OFF, CONFIG_DEVICE_HOST_QEMU);
}

static int set_up_none(void **state)
{
    return begin(state, CONFIG_APERTURE_AUTO, CONFIG_DEVICE_HOST_NONE);
}

static int set_up_none_require(void **state)
{
    return begin(state, CONFIG_APERTURE_REQUIRE, CONFIG_DEVICE_HOST_NONE);
}

static const char *telemetry(const struct fixture *f)
{
    static char text[65536];
    char path[FOLDER_BYTES + 8];
    ssize_t size;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/t", f->folder);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    size = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    assert_true(size >= 0);
    text[size] = '\0';
    return text;
}

static unsigned count(const struct fixture *f, const char *what)
{
    unsigned found = 0;

    for (const char *at = telemetry(f); (at = strstr(at, what)) != NULL; at++)
        found++;
    return found;
}

static struct vm_share_view view_of(const struct fixture *f, size_t index)
{
    struct vm_share_view view;

    vm_get_share(f->vm, index, &view);
    return view;
}

/* Adds a share that has a device of its own. @return its error */
static int add_another(struct fixture *f, const char *tag)
{
    struct config_share share = {
        .tag = (char *)tag, .path = (char *)"/tmp", .target = (char *)"/new"};

    f->done = 0;
    assert_int_equal(vm_add_share(f->vm, &share, note_done, f), 0);
    settle(f);
    assert_int_equal(f->done, 1);
    return f->error;
}

static void assert_refused(struct fixture *f, const char *reason)
{
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(view_of(f, i).state, VM_DEVICE_FAILED);
        assert_non_null(strstr(view_of(f, i).error, reason));
        assert_null(view_of(f, i).aperture);
        assert_string_equal(view_of(f, i).device, "");
    }
    assert_int_equal(count(f, FAILED), 2);
    assert_int_equal(count(f, reason), 2);
}

static void what_is_known_with_the_mount_is_told_before_it(void **state)
{
    struct fixture *f = *state;

    host.after = f;
    connect_guest(f, POOL);
    assert_int_equal(count(f, ADDED), 2);
    assert_int_equal(count(f, "\"aperture\":\"enforced\",\"apertureBytes\":67117056"), 2);
    assert_true(strstr(telemetry(f), ADDED) < strstr(telemetry(f), MOUNTED));
    assert_int_equal(count(f, APERTURE), 0);
    assert_int_equal(view_of(f, 0).aperture->state, APERTURE_ENFORCED);
    assert_int_equal(view_of(f, 0).aperture->bytes, BYTES);
}

/* Linux' mount returns before the device serves. */
static void what_is_known_after_the_mount_is_told_then(void **state)
{
    static struct fixture nobody;
    struct fixture *f = *state;

    host.after = &nobody; /* who is never asked for a mount */
    connect_guest(f, POOL);
    assert_int_equal(count(f, MOUNTED), 2);
    assert_int_equal(count(f, ADDED), 0);
    let_host_say(APERTURE_ENFORCED, BYTES, "");
    vm_device_host_events.aperture_changed(f->vm, "a");
    settle(f);
    assert_int_equal(count(f, ADDED), 2);
    assert_int_equal(count(f, "\"aperture\":\"enforced\",\"apertureBytes\":67117056"), 2);
    assert_int_equal(count(f, APERTURE), 0);
}

static void what_is_known_with_a_failed_mount_is_told(void **state)
{
    struct fixture *f = *state;

    host.after = f;
    f->answer = EIO;
    connect_guest(f, POOL);
    assert_int_equal(count(f, ADDED), 2);
    assert_int_equal(count(f, MOUNTED), 2);
}

static void one_that_is_not_enforced_is_told_once(void **state)
{
    struct fixture *f = *state;

    let_host_say(APERTURE_NARROWED, BYTES, "no udmabuf");
    connect_guest(f, POOL);
    assert_int_equal(add_another(f, "new"), 0);
    assert_int_equal(count(f, "\"event\":\"AddVirtioFsShare\""), 3);
    assert_int_equal(count(f, "\"aperture\":\"narrowed\""), 3 + 1);
    assert_int_equal(count(f, APERTURE), 1);
    assert_int_equal(count(f, "\"reason\":\"no udmabuf\""), 1);
    f->boot = 2;
    connect_guest(f, POOL / 2);
    assert_int_equal(count(f, ADDED), 3 + 3);
    assert_int_equal(count(f, APERTURE), 1);
    let_host_say(APERTURE_ENFORCED, BYTES, "");
    f->boot = 3;
    connect_guest(f, POOL);
    let_host_say(APERTURE_NARROWED, BYTES, "no udmabuf");
    f->boot = 4;
    connect_guest(f, POOL / 2);
    assert_int_equal(count(f, APERTURE), 2);
}

/* Enforced, and not all that one would think of it. */
static void one_that_something_is_wrong_with_is_told_once(void **state)
{
    struct fixture *f = *state;

    let_host_say(APERTURE_ENFORCED, BYTES, "the VM has a balloon");
    connect_guest(f, POOL);
    assert_int_equal(count(f, "\"aperture\":\"enforced\",\"apertureBytes\":67117056"), 3);
    assert_int_equal(count(f, "\"reason\":\"the VM has a balloon\""), 1);
    assert_int_equal(add_another(f, "new"), 0);
    assert_int_equal(count(f, APERTURE), 1);
}

static void another_aperture_is_told_again(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    vm_device_host_events.aperture_changed(f->vm, "a");
    assert_int_equal(count(f, APERTURE), 0);
    let_host_say(APERTURE_ENFORCED, POOL, "");
    vm_device_host_events.aperture_changed(f->vm, "a");
    assert_int_equal(count(f, APERTURE), 1);
    assert_int_equal(count(f, "\"apertureBytes\":67108864,\"reason\":\"\""), 1);
    assert_int_equal(view_of(f, 0).aperture->bytes, POOL);
    let_host_say(APERTURE_NONE, 0, "lost it");
    vm_device_host_events.aperture_changed(f->vm, "a");
    assert_int_equal(count(f, "\"aperture\":\"none\",\"apertureBytes\":0,\"reason\":\"lost it\""),
                     1);
    vm_device_host_events.aperture_changed(f->vm, "nobody's");
    assert_int_equal(count(f, APERTURE), 2);
}

static void rings_that_move_all_the_time_mute_nothing_else(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    for (unsigned i = 1; i <= 2000; i++) {
        let_host_say(APERTURE_ENFORCED, BYTES + (uint64_t)i * 4096, "");
        vm_device_host_events.aperture_changed(f->vm, "a");
    }
    assert_in_range(count(f, APERTURE), 4, 200);
    assert_int_equal(view_of(f, 0).aperture->bytes, BYTES + UINT64_C(2000) * 4096);
    assert_int_equal(add_another(f, "new"), 0);
    assert_int_equal(count(f, ADDED), 3);
}

static void wait_with(struct fixture *f, uint64_t number)
{
    let_host_say(APERTURE_WAITING, number, "");
    vm_device_host_events.aperture_changed(f->vm, "a");
    run(f);
}

/* A driver was bound again: whose guest answers has the pool of before. */
static void a_guest_that_answers_is_the_one_that_reported(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    wait_with(f, 11);
    assert_int_equal(confirmed, 0); /* it was asked, and has not answered yet */
    wait_with(f, 12);
    settle(f);
    assert_int_equal(f->asked[FRAME_PING], 2);
    assert_int_equal(confirmed, 12);
    assert_int_equal(count(f, APERTURE), 0);
    assert_int_equal(view_of(f, 0).aperture->state, APERTURE_ENFORCED);
    let_host_say(APERTURE_ENFORCED, BYTES, "");
    vm_device_host_events.aperture_changed(f->vm, "a");
    settle(f);
    assert_int_equal(f->asked[FRAME_PING], 2);
    assert_int_equal(count(f, APERTURE), 0);
}

/* What was asked of the kernel before is answered by none. */
static void a_guest_that_was_reset_is_asked_itself(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    wait_with(f, 13);
    f->boot = 2;
    connect_guest(f, POOL);
    assert_int_equal(confirmed, 13);
    wait_with(f, 14);
    (void)close(f->guest);
    f->guest = -1;
    settle(f);
    assert_int_equal(confirmed, 13);
}

static void another_pool_is_not_confirmed(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    wait_with(f, 15);
    let_host_say(APERTURE_ENFORCED, BYTES / 2, ""); /* of the device's successor */
    f->boot = 2;
    connect_guest(f, POOL / 2);
    assert_int_equal(count(f, "\"event\":\"RemoveVirtioFsShare\""), 1);
    assert_int_equal(confirmed, 0);
}

static void one_that_nobody_wants_is_not_missed(void **state)
{
    struct fixture *f = *state;

    let_host_say(APERTURE_NONE, 0, "switched off");
    connect_guest(f, POOL);
    assert_int_equal(count(f, "\"aperture\":\"none\",\"apertureBytes\":0"), 2);
    assert_int_equal(count(f, APERTURE), 0);
}

static void without_a_token_there_is_none(void **state)
{
    struct fixture *f = *state;

    let_host_say(APERTURE_NONE, 0, "no token");
    connect_guest(f, 0);
    assert_int_equal(count(f, "\"aperture\":\"none\",\"apertureBytes\":0"), 2);
    assert_int_equal(count(f, APERTURE), 0);
}

/* Whatever it is asked: it serves nothing. */
static void a_device_host_of_another_kind_has_none(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    assert_int_equal(count(f, "\"aperture\":\"none\",\"apertureBytes\":0"), 2);
    assert_int_equal(count(f, APERTURE), 0);
}

static void a_pool_that_is_no_bound_confines_nothing(void **state)
{
    struct fixture *f = *state;

    f->features = CAPABILITIES_SWIOTLB_DYNAMIC;
    let_host_say(APERTURE_NONE, 0, "switched off");
    connect_guest(f, POOL);
    assert_int_equal(device_aperture_mode(f->vm), CONFIG_APERTURE_OFF);
    assert_int_equal(count(f, APERTURE), 1);
    assert_int_equal(count(f, "CONFIG_SWIOTLB_DYNAMIC"), 1);
}

static void a_pool_that_is_no_bound_is_refused(void **state)
{
    struct fixture *f = *state;

    f->features = CAPABILITIES_SWIOTLB_DYNAMIC;
    connect_guest(f, POOL);
    assert_refused(f, "CONFIG_SWIOTLB_DYNAMIC");
    assert_int_equal(count(f, ADDED), 0);
}

static void required_without_a_token_is_refused(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, 0);
    assert_refused(f, "the VM has no token");
    assert_int_equal(add_another(f, "new"), EPERM);
    assert_int_equal(count(f, ADDED), 0);
    f->boot = 2;
    connect_guest(f, POOL);
    assert_int_equal(count(f, ADDED), 2);
}

static void required_of_another_kind_of_host_is_refused(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    assert_refused(f, "of neither type qemu nor libvirt");
}

/* A relay that was taken over may say so. */
static void required_and_not_kept_is_refused(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    assert_int_equal(count(f, ADDED), 2);
    let_host_say(APERTURE_NARROWED, BYTES, "it was widened");
    vm_device_host_events.aperture_changed(f->vm, "a");
    settle(f);
    assert_int_equal(f->asked[FRAME_UNMOUNT], 2);
    assert_refused(f, "it was widened");
}

static void required_and_never_kept_is_refused(void **state)
{
    struct fixture *f = *state;

    host.after = f;
    host.status.state = APERTURE_NARROWED;
    (void)snprintf(host.status.reason, sizeof(host.status.reason), "not to be had");
    connect_guest(f, POOL);
    assert_refused(f, "not to be had");
    assert_int_equal(count(f, ADDED), 0);
}

static void what_its_relay_refuses_is_refused(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    shares_refused(f->vm, "a", "a ring is not where it may be");
    settle(f);
    assert_int_equal(f->asked[FRAME_UNMOUNT], 2);
    assert_refused(f, "a ring is not where it may be");
    f->boot = 2;
    connect_guest(f, POOL);
    assert_int_equal(view_of(f, 0).state, VM_DEVICE_IN_USE);
}

/* The guest can only say that its mount failed; whose fault it is, the relay knows. */
static void a_mount_that_fails_for_its_relay_has_its_reason(void **state)
{
    struct fixture *f = *state;

    let_host_say(APERTURE_REFUSED, 0, "the driver did not accept it");
    host.after = f;
    f->answer = EIO;
    connect_guest(f, POOL);
    assert_int_equal(count(f, ADDED), 0);
    assert_refused(f, "the driver did not accept it");
}

static void change(struct fixture *f, enum config_aperture mode)
{
    struct settings *settings =
        configure(f, "\"shares\": [{\"tag\": \"a\", \"path\": \"/usr\", \"target\": \"/a\"},"
                     " {\"tag\": \"b\", \"path\": \"/usr\", \"target\": \"/b\"}],"
                     " \"payload\": [\"/bin/true\"]");

    settings->config->vms[0].aperture = mode;
    settings->config->vms[0].device_host.type = CONFIG_DEVICE_HOST_QEMU;
    vm_change(f->vm, settings, &settings->config->vms[0]);
    (void)settings_unref(settings);
    settle(f);
}

static void another_mode_makes_the_devices_again(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    assert_int_equal(add_another(f, "new"), 0);
    change(f, CONFIG_APERTURE_AUTO);
    assert_int_equal(f->asked[FRAME_UNMOUNT], 0);
    change(f, CONFIG_APERTURE_REQUIRE);
    assert_int_equal(f->asked[FRAME_UNMOUNT], 3);
    assert_int_equal(f->asked[FRAME_MOUNT], 3 + 3);
    assert_int_equal(count(f, "\"event\":\"RemoveVirtioFsShare\""), 2);
    assert_int_equal(view_of(f, 2).state, VM_DEVICE_IN_USE);
    assert_int_equal(count(f, FAILED), 0);
}

static void metrics_count_the_shares(void **state)
{
    struct fixture *f = *state;
    struct fleet fleet = {.services = f->services, .registry = registry_new()};
    char *text;

    let_host_say(APERTURE_NARROWED, BYTES, "no udmabuf");
    connect_guest(f, POOL);
    assert_int_equal(registry_reserve(fleet.registry, 1), 0);
    registry_replace(fleet.registry, &f->vm, 1);
    text = metrics_text_make(&fleet);
    assert_non_null(text);
    assert_non_null(strstr(text, "\nguestlink_vm_shares{vm=\"dev\",aperture=\"enforced\"} 0\n"));
    assert_non_null(strstr(text, "\nguestlink_vm_shares{vm=\"dev\",aperture=\"narrowed\"} 2\n"));
    assert_non_null(strstr(text, "\nguestlink_vm_shares{vm=\"dev\",aperture=\"none\"} 0\n"));
    free(text);
    registry_replace(fleet.registry, NULL, 0);
    (void)registry_free(fleet.registry);
}

#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_known_with_the_mount_is_told_before_it, set_up_auto),
        TEST(what_is_known_after_the_mount_is_told_then, set_up_auto),
        TEST(what_is_known_with_a_failed_mount_is_told, set_up_auto),
        TEST(one_that_is_not_enforced_is_told_once, set_up_auto),
        TEST(one_that_something_is_wrong_with_is_told_once, set_up_auto),
        TEST(another_aperture_is_told_again, set_up_auto),
        TEST(a_guest_that_answers_is_the_one_that_reported, set_up_auto),
        TEST(a_guest_that_was_reset_is_asked_itself, set_up_auto),
        TEST(another_pool_is_not_confirmed, set_up_auto),
        TEST(rings_that_move_all_the_time_mute_nothing_else, set_up_auto),
        TEST(one_that_nobody_wants_is_not_missed, set_up_off),
        TEST(without_a_token_there_is_none, set_up_auto),
        TEST(a_device_host_of_another_kind_has_none, set_up_none),
        TEST(a_pool_that_is_no_bound_confines_nothing, set_up_auto),
        TEST(a_pool_that_is_no_bound_is_refused, set_up_require),
        TEST(required_without_a_token_is_refused, set_up_require),
        TEST(required_of_another_kind_of_host_is_refused, set_up_none_require),
        TEST(required_and_not_kept_is_refused, set_up_require),
        TEST(required_and_never_kept_is_refused, set_up_require),
        TEST(what_its_relay_refuses_is_refused, set_up_require),
        TEST(a_mount_that_fails_for_its_relay_has_its_reason, set_up_auto),
        TEST(another_mode_makes_the_devices_again, set_up_auto),
        TEST(metrics_count_the_shares, set_up_auto),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
