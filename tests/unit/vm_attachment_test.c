/* hostd attachment: a device that does not come, a device host that is away, and the reason that
 * whoever asked for a share is given. */
#include "base/clock.h"
#include "base/limits.h"
#include "config/policy.h"
#include "device/device_host.h"
#include "telemetry/telemetry.h"
#include "vm/attachment.h"
#include "vm/share.h"
#include "vm/vm_parts.h"
#include "vm_support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define POOL UINT64_C(67108864)

static bool up;

bool __wrap_device_host_is_up(const struct device_host *host);
bool __wrap_device_host_is_up(const struct device_host *host)
{
    (void)host;
    return up;
}

static int set_up_here(void **state)
{
    up = true;
    return set_up(state);
}

static void need_all(struct fixture *f, enum vm_device_state state, const char *error)
{
    struct vm_share_view share;

    for (size_t i = 0; i < 2; i++) {
        vm_get_share(f->vm, i, &share);
        assert_int_equal(share.state, state);
        if (error)
            assert_non_null(strstr(share.error, error));
        else
            assert_string_equal(share.error, "");
    }
}

static uint64_t count(const struct fixture *f, enum telemetry_event event)
{
    return telemetry_count(f->services.telemetry, event);
}

static void a_device_that_does_not_come_fails_after_its_time(void **state)
{
    struct fixture *f = *state;

    up = false;
    f->step_us = clock_now_us();
    f->settings->config->vms[0].timeouts.device = 77000;
    connect_guest(f, POOL);
    need_all(f, VM_DEVICE_WAITING, NULL);
    assert_int_equal(f->asked[FRAME_COMPLETE_BOOT], 0);
    for (struct attachment *a = f->vm->attachments; a; a = a->next) {
        uint64_t since_us = f->step_us;

        expire(f, a->timer, 77000);
        f->step_us = since_us;
    }
    settle(f);
    need_all(f, VM_DEVICE_FAILED, "the device did not appear within 77000 ms");
    assert_int_equal(count(f, TELEMETRY_GUEST_TIMEOUT), 2);
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 2);
    assert_int_equal(f->asked[FRAME_COMPLETE_BOOT], 1); /* the boot does not wait for them */
    assert_int_equal(f->asked[FRAME_MOUNT], 0);
}

static void a_device_host_that_goes_fails_what_waits_for_it_and_its_return_tries_again(void **state)
{
    struct fixture *f = *state;

    up = false;
    connect_guest(f, POOL);
    need_all(f, VM_DEVICE_WAITING, NULL);
    vm_device_host_events.down(f->vm, false, "words");
    settle(f);
    need_all(f, VM_DEVICE_FAILED, "words");
    assert_int_equal(f->asked[FRAME_COMPLETE_BOOT], 1);
    up = true;
    vm_device_host_events.up(f->vm);
    settle(f);
    need_all(f, VM_DEVICE_IN_USE, NULL);
    assert_int_equal(f->asked[FRAME_MOUNT], 2);
    assert_null(f->vm->host_error);
}

static void a_device_host_that_goes_later_leaves_what_is_in_use(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    vm_device_host_events.down(f->vm, false, "words");
    settle(f);
    need_all(f, VM_DEVICE_IN_USE, NULL);
    assert_false(f->vm->ended);
    assert_non_null(f->vm->connection);
}

static void a_vm_that_ended_has_no_connection(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    vm_device_host_events.down(f->vm, true, "words");
    run(f);
    assert_true(f->vm->ended);
    assert_null(f->vm->connection);
    assert_int_equal(count(f, TELEMETRY_GUEST_DISCONNECTED), 1);
    assert_null(f->vm->devices);
}

static void a_reset_ends_the_connection(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    vm_device_host_events.reset(f->vm);
    run(f);
    assert_null(f->vm->connection);
    assert_false(f->vm->ended);
    assert_non_null(f->vm->devices);
}

static char told[1024];
static int told_error;

static void on_done(void *userdata, int error, const char *text)
{
    (void)userdata;
    told_error = error;
    (void)snprintf(told, sizeof(told), "%s", text);
}

static void need_reason(struct fixture *f, const struct config_share *share, int error,
                        const char *text)
{
    struct vm_view view;

    told_error = -1;
    assert_int_equal(vm_add_share(f->vm, share, on_done, f), 0);
    settle(f);
    assert_int_equal(told_error, error);
    if (!strstr(told, text))
        fail_msg("\"%s\" lacks \"%s\"", told, text);
    vm_get_view(f->vm, &view);
    assert_int_equal(view.share_count, 2); /* it is gone again */
}

static void whoever_asked_for_a_share_is_told_what_to_correct(void **state)
{
    struct fixture *f = *state;
    struct config_share share = {
        .tag = (char *)"new", .path = (char *)"/no/such", .target = (char *)"/new"};
    char file[128];

    connect_guest(f, POOL);
    need_reason(f, &share, ENOENT, "its path /no/such does not exist on the host");
    (void)snprintf(file, sizeof(file), "%s/file", f->folder);
    (void)close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    share.path = file;
    need_reason(f, &share, ENOTDIR, "not a directory on the host");
    share.path = (char *)"/tmp";
    f->vm->boot.capabilities.features &= ~CAPABILITIES_VIRTIOFS;
    need_reason(f, &share, EOPNOTSUPP, "its kernel has no virtiofs");
    share.transport = CONFIG_TRANSPORT_9P;
    f->vm->policy.p9 = true;
    need_reason(f, &share, EOPNOTSUPP, "its kernel has no 9P");
    share.transport = CONFIG_TRANSPORT_VIRTIOFS;
    f->vm->policy.virtiofs = false;
    f->settings->config->vms[0].virtio = true;
    need_reason(f, &share, EOPNOTSUPP, "which \"virtiofs\": false disables for the VM");
    f->settings->config->vms[0].virtio = false;
    need_reason(f, &share, EOPNOTSUPP, "which \"virtio\": false disables for the VM");
}

/* Its tag is that of another's device, which goes on after its share. */
static void a_tag_that_another_device_has_is_told(void **state)
{
    struct fixture *f = *state;
    const struct config_share share = {
        .tag = (char *)"a", .path = (char *)"/tmp", .target = (char *)"/new"};

    connect_guest(f, POOL);
    assert_int_equal(vm_remove_share(f->vm, "a", on_done, f), 0);
    settle(f);
    assert_int_equal(told_error, 0);
    told_error = -1;
    assert_int_equal(vm_add_share(f->vm, &share, on_done, f), 0);
    settle(f);
    assert_int_equal(told_error, EEXIST);
    assert_non_null(strstr(told, "the tag a is already used by another device of this VM"));
}

static bool is_armed(const struct attachment *a)
{
    return a->timer && sd_event_source_get_enabled(a->timer, NULL) > 0;
}

/* The time for a device is over when it is there, though the share waits for another one's mount.
 */
static void time_for_a_device_ends_when_it_is_there(void **state)
{
    const struct config_share inner = {
        .tag = (char *)"inner", .path = (char *)"/usr", .target = (char *)"/a/inner"};
    struct attachment *outer, *a;
    struct fixture *f = *state;

    up = false;
    assert_int_equal(vm_add_share(f->vm, &inner, note_done, f), 0);
    connect_guest(f, POOL);
    outer = attachment_find(f->vm, &share_kind, "a", true);
    a = attachment_find(f->vm, &share_kind, "inner", true);
    assert_true(is_armed(outer) && is_armed(a));
    assert_int_equal(a->state, VM_DEVICE_WAITING);
    up = true;
    vm_device_host_events.up(f->vm);
    run(f); /* the guest is asked for the outer one, and does not answer yet */
    assert_int_equal(outer->state, VM_DEVICE_SETTING);
    assert_int_equal(a->state, VM_DEVICE_ADDED);
    assert_false(is_armed(outer) || is_armed(a));
    settle(f);
    assert_int_equal(a->state, VM_DEVICE_IN_USE);
    assert_string_equal(f->mounts, "+/a +/b +/a/inner ");
}

static void what_the_guest_cannot_be_asked_for_fails(void **state)
{
    static char target[2 * LIMITS_PATH];
    struct config_share config = {.tag = (char *)"new", .path = (char *)"/usr", .target = target};
    struct vm_share_view view;
    struct fixture *f = *state;
    struct share *share;

    memset(target, 'x', sizeof(target) - 1);
    target[0] = '/';
    connect_guest(f, POOL);
    assert_int_equal(share_new(f->vm, &config, false, &share), 0);
    vm_wake(f->vm);
    settle(f);
    vm_get_share(f->vm, 2, &view);
    assert_int_equal(view.state, VM_DEVICE_FAILED);
    assert_string_equal(view.error, "cannot ask the guest to set it up");
    assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), 1);
}

static void what_is_removed_without_a_guest_is_told_so(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    (void)close(f->guest);
    f->guest = -1;
    run(f);
    told_error = -1;
    assert_int_equal(vm_remove_share(f->vm, "a", on_done, f), 0);
    settle(f);
    assert_int_equal(told_error, 0);
    assert_non_null(strstr(told, "was not asked to unmount the share"));
    connect_guest(f, POOL);
    assert_int_equal(vm_remove_share(f->vm, "b", on_done, f), 0);
    settle(f);
    assert_int_equal(told_error, 0);
    assert_string_equal(told, "");
    assert_null(f->vm->attachments);
    assert_true(f->vm->boot.known);
}

/* It has its time for that, too. */
static void what_waits_for_a_predecessor_does_not_wait_for_ever(void **state)
{
    const struct config_share share = {
        .tag = (char *)"c", .path = (char *)"/usr", .target = (char *)"/a"};
    struct fixture *f = *state;
    struct attachment *a;

    connect_guest(f, POOL);
    f->step_us = clock_now_us();
    f->settings->config->vms[0].timeouts.device = 77000;
    assert_int_equal(vm_remove_share(f->vm, "a", on_done, f), 0);
    assert_int_equal(vm_add_share(f->vm, &share, on_done, f), 0);
    run(f); /* the guest has not unmounted it yet */
    a = attachment_find(f->vm, &share_kind, "c", true);
    assert_int_equal(a->state, VM_DEVICE_WAITING);
    expire(f, a->timer, 77000);
    assert_int_equal(told_error, ETIMEDOUT);
    assert_int_equal(count(f, TELEMETRY_GUEST_TIMEOUT), 1);
    assert_null(attachment_find(f->vm, &share_kind, "c", true));
}

static unsigned vouched;

static void on_vouched(struct vm *vm)
{
    assert_non_null(vm);
    vouched++;
}

/* A guest is expected when its VM is there, and when it was reset. */
static void a_device_host_that_is_up_awaits_the_guest(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    FILE *file;
    int saved;

    assert_true(sd_event_source_get_enabled(f->vm->connect_timer, NULL) > 0); /* from the first */
    run(f);
    f->services.vm_vouched = on_vouched;
    vouched = 0;
    f->settings->config->vms[0].timeouts.connect = 88000;
    f->step_us = clock_now_us();
    vm_device_host_events.up(f->vm);
    assert_int_equal(vouched, 1);
    expire(f, f->vm->connect_timer, 88000);
    assert_int_equal(count(f, TELEMETRY_GUEST_TIMEOUT), 1);

    connect_guest(f, POOL);
    f->step_us = clock_now_us();
    file = capture_stderr(&saved);
    vm_device_host_events.reset(f->vm);
    (void)captured(file, saved, text, sizeof(text));
    assert_non_null(strstr(text, "the guest was reset"));
    assert_non_null(strstr(text, "disconnected: reset"));
    expire(f, f->vm->connect_timer, 88000);
    assert_int_equal(count(f, TELEMETRY_GUEST_TIMEOUT), 2);
    assert_int_equal(vouched, 1);
    f->services.vm_vouched = NULL;
    vm_device_host_events.up(f->vm); /* nobody wants to know */
}

/* That the VM's socket is not there is no failure before there is a guest. */
static void a_device_host_that_goes_is_logged(void **state)
{
    static const struct {
        bool connected, ended;
        const char *words;
        unsigned failures;
    } rows[] = {
        {false, false, ": no socket", 0},
        {true, false, ": no socket", 1},
        {true, true, "the VM exited: no socket", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f;
        char text[4096];
        FILE *file;
        int saved;

        assert_int_equal(set_up_here(state), 0);
        f = *state;
        if (rows[i].connected)
            connect_guest(f, POOL);
        else
            run(f);
        assert_false(f->vm->saver.now);
        file = capture_stderr(&saved);
        vm_device_host_events.down(f->vm, rows[i].ended, "no socket");
        (void)captured(file, saved, text, sizeof(text));
        assert_non_null(strstr(text, rows[i].words));
        assert_int_equal(count(f, TELEMETRY_DEVICE_FAILED), rows[i].failures);
        assert_true(f->vm->saver.now);
        assert_int_equal(f->vm->ended, rows[i].ended);
        assert_int_equal(f->vm->connection != NULL, rows[i].connected && !rows[i].ended);
        run(f);
        assert_int_equal(tear_down(state), 0);
    }
}

static void states_lead_to_the_removal(void **state)
{
    const struct config_share share = {
        .tag = (char *)"new", .path = (char *)"/tmp", .target = (char *)"/new"};
    struct fixture *f = *state;
    struct attachment *a;

    connect_guest(f, POOL);
    assert_int_equal(vm_add_share(f->vm, &share, on_done, f), 0);
    settle(f);
    a = attachment_find(f->vm, &share_kind, "new", true);
    assert_int_equal(vm_remove_share(f->vm, "new", on_done, f), 0);
    assert_null(attachment_find(f->vm, &share_kind, "new", true));
    assert_ptr_equal(attachment_find(f->vm, &share_kind, "new", false), a);
    run(f);
    assert_int_equal(a->state, VM_DEVICE_RELEASING);
    assert_true(attachments_are_settled(f->vm, &share_kind)); /* nobody waits for what goes */
    settle(f);
    assert_null(attachment_find(f->vm, &share_kind, "new", false));
    assert_int_equal(attachment_count(f->vm, &share_kind), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_here, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_device_that_does_not_come_fails_after_its_time),
        TEST(a_device_host_that_goes_fails_what_waits_for_it_and_its_return_tries_again),
        TEST(a_device_host_that_goes_later_leaves_what_is_in_use),
        TEST(a_vm_that_ended_has_no_connection),
        TEST(a_reset_ends_the_connection),
        TEST(whoever_asked_for_a_share_is_told_what_to_correct),
        TEST(a_tag_that_another_device_has_is_told),
        TEST(time_for_a_device_ends_when_it_is_there),
        TEST(what_the_guest_cannot_be_asked_for_fails),
        TEST(what_is_removed_without_a_guest_is_told_so),
        TEST(what_waits_for_a_predecessor_does_not_wait_for_ever),
        TEST(a_device_host_that_is_up_awaits_the_guest),
        cmocka_unit_test(a_device_host_that_goes_is_logged),
        TEST(states_lead_to_the_removal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
