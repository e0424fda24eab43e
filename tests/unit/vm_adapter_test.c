/* vm adapter: the way of an adapter to a configured interface, and back. */
#include "vm_support.h"

#include "base/limits.h"
#include "telemetry/telemetry.h"
#include "vm/adapter.h"
#include "vm/virtio_device.h"
#include "vm/vm.h"
#include "vm/vm_parts.h"

#include "protocol/request.h"
#include "protocol/result.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* Changes the configuration, and leaves what the guest is asked then unanswered. */
static void change_and_wait(struct fixture *f, const char *more)
{
    struct settings *next = configure(f, more);

    vm_change(f->vm, next, &next->config->vms[0]);
    run(f);
    (void)settings_unref(next);
}

/* Answers all that the guest was asked, CONFIGURE_NETWORK with @p error. @return how many of
 * those there were */
static unsigned answer_with(struct fixture *f, int error)
{
    uint8_t bytes[8192];
    ssize_t n = recv(f->guest, bytes, sizeof(bytes), MSG_DONTWAIT);
    unsigned asked = 0;

    for (size_t at = 0, size; n > 0 && at < (size_t)n; at += size) {
        bool network;
        uint8_t payload[64];
        struct wire_writer writer = {.data = payload, .capacity = sizeof(payload)};
        struct frame frame;

        assert_int_equal(frame_decode(bytes + at, (size_t)n - at, &frame, &size), 0);
        network = frame.type == FRAME_CONFIGURE_NETWORK;
        asked += network;
        result_pack(&writer, &(struct result){.error = network ? error : 0});
        if (frame.id != 0 && !(frame.flags & FRAME_FLAG_ANSWER))
            say(f, FRAME_RESULT, FRAME_FLAG_ANSWER, frame.id, payload, writer.size);
    }
    run(f);
    return asked;
}

static void the_guests_answer_decides_and_is_told(void **state)
{
    static const struct {
        int error;
        enum vm_device_state state;
        unsigned failures, timeouts;
    } rows[] = {
        {0, VM_DEVICE_IN_USE, 0, 0},
        {EIO, VM_DEVICE_FAILED, 1, 0},
        {ECONNRESET, VM_DEVICE_FAILED, 1, 0},
        {ETIMEDOUT, VM_DEVICE_FAILED, 1, 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vm_adapter_view adapter;
        struct fixture *f;

        assert_int_equal(set_up(state), 0);
        f = *state;
        connect_guest(f, POOL);
        change_and_wait(f, "\"networking\": \"nat\", " ADAPTER("56"));
        vm_get_adapter(f->vm, 0, &adapter);
        assert_int_equal(adapter.state, VM_DEVICE_SETTING);
        (void)answer_with(f, rows[i].error);
        vm_get_adapter(f->vm, 0, &adapter);
        assert_int_equal(adapter.state, rows[i].state);
        assert_int_equal(told(f, TELEMETRY_CONFIGURE_NETWORK), 1);
        assert_int_equal(told(f, TELEMETRY_DEVICE_FAILED), rows[i].failures);
        assert_int_equal(told(f, TELEMETRY_GUEST_TIMEOUT), rows[i].timeouts);
        assert_int_equal(f->services.latencies.network.count, 1);
        assert_int_equal(tear_down(state), 0);
    }
}

/* That is no answer: the guest is asked again when it is back. */
static void a_guest_that_leaves_is_asked_again(void **state)
{
    struct vm_adapter_view adapter;
    struct fixture *f = *state;

    connect_guest(f, POOL);
    change_and_wait(f, "\"networking\": \"nat\", " ADAPTER("56"));
    (void)close(f->guest);
    f->guest = -1;
    run(f);
    vm_get_adapter(f->vm, 0, &adapter);
    assert_int_equal(adapter.state, VM_DEVICE_WAITING);
    assert_int_equal(told(f, TELEMETRY_CONFIGURE_NETWORK), 0);
    assert_int_equal(f->services.latencies.network.count, 0);
    connect_guest(f, POOL);
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 1);
    assert_in_use(f, "");
}

static enum vm_device_state state_of(const struct fixture *f)
{
    struct vm_adapter_view adapter;

    vm_get_adapter(f->vm, 0, &adapter);
    return adapter.state;
}

/* QEMU could not be reached when passt ended, and has the device plugged in again when it is. */
static void an_adapter_that_qemu_plugs_in_again_is_configured_again(void **state)
{
    struct fixture *f = *state;
    struct settings *next = configure(f, "\"networking\": \"virtioproxy\", " ADAPTER("56"));

    next->config->vms[0].device_host.type = CONFIG_DEVICE_HOST_QEMU;
    connect_guest(f, POOL);
    vm_change(f->vm, next, &next->config->vms[0]);
    (void)settings_unref(next);
    settle(f);
    f->asked[FRAME_CONFIGURE_NETWORK] = 0;
    vm_device_host_events.down(f->vm, false, "hung up");
    vm_device_host_events.up(f->vm);
    settle(f);
    assert_int_equal(f->asked[FRAME_CONFIGURE_NETWORK], 1);
    assert_in_use(f, "swiotlb=0x14000000,67108864;" VM_ID);
}

/* What it says then is of an interface that is not there any more. */
static void the_answer_for_a_lost_adapter_counts_for_nothing(void **state)
{
    static const int errors[] = {0, ENODEV};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct fixture *f;

        assert_int_equal(set_up(state), 0);
        f = *state;
        connect_guest(f, POOL);
        change_and_wait(f, "\"networking\": \"virtioproxy\", " ADAPTER("56"));
        adapters_lost(f->vm, "eth0", false, "passt: killed");
        run(f); /* the next device does not wait for the answer */
        assert_int_equal(told(f, TELEMETRY_REMOVE_NET_ADAPTER), 1);
        assert_int_equal(virtio_device_find(f->vm, &adapter_kind, "eth0")->state,
                         VIRTIO_DEVICE_THERE);
        assert_int_equal(answer_with(f, errors[i]), 1);
        assert_int_equal(state_of(f), VM_DEVICE_SETTING);
        assert_int_equal(answer_with(f, 0), 1);
        assert_in_use(f, "swiotlb=0x14000000,67108864;" VM_ID);
        assert_int_equal(answer_with(f, 0), 0);
        assert_int_equal(tear_down(state), 0);
    }
}

static void an_adapter_that_was_refused_meanwhile_stays_failed(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    change_and_wait(f, "\"networking\": \"virtioproxy\", " ADAPTER("56"));
    adapters_refused(f->vm, "eth0", "not kept");
    run(f);
    assert_int_equal(answer_with(f, 0), 1);
    assert_failed(f, "not kept");
    /* one that a reload drops is given up once, whatever the guest was asked before */
    change_and_wait(f, "\"networking\": \"virtioproxy\", " ADAPTER("57"));
    adapters_lost(f->vm, "eth0", false, "passt: killed");
    change_and_wait(f, "\"networking\": \"virtioproxy\"");
    assert_int_equal(answer_with(f, 0), 1);
    assert_int_equal(answer_with(f, 0), 0);
    assert_int_equal(attachment_count(f->vm, &adapter_kind), 0);
}

#define OTHER_ADAPTER "{\"id\": \"eth1\", \"mac\": \"52:54:00:12:34:99\"}"

static void a_successor_waits_until_the_interface_was_given_up(void **state)
{
    struct fixture *f = *state;

    connect_guest(f, POOL);
    change_and_wait(f, "\"networking\": \"nat\", " ADAPTER("56"));
    assert_int_equal(answer_with(f, 0), 1);
    /* eth1 does not: it is another one's name */
    change_and_wait(f, "\"networking\": \"nat\", \"network\": [{\"id\": \"eth0\", "
                       "\"mac\": \"52:54:00:12:34:57\"}, " OTHER_ADAPTER "]");
    assert_int_equal(answer_with(f, EIO), 2);
    /* the one that the guest could not give up has gone all the same */
    assert_int_equal(answer_with(f, 0), 1);
    assert_int_equal(answer_with(f, 0), 0);
}

/* What the guest's version of the protocol does not have is not left out in silence. */
static void an_old_guest_is_told_of_if_that_matters(void **state)
{
    static const char begin_text[] = "\"networking\": \"nat\", \"network\": [{\"id\": \"eth0\", "
                                     "\"mac\": \"52:54:00:12:34:56\"";
    static const struct {
        const char *more, *end, *words;
        uint16_t minor;
    } rows[] = {
        {"", "}]", NULL, 0},
        {", \"gateway\": \"10.0.0.1\"", "}]", NULL, 0},
        {", \"metric\": 7", "}]", "too old for the order of default routes; update", 0},
        {", \"metric\": 7", "}]", NULL, 1},
        {", \"accept_ra\": false", "}]", "too old for accept_ra; update", 0},
        {"", "}], \"resolv_conf\": \"never\"", "too old for resolv_conf; update", 0},
        {"}, {\"id\": \"eth1\", \"mac\": \"52:54:00:12:34:57\", \"gateway\": \"10.0.0.1\"", "}]",
         "eth1: the guest is too old for the order of default routes; update", 0},
        {"}, {\"id\": \"eth1\", \"mac\": \"52:54:00:12:34:57\"", "}]", NULL, 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char more[512], text[4096];
        struct fixture *f;
        FILE *file;
        int saved;

        assert_int_equal(set_up(state), 0);
        f = *state;
        connect_guest(f, POOL);
        f->vm->boot.capabilities.minor = rows[i].minor;
        (void)snprintf(more, sizeof(more), "%s%s%s", begin_text, rows[i].more, rows[i].end);
        file = capture_stderr(&saved);
        change_and_wait(f, more);
        (void)captured(file, saved, text, sizeof(text));
        if (rows[i].words)
            assert_non_null(strstr(text, rows[i].words));
        else
            assert_null(strstr(text, "too old"));
        assert_int_equal(tear_down(state), 0);
    }
}

static void a_server_that_ends_with_its_guest_is_no_failure(void **state)
{
    struct fixture *f = *state;
    char text[4096];
    FILE *file;
    int saved;

    begin(f);
    f->vm->boot.farewell = true;
    adapters_lost(f->vm, "eth0", true, "passt: exit status 0");
    f->vm->boot.farewell = false;
    (void)close(f->guest);
    f->guest = -1;
    run(f);
    file = capture_stderr(&saved);
    adapters_lost(f->vm, "eth0", true, "passt: exit status 0");
    assert_non_null(
        strstr(captured(file, saved, text, sizeof(text)), "adapter eth0: passt: exit status 0"));
    assert_int_equal(told(f, TELEMETRY_DEVICE_FAILED), 0);
}

static void what_becomes_of_a_device_is_saved(void **state)
{
    struct fixture *f = *state;

    begin(f);
    assert_false(f->vm->saver.now);
    adapters_lost(f->vm, "eth0", true, "passt: killed"); /* nothing changes */
    assert_false(f->vm->saver.now);
    adapters_lost(f->vm, "eth0", false, "passt: killed");
    assert_true(f->vm->saver.now);
    settle(f);
    assert_false(f->vm->saver.now);
    adapters_refused(f->vm, "eth0", "not kept");
    assert_true(f->vm->saver.now);
    settle(f);
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
        cmocka_unit_test(the_guests_answer_decides_and_is_told),
        TEST(a_guest_that_leaves_is_asked_again),
        TEST(an_adapter_that_qemu_plugs_in_again_is_configured_again),
        cmocka_unit_test(the_answer_for_a_lost_adapter_counts_for_nothing),
        TEST(an_adapter_that_was_refused_meanwhile_stays_failed),
        TEST(a_successor_waits_until_the_interface_was_given_up),
        cmocka_unit_test(an_old_guest_is_told_of_if_that_matters),
        TEST(a_server_that_ends_with_its_guest_is_no_failure),
        TEST(what_becomes_of_a_device_is_saved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
