/* hostd VM: what a reload makes of a VM whose policy it changes: what serves shares and adapters is
 * another then. */
#include "vm_support.h"

#include "vm/adapter.h"
#include "vm/share.h"
#include "vm/virtio_device.h"
#include "vm/vm_parts.h"

#include "protocol/request.h"

#include <errno.h>
#include <string.h>

#define POOL UINT64_C(67108864)

#define SHARE   "\"shares\": [{\"tag\": \"a\", \"path\": \"/usr\", \"target\": \"/a\"}]"
#define ADAPTER "\"network\": [{\"id\": \"eth0\", \"mac\": \"52:54:00:12:34:56\"}]"

static void change(struct fixture *f, const char *more)
{
    struct settings *next = configure(f, more);

    f->mounts[0] = '\0';
    memset(f->asked, 0, sizeof(f->asked));
    vm_change(f->vm, next, &next->config->vms[0]);
    settle(f);
    (void)settings_unref(next);
}

static int set_up_guest(void **state)
{
    int r = set_up(state);
    struct fixture *f = *state;

    if (r < 0)
        return r;
    f->features = CAPABILITIES_9P;
    connect_guest(f, POOL);
    change(f, SHARE);
    return 0;
}

/* It is in use, by that transport, with the device that this needs, and no other. */
static void assert_uses(struct fixture *f, size_t index, enum policy_transport transport)
{
    const bool virtiofs = transport == POLICY_TRANSPORT_VIRTIOFS;
    struct vm_share_view share;

    vm_get_share(f->vm, index, &share);
    assert_int_equal(share.state, VM_DEVICE_IN_USE);
    assert_string_equal(share.error, "");
    assert_int_equal(share.transport, transport);
    assert_int_equal(share.port != 0, !virtiofs);
    assert_int_equal(strlen(share.device) > 0, virtiofs);
    assert_int_equal(f->vm->devices != NULL, virtiofs);
}

static void share_changes_its_transport_with_the_policy(void **state)
{
    struct fixture *f = *state;

    assert_uses(f, 0, POLICY_TRANSPORT_VIRTIOFS);
    change(f, SHARE ", \"virtiofs\": false");
    assert_string_equal(f->mounts, "-/a +/a ");
    assert_uses(f, 0, POLICY_TRANSPORT_9P);
    change(f, SHARE ", \"virtiofs\": false, \"hostname\": \"another\"");
    assert_string_equal(f->mounts, "");
    change(f, SHARE ", \"virtio\": false");
    assert_string_equal(f->mounts, "");
    assert_uses(f, 0, POLICY_TRANSPORT_9P);
    change(f, SHARE);
    assert_string_equal(f->mounts, "-/a +/a ");
    assert_uses(f, 0, POLICY_TRANSPORT_VIRTIOFS);
    assert_int_equal(f->vm->p9.shares, 0);
    assert_int_equal(attachment_count(f->vm, &share_kind), 1);
    assert_true(share_find(f->vm, "a")->configured);
}

static void share_of_the_runtime_is_not_lost_by_that(void **state)
{
    const struct config_share config = {
        .tag = (char *)"new", .path = (char *)"/tmp", .target = (char *)"/new"};
    struct fixture *f = *state;

    assert_int_equal(vm_add_share(f->vm, &config, note_done, f), 0);
    settle(f);
    change(f, "\"shares\": [], \"virtiofs\": false");
    assert_string_equal(f->mounts, "-/a -/new +/new ");
    assert_int_equal(attachment_count(f->vm, &share_kind), 1);
    assert_uses(f, 0, POLICY_TRANSPORT_9P);
    assert_false(share_find(f->vm, "new")->configured);
}

static void share_that_is_busy_keeps_what_it_has_until_it_is_not(void **state)
{
    struct settings *next;
    struct fixture *f = *state;
    struct vm_share_view share;

    f->busy = "/a";
    change(f, SHARE ", \"virtiofs\": false");
    assert_uses(f, 0, POLICY_TRANSPORT_VIRTIOFS);
    assert_string_equal(f->mounts, "-/a ");
    vm_get_share(f->vm, 1, &share);
    assert_int_equal(share.state, VM_DEVICE_FAILED);
    assert_string_equal(share.error,
                        "share a as it was before the reload is still mounted in the guest, "
                        "at /a; end what uses it, and reload again");
    change(f, SHARE ", \"virtiofs\": false, \"hostname\": \"another\"");
    assert_int_equal(attachment_count(f->vm, &share_kind), 2);
    f->busy = NULL;
    next = configure(f, SHARE ", \"virtiofs\": false, \"hostname\": \"another\"");
    vm_rebase(f->vm, next, &next->config->vms[0]);
    (void)settings_unref(next);
    settle(f);
    assert_int_equal(attachment_count(f->vm, &share_kind), 1);
    assert_uses(f, 0, POLICY_TRANSPORT_9P);
}

/* The way back: one that was busy is what is wanted again, and its successor goes. */
static void share_that_could_not_go_has_no_successor_when_it_is_wanted_again(void **state)
{
    struct fixture *f = *state;

    f->busy = "/a";
    change(f, SHARE ", \"virtiofs\": false");
    assert_int_equal(attachment_count(f->vm, &share_kind), 2);
    change(f, SHARE);
    assert_int_equal(attachment_count(f->vm, &share_kind), 1);
    assert_uses(f, 0, POLICY_TRANSPORT_VIRTIOFS);
    f->busy = NULL;
    change(f, SHARE ", \"hostname\": \"another\""); /* it is no longer to go */
    assert_string_equal(f->mounts, "");
    assert_int_equal(attachment_count(f->vm, &share_kind), 1);
    assert_uses(f, 0, POLICY_TRANSPORT_VIRTIOFS);
}

static void adapter_changes_its_device_with_the_policy(void **state)
{
    struct fixture *f = *state;

    change(f, "\"networking\": \"virtioproxy\", \"shares\": [], " ADAPTER);
    assert_non_null(virtio_device_find(f->vm, &adapter_kind, "eth0"));
    /* it is given up, and the VMM's own is configured */
    change(f, "\"networking\": \"nat\", \"shares\": [], " ADAPTER);
    assert_null(virtio_device_find(f->vm, &adapter_kind, "eth0"));
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 2);
    change(f, "\"networking\": \"nat\", \"hostname\": \"another\", \"shares\": [], " ADAPTER);
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 0);
    change(f, "\"networking\": \"none\", \"shares\": [], " ADAPTER);
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 1);
    change(f, "\"networking\": \"virtioproxy\", \"shares\": [], " ADAPTER);
    assert_non_null(virtio_device_find(f->vm, &adapter_kind, "eth0"));
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 1);
    assert_int_equal(attachment_count(f->vm, &adapter_kind), 1);
    /* virtio: false takes them, too: what was not written becomes none */
    change(f, "\"virtio\": false, \"shares\": [], " ADAPTER);
    assert_null(f->vm->devices);
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_guest, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(share_changes_its_transport_with_the_policy),
        TEST(share_of_the_runtime_is_not_lost_by_that),
        TEST(share_that_is_busy_keeps_what_it_has_until_it_is_not),
        TEST(share_that_could_not_go_has_no_successor_when_it_is_wanted_again),
        TEST(adapter_changes_its_device_with_the_policy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
