/* vm adapter: the way of an adapter to a configured interface, and back. */
#include "vm_support.h"

#include "base/limits.h"
#include "telemetry/telemetry.h"
#include "vm/adapter.h"
#include "vm/vm.h"

#include "protocol/request.h"

#include <string.h>

#define POOL         UINT64_C(67108864)
#define ADAPTER(mac) "\"network\": [{\"id\": \"eth0\", \"mac\": \"52:54:00:12:34:" mac "\"}]"
#define VM_ID        "vmId=11111111-2222-3333-4444-555555555555"

/* The VM's configuration becomes that; what was asked before is forgotten. */
static void change(struct fixture *f, const char *more)
{
    struct settings *next = configure(f, more);

    memset(f->asked, 0, sizeof(f->asked));
    vm_change(f->vm, next, &next->config->vms[0]);
    settle(f);
    (void)settings_unref(next);
}

static void begin(struct fixture *f)
{
    connect_guest(f, POOL);
    change(f, "\"networking\": \"virtioproxy\", " ADAPTER("56"));
}

static uint64_t told(const struct fixture *f, enum telemetry_event event)
{
    return telemetry_count(f->services.telemetry, event);
}

/* There is one, in use, with these options. */
static void assert_in_use(struct fixture *f, const char *options)
{
    struct vm_adapter_view adapter;
    struct vm_view view;

    vm_get_view(f->vm, &view);
    assert_int_equal(view.adapter_count, 1);
    vm_get_adapter(f->vm, 0, &adapter);
    assert_int_equal(adapter.state, VM_DEVICE_IN_USE);
    assert_string_equal(adapter.options, options);
}

static void an_adapter_is_plugged_in_and_configured(void **state)
{
    struct fixture *f = *state;

    begin(f);
    assert_in_use(f, "swiotlb=0x14000000,67108864;" VM_ID);
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 1);
    assert_int_equal(told(f, TELEMETRY_ADD_NET_ADAPTER), 1);
    assert_int_equal(told(f, TELEMETRY_REMOVE_NET_ADAPTER), 0);
}

static void the_same_boot_is_asked_nothing_twice(void **state)
{
    struct fixture *f = *state;

    begin(f);
    connect_guest(f, POOL);
    assert_in_use(f, "swiotlb=0x14000000,67108864;" VM_ID);
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 0);
    assert_int_equal(told(f, TELEMETRY_ADD_NET_ADAPTER), 1);
}

static void another_token_takes_another_device(void **state)
{
    struct fixture *f = *state;

    begin(f);
    f->boot = 2;
    connect_guest(f, 4096);
    assert_in_use(f, "swiotlb=0x14000000,4096;" VM_ID);
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 1);
    assert_int_equal(told(f, TELEMETRY_REMOVE_NET_ADAPTER), 1);
    assert_int_equal(told(f, TELEMETRY_ADD_NET_ADAPTER), 2);
    /* with the same one the device stays, and the new guest's interface is configured */
    f->boot = 3;
    connect_guest(f, 4096);
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 1);
    assert_int_equal(told(f, TELEMETRY_ADD_NET_ADAPTER), 2);
}

static void a_changed_adapter_waits_until_its_predecessor_has_gone(void **state)
{
    struct fixture *f = *state;

    begin(f);
    change(f, "\"networking\": \"virtioproxy\", " ADAPTER("57"));
    assert_in_use(f, "swiotlb=0x14000000,67108864;" VM_ID);
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 2); /* given up, configured */
    assert_int_equal(told(f, TELEMETRY_REMOVE_NET_ADAPTER), 1);
    assert_int_equal(told(f, TELEMETRY_ADD_NET_ADAPTER), 2);
}

static void an_adapter_that_is_named_no_more_goes(void **state)
{
    struct fixture *f = *state;
    struct vm_view view;

    begin(f);
    change(f, "\"networking\": \"virtioproxy\"");
    vm_get_view(f->vm, &view);
    assert_int_equal(view.adapter_count, 0);
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 1);
    assert_int_equal(told(f, TELEMETRY_REMOVE_NET_ADAPTER), 1);
}

static void with_nat_the_vmms_own_interface_is_configured(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    change(f, "\"networking\": \"nat\", " ADAPTER("56"));
    assert_in_use(f, "");
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 1);
    assert_int_equal(told(f, TELEMETRY_ADD_NET_ADAPTER), 0);
}

static void without_networking_nobody_is_asked(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    change(f, "\"networking\": \"none\", " ADAPTER("56"));
    assert_in_use(f, "");
    change(f, "\"networking\": \"none\"");
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 0);
}

static void assert_failed(struct fixture *f, const char *error)
{
    struct vm_adapter_view adapter;

    vm_get_adapter(f->vm, 0, &adapter);
    assert_int_equal(adapter.state, VM_DEVICE_FAILED);
    assert_non_null(strstr(adapter.error, error));
}

/* The guest lost packets: that is told, and nobody is asked for anything. */
static void an_adapter_whose_server_has_a_successor_stays(void **state)
{
    struct fixture *f = *state;

    begin(f);
    adapters_lost(f->vm, "eth0", true, "passt: killed by signal 9 (Killed)");
    settle(f);
    assert_in_use(f, "swiotlb=0x14000000,67108864;" VM_ID);
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 1);
    assert_int_equal(told(f, TELEMETRY_DEVICE_FAILED), 1);
    assert_int_equal(told(f, TELEMETRY_REMOVE_NET_ADAPTER), 0);
}

static void an_adapter_without_its_server_is_made_again_but_not_for_ever(void **state)
{
    struct fixture *f = *state;

    begin(f);
    for (unsigned i = 1; i <= LIMITS_SHARE_RETRIES; i++) {
        adapters_lost(f->vm, "eth0", false, "passt: exit status 1");
        settle(f);
        assert_in_use(f, "swiotlb=0x14000000,67108864;" VM_ID);
        assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 1 + i);
        assert_int_equal(told(f, TELEMETRY_REMOVE_NET_ADAPTER), i);
    }
    adapters_lost(f->vm, "eth0", false, "passt: exit status 1");
    settle(f);
    assert_failed(f, "too often in a short time");
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 1 + LIMITS_SHARE_RETRIES);
}

static void an_adapter_whose_aperture_cannot_be_kept_fails_with_the_reason(void **state)
{
    struct fixture *f = *state;

    begin(f);
    adapters_refused(f->vm, "eth0", "the guest's driver placed a ring elsewhere");
    settle(f);
    assert_failed(f, "placed a ring elsewhere");
    assert_int_equal(told(f, TELEMETRY_REMOVE_NET_ADAPTER), 1);
    assert_int_equal(told(f, TELEMETRY_ADD_NET_ADAPTER), 1);
    /* one that is not there any more is nobody's */
    adapters_refused(f->vm, "eth0", "again");
    adapters_lost(f->vm, "eth9", false, "unknown");
    settle(f);
    assert_failed(f, "placed a ring elsewhere");
}

/* A passt, of what makes no processes of its own: nothing is known of it that could be kept. */
static void a_required_aperture_is_not_had_of_another_device_host(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    change(f, "\"networking\": \"virtioproxy\", \"aperture\": \"require\", \"network\": "
              "[{\"id\": \"eth0\", \"mac\": \"52:54:00:12:34:56\", \"backend\": \"passt\"}]");
    assert_failed(f, "\"aperture\" of the VM is \"require\"");
    assert_int_equal(told(f, TELEMETRY_ADD_NET_ADAPTER), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_adapter_whose_server_has_a_successor_stays),
        TEST(an_adapter_without_its_server_is_made_again_but_not_for_ever),
        TEST(an_adapter_whose_aperture_cannot_be_kept_fails_with_the_reason),
        TEST(a_required_aperture_is_not_had_of_another_device_host),
        TEST(an_adapter_is_plugged_in_and_configured),
        TEST(the_same_boot_is_asked_nothing_twice),
        TEST(another_token_takes_another_device),
        TEST(a_changed_adapter_waits_until_its_predecessor_has_gone),
        TEST(an_adapter_that_is_named_no_more_goes),
        TEST(with_nat_the_vmms_own_interface_is_configured),
        TEST(without_networking_nobody_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
