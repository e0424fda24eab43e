/* domain, what is left over and what goes by itself: a removal that failed is made up for once the
 * domain is found again, unless the device is wanted; one operation on a device at a time.
 * guestlink-libvirt is played, and time passes when the test says so. */
#include "descriptors.h"
#include "device_support.h"
#include "domain/libvirt.h"
#include "libvirt_played.h"
#include "played_clock.h"

#include <stdio.h>
#include <string.h>

#define ALIAS "ua-guestlink-net-e"
/* What a leftover's removal waits for, twice. */
#define LONGER_MS 2000u

static struct libvirt_played *const played = &libvirt_played;

static struct config_network networks[] = {
    {.id = (char *)"e", .backend = CONFIG_BACKEND_USER, .mac = {2, 0, 0, 0, 0, 1}},
    {.id = (char *)"p", .backend = CONFIG_BACKEND_PASST, .mac = {2, 0, 0, 0, 0, 2}},
    {.id = (char *)"t",
     .backend = CONFIG_BACKEND_TAP,
     .interface = (char *)"tap'0",
     .mac = {2, 0, 0, 0, 0, 3}},
};

static int set_up(void **state)
{
    struct devices *devices;

    (void)devices_set_up(state);
    devices = *state;
    devices->vm.device_host = (struct config_device_host){
        .type = CONFIG_DEVICE_HOST_LIBVIRT,
        .uri = (char *)"test:///uri",
        .domain = (char *)"dev",
        .timeout_ms = DEVICES_TIMEOUT_MS,
    };
    devices->vm.networks = networks;
    devices->vm.network_count = 3;
    libvirt_played_begin();
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    return 0;
}

static int tear_down(void **state)
{
    struct devices *devices = *state;

    devices->host = device_host_free(devices->host);
    libvirt_played_end();
    return devices_tear_down(state);
}

static const struct device_adapter adapter = {.network = &networks[0], .options = ""};

static void expect_text(const struct devices *devices, const char *part)
{
    if (!strstr(devices->text, part))
        fail_msg("\"%s\" is not in: %s", part, devices->text);
}

/* guestlink-libvirt ends, and the next one finds the domain again. @param during  may be NULL */
static void come_back(struct devices *devices, void (*during)(struct devices *devices))
{
    unsigned ups = devices->ups, downs = devices->downs;

    libvirt_played_end();
    devices_wait(devices, &devices->downs, downs + 1);
    if (during)
        during(devices);
    played_clock_pass(devices->event, LIBVIRT_PAUSE_FIRST_MS);
    devices_wait(devices, &devices->ups, ups + 1);
}

static void remove_unreachable(struct devices *devices)
{
    assert_int_equal(device_host_remove_adapter(devices->host, "e", devices_done, devices),
                     -ENOTCONN);
}

static void a_removal_without_libvirt_is_made_up_for(void **state)
{
    struct devices *devices = *state;

    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    come_back(devices, remove_unreachable);
    played_clock_pass(devices->event, LONGER_MS);
    devices_wait(devices, &played->detachments, 1);
    devices_run(devices, 50);
    assert_string_equal(played->devices[0].alias, "");
    assert_int_equal(devices->losses, 0);
    come_back(devices, NULL);
    played_clock_pass(devices->event, LONGER_MS);
    assert_int_equal(played->detachments, 1); /* once */
}

static void a_removal_that_failed_is_made_up_for(void **state)
{
    struct devices *devices = *state;

    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    played->refuses = true;
    assert_int_equal(devices_remove_adapter(devices, "e"), EBUSY);
    assert_int_equal(played->detachments, 1);
    played->refuses = false;
    come_back(devices, NULL);
    played_clock_pass(devices->event, LONGER_MS);
    devices_wait(devices, &played->detachments, 2);
}

static void one_that_is_wanted_again_stays(void **state)
{
    struct devices *devices = *state;
    unsigned detachments;

    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    for (unsigned i = 0; i == 0 || (devices->outcome.created && i < 100); i++) {
        come_back(devices, remove_unreachable);
        /* Unless this machine is so slow that the removal came first. */
        assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    }
    assert_false(devices->outcome.created);
    detachments = played->detachments;
    played_clock_pass(devices->event, LONGER_MS);
    assert_int_equal(played->detachments, detachments);
    assert_string_equal(played->devices[0].alias, ALIAS);
}

static void nothing_is_left_over_of_another_run(void **state)
{
    struct devices *devices = *state;
    unsigned downs;

    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    played->refuses = true;
    assert_int_equal(devices_remove_adapter(devices, "e"), EBUSY);
    downs = devices->downs;
    libvirt_played_say("{\"event\":\"lifecycle\",\"domain\":\"dev\",\"state\":\"stopped\"}");
    devices_wait(devices, &devices->downs, downs + 1);
    played->run++;
    libvirt_played_say("{\"event\":\"lifecycle\",\"domain\":\"dev\",\"state\":\"started\"}");
    devices_wait(devices, &devices->ups, 2);
    played_clock_pass(devices->event, LONGER_MS);
    assert_int_equal(played->detachments, 1);
}

static void one_operation_at_a_time_on_a_device(void **state)
{
    struct devices *devices = *state;

    played->holds_attach = true;
    assert_int_equal(device_host_add_adapter(devices->host, &adapter, devices_done, devices), 0);
    while (played->held == 0)
        devices_run(devices, 10);
    assert_int_equal(devices_remove_adapter(devices, "e"), EBUSY);
    assert_string_equal(devices->text, "device " ALIAS ": another operation is in progress");
    assert_int_equal(devices_add_adapter(devices, &adapter), EBUSY);
    played->holds_attach = false;
    assert_int_equal(devices_remove_adapter(devices, "other"), 0); /* another device's goes on */
    libvirt_played_release();
    devices_wait(devices, &devices->dones, 4);
    assert_int_equal(devices->outcome.error, EIO);
    expect_text(devices, "adapter e: cannot attach the device: internal error");
    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
}

static void one_that_goes_by_itself_is_told(void **state)
{
    struct devices *devices = *state;
    static const char *const no_news[] = {"ua-guestlink-net-p", "ua-guestlink-net-x",
                                          "ua-guestlink-share-e", "net0"};
    char line[256];

    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    for (size_t i = 0; i < sizeof(no_news) / sizeof(no_news[0]); i++) {
        (void)snprintf(line, sizeof(line),
                       "{\"event\":\"removed\",\"domain\":\"dev\",\"alias\":\"%s\"}", no_news[i]);
        libvirt_played_say(line);
    }
    libvirt_played_say("{\"event\":\"removal-failed\",\"domain\":\"dev\",\"alias\":\"" ALIAS "\"}");
    devices_run(devices, 100);
    assert_int_equal(devices->losses, 0);
    libvirt_played_say("{\"event\":\"removed\",\"domain\":\"dev\",\"alias\":\"" ALIAS "\"}");
    devices_wait(devices, &devices->losses, 1);
    assert_string_equal(devices->text, "e: the device was removed from the domain");
    assert_int_equal(devices->restorations, 0);
}

/* As an adapter that a reload of the configuration brought. */
static void one_of_a_later_configuration_is_told_too(void **state)
{
    static struct config_network brought = {.id = (char *)"x", .backend = CONFIG_BACKEND_USER};
    struct devices *devices = *state;
    struct config_vm next = devices->vm;

    next.networks = &brought;
    next.network_count = 1;
    device_host_rebase(devices->host, &next);
    libvirt_played_say(
        "{\"event\":\"removed\",\"domain\":\"dev\",\"alias\":\"" ALIAS "\"}\n"
        "{\"event\":\"removed\",\"domain\":\"dev\",\"alias\":\"ua-guestlink-net-x\"}");
    devices_wait(devices, &devices->losses, 1);
    assert_string_equal(devices->text, "x: the device was removed from the domain");
    device_host_rebase(devices->host, &devices->vm);
}

static void what_happens_during_a_look_is_looked_at_again(void **state)
{
    struct devices *devices = *state;
    unsigned before = played->describes;

    libvirt_played_say("{\"event\":\"lifecycle\",\"domain\":\"dev\",\"state\":\"started\"}\n"
                       "{\"event\":\"lifecycle\",\"domain\":\"dev\",\"state\":\"defined\"}\n"
                       "{\"event\":\"lifecycle\",\"domain\":\"dev\",\"state\":\"defined\"}");
    devices_wait(devices, &played->describes, before + 2);
    devices_run(devices, 100);
    assert_int_equal(played->describes, before + 2);
    assert_int_equal(devices->ups, 1);
}

static void a_tap_is_the_operator_s(void **state)
{
    const struct device_adapter tap = {.network = &networks[2], .options = ""};
    struct devices *devices = *state;

    assert_int_equal(devices_add_adapter(devices, &tap), 0);
    assert_int_equal(strncmp(played->xml,
                             "<interface type='ethernet'><mac address='02:00:00:00:00:03'/>"
                             "<target dev='tap&apos;0' managed='no'/><model",
                             strlen("<interface type='ethernet'><mac address='02:00:00:00:00:03'/>"
                                    "<target dev='tap&apos;0' managed='no'/><model")),
                     0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_removal_without_libvirt_is_made_up_for),
        TEST(a_removal_that_failed_is_made_up_for),
        TEST(one_that_is_wanted_again_stays),
        TEST(nothing_is_left_over_of_another_run),
        TEST(one_operation_at_a_time_on_a_device),
        TEST(one_that_goes_by_itself_is_told),
        TEST(one_of_a_later_configuration_is_told_too),
        TEST(what_happens_during_a_look_is_looked_at_again),
        TEST(a_tap_is_the_operator_s),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
