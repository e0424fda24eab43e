/* control view: what is known of a VM is in its members of JSON, each value in its own. */
#include "control/control_view.h"
#include "descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct config_vm config = {
    .name = "dev",
    .id = "8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0a",
    .cid = 101,
    .socket = "/run/socket",
    .memory = 102,
    .bundled_kernel = true,
    .aperture = CONFIG_APERTURE_REQUIRE,
    .device_host = {.type = CONFIG_DEVICE_HOST_COMMAND, .domain = (char[]){"a-domain"}}};
static const struct policy policy = {
    .virtiofs = true, .networking = CONFIG_NETWORKING_NAT, .swiotlb_bytes = 103};
static const struct guest_capabilities capabilities = {.major = 1,
                                                       .minor = 7,
                                                       .features = CAPABILITIES_9P,
                                                       .swiotlb_base = 0x14000000,
                                                       .swiotlb_size = 104,
                                                       .memory_bytes = 105,
                                                       .page_size = 106,
                                                       .cpu_count = 107,
                                                       .boot_id = {0x01, 0x23, 0x45, 0x67, 0x89},
                                                       .kernel_release = "6.1.0-x",
                                                       .init_version = "0.9",
                                                       .started_ns = 108,
                                                       .sent_ns = 109};
static const struct aperture_status narrowed = {.state = APERTURE_NARROWED,
                                                .bytes = 502,
                                                .reason = "for want"},
                                    enforced = {.state = APERTURE_ENFORCED, .bytes = 503};
static char *const argv[] = {"/bin/sh", "-c"};
static const struct config_payload payload = {.argv = {.items = (char **)argv, .count = 2}};
static char *const addresses[] = {"10.0.2.15/24"};
static const struct config_network network = {.id = "eth0",
                                              .mac = {0x52, 0x54, 0, 0x12, 0x34, 0xfe},
                                              .address = {.items = (char **)addresses, .count = 1}};

/* What the VM under test says of itself; each test changes what it is about. */
static struct vm_view view;
static struct vm_share_view shares[2];
static struct vm_adapter_view adapters[1];

void __wrap_vm_get_view(const struct vm *vm, struct vm_view *ret_view);
void __wrap_vm_get_share(const struct vm *vm, size_t index, struct vm_share_view *ret_view);
void __wrap_vm_get_adapter(const struct vm *vm, size_t index, struct vm_adapter_view *ret_view);

void __wrap_vm_get_view(const struct vm *vm, struct vm_view *ret_view)
{
    (void)vm;
    *ret_view = view;
}

void __wrap_vm_get_share(const struct vm *vm, size_t index, struct vm_share_view *ret_view)
{
    (void)vm;
    *ret_view = shares[index];
}

void __wrap_vm_get_adapter(const struct vm *vm, size_t index, struct vm_adapter_view *ret_view)
{
    (void)vm;
    *ret_view = adapters[index];
}

static int set_up(void **state)
{
    (void)state;
    view = (struct vm_view){
        .config = &config,
        .policy = &policy,
        .state = VM_READY,
        .device_host_error = "",
        .device_host_up = true,
        .device_host_version = "10.0",
        .boot_known = true,
        .capabilities = &capabilities,
        .verdict = POOL_USABLE,
        .token = "a-token",
        .timings = {.accepted_us = 201,
                    .capabilities_ms = 202,
                    .devices_ms = 203,
                    .mounts_ms = 204,
                    .network_ms = 205,
                    .payload_ms = 206,
                    .ready_ms = 207,
                    .guest_started_ns = 208,
                    .guest_sent_ns = 209,
                    .guest = {.modules_ns = 210,
                              .connected_ns = 211,
                              .welcomed_ns = 212,
                              .mounted_ns = 213,
                              .network_ns = 214,
                              .payload_ns = 215,
                              .ready_ns = 216}},
        .payload = {.state = VM_PAYLOAD_EXITED,
                    .config = &payload,
                    .status = 301,
                    .signal = 302,
                    .restarts = 303,
                    .error = "payload's"},
        .share_count = 2,
        .adapter_count = 1,
        .connections = 401,
        .bytes_held = 402,
        .exhausted = 403,
        .dropped = 404,
        .last_seen_us = 405,
    };
    shares[0] = (struct vm_share_view){.tag = "t0",
                                       .path = "/path",
                                       .target = "/target",
                                       .read_only = true,
                                       .transport = POLICY_TRANSPORT_9P,
                                       .device = "d0",
                                       .port = 501,
                                       .aperture = &narrowed,
                                       .options = "o0",
                                       .state = VM_DEVICE_IN_USE,
                                       .configured = true,
                                       .error = ""};
    shares[1] = (struct vm_share_view){.tag = "t1",
                                       .path = "",
                                       .target = "",
                                       .transport = POLICY_TRANSPORT_VIRTIOFS,
                                       .device = "",
                                       .options = "",
                                       .state = VM_DEVICE_ADDED,
                                       .iommu_platform = true,
                                       .aperture = &enforced,
                                       .error = ""};
    adapters[0] = (struct vm_adapter_view){.network = &network,
                                           .options = "o2",
                                           .state = VM_DEVICE_SETTING,
                                           .iommu_platform = true,
                                           .error = ""};
    return 0;
}

/* Every member of an object must be there with its value; there may be more. */
static void expect(struct json_object *object, const char *const *members, size_t count)
{
    const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE);

    for (size_t i = 0; i < count; i++)
        if (strstr(text, members[i]) == NULL)
            fail_msg("no %s in %s", members[i], text);
    json_object_put(object);
}

#define EXPECT(object, ...)                                                                        \
    expect(object, (const char *const[]){__VA_ARGS__},                                             \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void test_a_whole_view_has_every_value(void **state)
{
    (void)state;
    EXPECT(control_view_vm(NULL), "\"name\":\"dev\"",
           "\"id\":\"8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0a\"", "\"state\":\"ready\"", "\"cid\":101",
           "\"socket\":\"/run/socket\"", "\"memory_bytes\":102", "\"kernel\":\"bundled\"",
           "\"virtiofs\":true", "\"networking\":\"nat\"", "\"swiotlb_bytes\":103",
           "\"device_host\":\"command\"", "\"domain\":\"a-domain\"", "\"device_host_up\":true",
           "\"device_host_error\":\"\"", "\"device_host_version\":\"10.0\"", "\"pool\":\"usable\"",
           "\"token\":\"a-token\"", "\"aperture\":\"require\"", "\"version\":\"1.7\"",
           "\"features\":[\"9p\"]", "\"swiotlb_base\":\"0x14000000\"", "\"swiotlb_size\":104",
           "\"memory_bytes\":105", "\"page_size\":106", "\"cpu_count\":107",
           "\"boot_id\":\"01234567-8900-0000-0000-000000000000\"", "\"kernel_release\":\"6.1.0-x\"",
           "\"init_version\":\"0.9\"", "\"started_ns\":108", "\"sent_ns\":109",
           "\"accepted_us\":201", "\"capabilities_ms\":202", "\"devices_ms\":203",
           "\"mounts_ms\":204", "\"network_ms\":205", "\"payload_ms\":206", "\"ready_ms\":207",
           "\"guest_started_ns\":208", "\"guest_sent_ns\":209", "\"guest_modules_ns\":210",
           "\"guest_connected_ns\":211", "\"guest_welcomed_ns\":212", "\"guest_mounted_ns\":213",
           "\"guest_network_ns\":214", "\"guest_payload_ns\":215", "\"guest_ready_ns\":216",
           "\"state\":\"exited\"", "\"argv\":[\"/bin/sh\",\"-c\"]", "\"status\":301",
           "\"signal\":302", "\"restarts\":303", "\"error\":\"payload's\"", "\"connections\":401",
           "\"bytes_held\":402", "\"pool_exhausted\":403", "\"events_dropped\":404",
           "\"last_seen_us\":405");
}

static void test_shares_and_adapters_have_theirs(void **state)
{
    (void)state;
    EXPECT(control_view_vm(NULL),
           "\"shares\":[{\"tag\":\"t0\",\"path\":\"/path\",\"target\":\"/target\","
           "\"read_only\":true,\"transport\":\"9p\",\"device\":\"d0\",\"port\":501,"
           "\"options\":\"o0\",\"state\":\"in-use\",\"iommu_platform\":false,"
           "\"aperture\":\"narrowed\",\"aperture_bytes\":502,\"aperture_reason\":\"for want\","
           "\"configured\":true,\"error\":\"\"},{\"tag\":\"t1\"",
           "\"read_only\":false,\"transport\":\"virtiofs\"",
           "\"state\":\"added\",\"iommu_platform\":true,\"aperture\":\"enforced\","
           "\"aperture_bytes\":503,\"aperture_reason\":\"\",\"configured\":false",
           "\"adapters\":[{\"id\":\"eth0\",\"mac\":\"52:54:00:12:34:fe\",\"address\":["
           "\"10.0.2.15/24\"],\"options\":\"o2\",\"state\":\"setting\",\"iommu_platform\":true,"
           "\"aperture\":\"\",\"aperture_bytes\":0,\"aperture_reason\":\"\",\"error\":\"\"}]");
}

static void test_what_is_not_known_is_left_out(void **state)
{
    (void)state;
    view.boot_known = false;
    EXPECT(control_view_vm(NULL), "\"pool\":\"\"");
    view.boot_known = true;
    view.capabilities = NULL;
    view.payload.config = NULL;
    view.config = &(struct config_vm){.name = "dev", .id = "x"};
    EXPECT(control_view_vm(NULL), "\"pool\":\"\"", "\"argv\":[]", "\"kernel\":\"custom\"",
           "\"socket\":\"\"", "\"device_host\":\"none\"");
    view.capabilities = &capabilities;
    view.verdict = POOL_E_ZERO;
    EXPECT(control_view_vm(NULL), "\"capabilities\":{", pool_verdict_text(POOL_E_ZERO));
}

static void test_a_summary_has_the_pool_if_there_is_a_token(void **state)
{
    (void)state;
    EXPECT(control_view_summary(NULL), "\"name\":\"dev\"", "\"state\":\"ready\"", "\"cid\":101",
           "\"socket\":\"/run/socket\"", "\"kernel_release\":\"6.1.0-x\"", "\"token\":\"a-token\"",
           "\"pool_base\":\"0x14000000\"", "\"pool_size\":104", "\"shares\":2", "\"adapters\":1",
           "\"aperture\":\"narrowed\",\"aperture_bytes\":502", "\"error\":\"payload's\"");
    shares[0].aperture = NULL;
    EXPECT(control_view_summary(NULL), "\"aperture\":\"enforced\",\"aperture_bytes\":503");
    shares[1].aperture = NULL;
    EXPECT(control_view_summary(NULL), "\"aperture\":\"\",\"aperture_bytes\":0");
    view.token = "";
    EXPECT(control_view_summary(NULL), "\"pool_base\":\"\"", "\"pool_size\":0");
    view.token = "a-token";
    view.capabilities = NULL;
    EXPECT(control_view_summary(NULL), "\"pool_base\":\"\"", "\"pool_size\":0",
           "\"kernel_release\":\"\"");
}

/* Of several devices the view shows the widest aperture: by its state, then by its bytes. */
static void test_a_summary_has_the_widest_of_the_apertures(void **state)
{
    static const struct aperture_status wider = {.state = APERTURE_NARROWED, .bytes = 504},
                                        narrower = {.state = APERTURE_NARROWED, .bytes = 501};
    const char *const wanted = "\"aperture\":\"narrowed\",\"aperture_bytes\":";
    char text[64];

    (void)state;
    for (unsigned i = 0; i < 2; i++) { /* in whichever order they are */
        shares[i].aperture = &narrowed;
        shares[1 - i].aperture = &wider;
        (void)snprintf(text, sizeof(text), "%s504", wanted);
        EXPECT(control_view_summary(NULL), text);
        shares[1 - i].aperture = &narrower;
        (void)snprintf(text, sizeof(text), "%s502", wanted);
        EXPECT(control_view_summary(NULL), text);
        shares[1 - i].aperture = &enforced; /* more bytes, and less reach */
        EXPECT(control_view_summary(NULL), text);
    }
}

static void test_each_transport_has_its_name(void **state)
{
    (void)state;
    shares[0].transport = POLICY_TRANSPORT_NONE;
    EXPECT(control_view_vm(NULL), "\"transport\":\"none\"");
}

static void test_no_key_is_there_for_a_report_that_is_not_the_boots(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct json_object *object;

        view.boot_known = i == 1;
        view.capabilities = i == 2 ? &capabilities : NULL;
        object = control_view_vm(NULL);
        assert_false(json_object_object_get_ex(object, "capabilities", NULL));
        EXPECT(object, "\"pool\":\"\"");
    }
}

/* Device host, shares, adapters, payload: whoever others wait for is named. */
static void test_the_first_error_is_that_of_what_comes_first(void **state)
{
    (void)state;
    adapters[0].error = "adapter's";
    EXPECT(control_view_summary(NULL), "\"error\":\"payload's\"");
    adapters[0].state = VM_DEVICE_FAILED;
    EXPECT(control_view_summary(NULL), "\"error\":\"adapter's\"");
    shares[1].error = "share's"; /* which was lost, and is about to come again */
    EXPECT(control_view_summary(NULL), "\"error\":\"share's\"");
    view.device_host_error = "host's";
    EXPECT(control_view_summary(NULL), "\"error\":\"host's\"");
    EXPECT(control_view_vm(NULL), "\"device_host_error\":\"host's\"");
    view.device_host_error = NULL;
    EXPECT(control_view_summary(NULL), "\"error\":\"share's\"");
}

static void test_every_feature_has_its_name(void **state)
{
    static const struct {
        uint64_t bits;
        const char *features;
    } cases[] = {
        {0, "\"features\":[]"},
        {CAPABILITIES_SECCOMP_USER_NOTIF, "[\"seccomp-user-notification\"]"},
        {CAPABILITIES_VIRTIOFS, "[\"virtiofs\"]"},
        {CAPABILITIES_9P | CAPABILITIES_OVERLAY, "[\"9p\",\"overlay\"]"},
        {CAPABILITIES_SWIOTLB_PUBLISHED, "[\"swiotlb-published\"]"},
        {CAPABILITIES_SWIOTLB_ASKED, "[\"swiotlb-asked\"]"},
        {CAPABILITIES_SWIOTLB_LEFT, "[\"swiotlb-left\"]"},
        {CAPABILITIES_SWIOTLB_DEFAULT, "[\"swiotlb-default\"]"},
        {CAPABILITIES_SWIOTLB_DYNAMIC, "[\"swiotlb-dynamic\"]"},
        {CAPABILITIES_TERMINAL, "[\"terminal\"]"},
        {CAPABILITIES_CONNECTIONS, "[\"connections\"]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guest_capabilities some = capabilities;

        some.features = cases[i].bits;
        EXPECT(control_view_capabilities(&some), cases[i].features);
    }
}

static void test_pools_are_told_in_bytes(void **state)
{
    const struct event_pool_usage usage = {
        .slot_bytes = 2048,
        .count = 2,
        .pools = {{.total = 3, .used = 2, .high_water = 1, .name = wire_text_of("one")},
                  {.total = 30, .used = 20, .high_water = 10, .name = wire_text_of("two\n")}}};

    (void)state;
    EXPECT(control_view_pools(&usage),
           "\"name\":\"one\",\"total_bytes\":6144,\"used_bytes\":4096,\"high_water_bytes\":2048}",
           "\"name\":\"two \",\"total_bytes\":61440,\"used_bytes\":40960,"
           "\"high_water_bytes\":20480}");
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_whole_view_has_every_value),
        TEST(test_shares_and_adapters_have_theirs),
        TEST(test_what_is_not_known_is_left_out),
        TEST(test_a_summary_has_the_pool_if_there_is_a_token),
        TEST(test_a_summary_has_the_widest_of_the_apertures),
        TEST(test_each_transport_has_its_name),
        TEST(test_no_key_is_there_for_a_report_that_is_not_the_boots),
        TEST(test_the_first_error_is_that_of_what_comes_first),
        TEST(test_every_feature_has_its_name),
        TEST(test_pools_are_told_in_bytes),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
