/* domain: what libvirt hears when a domain's devices are added, taken over, lost and removed, and
 * what becomes of a guestlink-libvirt that hangs, ends or lies. It is played; a shell stands in for
 * virtiofsd. */
#include "base/program.h"
#include "descriptors.h"
#include "device_support.h"
#include "domain/description.h"
#include "domain/device_xml.h"
#include "libvirt_played.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOKEN   "swiotlb=0x1000000,16777216"
#define STOPPED "{\"event\":\"lifecycle\",\"domain\":\"dev\",\"state\":\"stopped\"}"
#define STARTED "{\"event\":\"lifecycle\",\"domain\":\"dev\",\"state\":\"started\"}"
#define REBOOT  "{\"event\":\"reboot\",\"domain\":\"dev\"}"

static struct libvirt_played *const played = &libvirt_played;

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
    devices->vm.device_host.virtiofsd =
        strdup(devices_script(devices, "virtiofsd", "#!/bin/sh\nexec sleep 1000\n"));
    libvirt_played_begin();
    return 0;
}

static void start(struct devices *devices)
{
    devices->ups = 0;
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
}

/* The domain ends, so that nothing is left that serves it. */
static int tear_down(void **state)
{
    struct devices *devices = *state;

    if (devices->host && device_host_is_up(devices->host)) {
        unsigned downs = devices->downs;

        libvirt_played_say(STOPPED);
        devices_wait(devices, &devices->downs, downs + 1);
    }
    devices->host = device_host_free(devices->host);
    libvirt_played_end();
    free(devices->vm.device_host.virtiofsd);
    return devices_tear_down(state);
}

static struct device_share share_of(const struct devices *devices)
{
    return (struct device_share){.tag = "c", .path = devices->directory, .options = ""};
}

static int add(struct devices *devices)
{
    const struct device_share share = share_of(devices);

    return devices_add_share(devices, &share);
}

/* What serves the share whose device was attached last, by its socket's path; 0: nothing. */
static pid_t server(const struct devices *devices)
{
    const char *at = strstr(played->xml, "socket='");
    char path[256], text[64];

    if (!at)
        return 0;
    at += 8 + strlen(devices->directory) + 1;
    (void)snprintf(path, sizeof(path), "%.*spid", (int)(strstr(at, "sock") - at), at);
    return (pid_t)strtol(devices_read(devices, path, text, sizeof(text)), NULL, 10);
}

static pid_t wait_for_server(struct devices *devices)
{
    for (unsigned i = 0; i < 1000 && server(devices) == 0; i++)
        devices_run(devices, 10);
    assert_true(server(devices) > 1);
    return server(devices);
}

static void expect_text(const struct devices *devices, const char *part)
{
    if (!strstr(devices->text, part))
        fail_msg("\"%s\" is not in: %s", part, devices->text);
}

static void a_share_is_made_and_removed(void **state)
{
    struct devices *devices = *state;

    start(devices);
    assert_int_equal(add(devices), 0);
    assert_true(devices->outcome.created);
    assert_false(devices->outcome.iommu_platform);
    assert_non_null(strstr(played->xml, "<filesystem type='mount'><driver type='virtiofs'/>"));
    assert_non_null(strstr(played->xml, "<target dir='c'/><alias name='ua-guestlink-share-c'/>"));
    assert_non_null(strstr(played->xml, " bus='0x05' "));
    assert_true(wait_for_server(devices) > 1);
    assert_int_equal(devices_remove_share(devices, "c"), 0);
    assert_int_equal(server(devices), 0);
    assert_int_equal(played->detachments, 1);
    assert_int_equal(devices_remove_share(devices, "c"), 0);
    expect_text(devices, "the device did not exist");
}

static void ports_take_turns(void **state)
{
    struct devices *devices = *state;

    start(devices);
    assert_int_equal(add(devices), 0);
    assert_int_equal(devices_remove_share(devices, "c"), 0);
    assert_int_equal(add(devices), 0);
    assert_non_null(strstr(played->xml, " bus='0x06' "));
}

static void the_next_daemon_takes_it_over(void **state)
{
    struct devices *devices = *state;
    pid_t pid;

    start(devices);
    assert_int_equal(add(devices), 0);
    pid = wait_for_server(devices);
    devices->host = device_host_free(devices->host);
    start(devices);
    assert_int_equal(add(devices), 0);
    assert_false(devices->outcome.created);
    assert_int_equal(played->attachments, 1);
    assert_int_equal(server(devices), pid);
}

static void one_that_nobody_serves_is_made_anew(void **state)
{
    struct devices *devices = *state;
    pid_t pid;

    start(devices);
    assert_int_equal(add(devices), 0);
    pid = wait_for_server(devices);
    devices->host = device_host_free(devices->host);
    (void)kill(-pid, SIGKILL);
    devices_run(devices, 100);
    start(devices);
    assert_int_equal(add(devices), 0);
    assert_true(devices->outcome.created);
    assert_int_equal(played->detachments, 1);
    assert_int_equal(played->attachments, 2);
}

static void one_whose_server_ends_is_unplugged_and_told(void **state)
{
    struct devices *devices = *state;

    start(devices);
    assert_int_equal(add(devices), 0);
    (void)kill(-wait_for_server(devices), SIGKILL);
    devices_wait(devices, &devices->losses, 1);
    devices_run(devices, 100);
    assert_int_equal(played->detachments, 1);
    assert_int_equal(devices_remove_share(devices, "c"), 0);
}

static void an_attachment_that_hangs_ends_with_its_server(void **state)
{
    struct devices *devices = *state;
    const struct device_share share = share_of(devices);

    devices->vm.device_host.timeout_ms = 300;
    played->holds_attach = true;
    start(devices);
    devices->dones = 0;
    assert_int_equal(device_host_add_share(devices->host, &share, devices_done, devices), 0);
    devices_run(devices, 1000);
    assert_int_equal(devices->dones, 0);
    assert_int_equal(server(devices), 0);
    libvirt_played_release();
    devices_wait(devices, &devices->dones, 1);
    assert_int_equal(devices->outcome.error, ETIMEDOUT);
    expect_text(devices, "libvirt did not attach the device within ");
    played->holds_attach = false;
    assert_int_equal(add(devices), 0);
}

static void refusals_say_what_to_do(void **state)
{
    struct devices *devices = *state;

    start(devices);
    played->not_shared = true;
    assert_int_equal(add(devices), ENOTSUP);
    expect_text(devices, "<memoryBacking>");
    played->not_shared = false;
    played->ports = 0;
    assert_int_equal(add(devices), ENOSPC);
    expect_text(devices, "pcie-root-port");
    played->ports = 4;
    played->attach_error = "Failed to connect to '/x.sock': Permission denied";
    assert_int_equal(add(devices), EIO);
    expect_text(devices, "AppArmor needs a line");
    assert_int_equal(server(devices), 0);
    played->inactive = true;
    assert_int_equal(add(devices), ENOTCONN);
}

static void a_share_that_cannot_bounce_is_added_without(void **state)
{
    struct devices *devices = *state;
    struct device_share share = share_of(devices);

    share.options = TOKEN;
    share.iommu_platform = true;
    played->attach_errors = "internal error: iommu_platform=true is not supported by the device";
    start(devices);
    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_false(devices->outcome.iommu_platform);
    expect_text(devices, "does not bounce");
    assert_int_equal(played->attachments, 2);
    assert_int_equal(devices_remove_share(devices, "c"), 0);
    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_int_equal(played->attachments, 3); /* it is not asked again */
    assert_int_equal(devices_remove_share(devices, "c"), 0);
    share.aperture = CONFIG_APERTURE_REQUIRE;
    assert_int_equal(devices_add_share(devices, &share), EIO);
    expect_text(devices, "the aperture is required");
    played->balloon = true;
    assert_int_equal(devices_add_share(devices, &share), ENOTSUP);
    expect_text(devices, "<memballoon model='none'/>");
}

static void one_that_bounces_has_a_short_queue(void **state)
{
    struct devices *devices = *state;
    struct device_share share = share_of(devices);

    share.options = TOKEN;
    share.iommu_platform = true;
    start(devices);
    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_true(devices->outcome.iommu_platform);
    assert_non_null(strstr(played->xml, "<driver type='virtiofs' queue='64' iommu='on'/>"));
}

static void a_guest_may_keep_a_device(void **state)
{
    struct devices *devices = *state;

    start(devices);
    assert_int_equal(add(devices), 0);
    played->refuses = true;
    assert_int_equal(devices_remove_share(devices, "c"), EBUSY);
    played->refuses = false;
    played->keeps = true;
    device_host_free(devices->host);
    devices->vm.device_host.timeout_ms = 200;
    start(devices);
    assert_int_equal(devices_remove_share(devices, "c"), ETIMEDOUT);
    expect_text(devices, "did not release");
    played->keeps = false;
    assert_int_equal(devices_remove_share(devices, "c"), 0);
}

static void a_domain_that_stops_takes_all_with_it(void **state)
{
    struct devices *devices = *state;
    const struct device_share share = share_of(devices);
    unsigned downs;

    start(devices);
    assert_int_equal(add(devices), 0);
    assert_true(wait_for_server(devices) > 1);
    downs = devices->downs;
    libvirt_played_say(STOPPED);
    devices_wait(devices, &devices->downs, downs + 1);
    assert_true(devices->ended);
    assert_false(device_host_is_up(devices->host));
    assert_int_equal(server(devices), 0);
    assert_int_equal(device_host_add_share(devices->host, &share, devices_done, devices),
                     -ENOTCONN);
    played->devices[0].alias[0] = '\0';
    played->run = 2;
    libvirt_played_say(STARTED);
    devices_wait(devices, &devices->ups, 2);
    assert_int_equal(add(devices), 0);
    assert_true(devices->outcome.created);
}

static void a_reboot_is_told_once(void **state)
{
    struct devices *devices = *state;

    start(devices);
    for (int i = 0; i < 3; i++)
        libvirt_played_say(REBOOT);
    devices_wait(devices, &devices->resets, 1);
    devices_run(devices, 100);
    assert_int_equal(devices->resets, 1);
    devices_run(devices, 1100);
    libvirt_played_say(REBOOT);
    devices_wait(devices, &devices->resets, 2);
}

static void a_domain_that_is_not_there_is_waited_for(void **state)
{
    struct devices *devices = *state;

    played->absent = true;
    devices_start(devices);
    devices_wait(devices, &devices->downs, 1);
    assert_false(devices->ended);
    expect_text(devices, "define it");
    played->absent = false;
    played->inactive = true;
    libvirt_played_say("{\"event\":\"lifecycle\",\"domain\":\"dev\",\"state\":\"defined\"}");
    devices_run(devices, 100);
    assert_int_equal(devices->ups, 0);
    played->inactive = false;
    libvirt_played_say(STARTED);
    devices_wait(devices, &devices->ups, 1);
}

static void a_program_that_ends_loses_nothing(void **state)
{
    struct devices *devices = *state;
    pid_t pid;

    start(devices);
    assert_int_equal(add(devices), 0);
    pid = wait_for_server(devices);
    for (unsigned i = 1; i <= 3; i++) {
        unsigned downs = devices->downs;

        libvirt_played_end();
        devices_wait(devices, &devices->downs, downs + 1);
        assert_false(devices->ended);
        devices_wait(devices, &devices->ups, i + 1);
        assert_int_equal(played->starts, i + 1);
    }
    assert_int_equal(add(devices), 0);
    assert_false(devices->outcome.created);
    assert_int_equal(server(devices), pid);
}

static void one_that_missed_the_domain_s_end_finds_out(void **state)
{
    struct devices *devices = *state;

    start(devices);
    assert_int_equal(add(devices), 0);
    assert_true(wait_for_server(devices) > 1);
    played->run = 2;
    played->devices[0].alias[0] = '\0';
    libvirt_played_end();
    devices_wait(devices, &devices->ups, 2);
    assert_int_equal(devices->downs, 2); /* libvirt, then the domain */
    assert_true(devices->ended);
    assert_int_equal(server(devices), 0);
}

static void an_error_of_libvirt_s_is_not_the_domain_s_end(void **state)
{
    struct devices *devices = *state;
    unsigned describes;
    pid_t pid;

    start(devices);
    assert_int_equal(add(devices), 0);
    pid = wait_for_server(devices);
    played->fails = true;
    libvirt_played_end();
    devices_wait(devices, &devices->downs, 2); /* libvirt, then what it says */
    expect_text(devices, "domain \"dev\": out of memory");
    describes = played->describes;
    devices_wait(devices, &played->describes, describes + 1); /* it is asked again */
    devices_run(devices, 10);
    assert_int_equal(devices->downs, 2);
    assert_false(devices->ended);
    assert_false(device_host_is_up(devices->host));
    played->fails = false;
    devices_wait(devices, &devices->ups, 2);
    assert_int_equal(add(devices), 0);
    assert_false(devices->outcome.created);
    assert_int_equal(server(devices), pid);
}

static void one_that_libvirt_cannot_describe_is_told(void **state)
{
    struct devices *devices = *state;

    played->fails = true;
    devices_start(devices);
    devices_wait(devices, &devices->downs, 1);
    assert_false(devices->ended);
    expect_text(devices, "domain \"dev\": out of memory");
    played->fails = false;
    libvirt_played_say(STARTED);
    devices_wait(devices, &devices->ups, 1);
}

static void an_operation_ends_with_the_program(void **state)
{
    struct devices *devices = *state;
    const struct device_share share = share_of(devices);

    played->holds_attach = true;
    start(devices);
    devices->dones = 0;
    assert_int_equal(device_host_add_share(devices->host, &share, devices_done, devices), 0);
    while (played->held == 0)
        devices_run(devices, 10);
    libvirt_played_end();
    devices_wait(devices, &devices->dones, 1);
    assert_int_equal(devices->outcome.error, ECONNRESET);
    assert_int_equal(devices->downs_when_done, 1); /* what asked knows why */
    played->holds_attach = false;
    devices_wait(devices, &devices->ups, 2);
}

static void lies_end_it_and_nothing_else(void **state)
{
    static const char *const lies[] = {
        "nonsense",        "[]", "{\"id\": 99999, \"result\": {}}", "{\"id\": 1, \"error\": 5}",
        "{\"id\": \"1\"}", "{}",
    };
    static const char *const odd[] = {
        "{\"event\": 5, \"id\": 1, \"result\": 1}",
        "{\"event\":\"lifecycle\",\"domain\":7,\"state\":[]}",
        "{\"event\":\"lifecycle\",\"domain\":\"dev\"}",
        "{\"event\":\"removed\",\"domain\":\"dev\",\"alias\":{}}",
        "{\"event\":\"removed\",\"domain\":\"dev\",\"alias\":\"nobody's\"}",
        "{\"event\":\"connected\"}",
        "{\"event\":\"closed\"}",
        "{\"event\":\"unheard of\",\"domain\":\"dev\"}",
    };
    struct devices *devices = *state;

    start(devices);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        libvirt_played_say(odd[i]);
    devices_run(devices, 100);
    assert_int_equal(played->starts, 1);
    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        if (i > 0) { /* each begins anew: the pause before the next start doubles */
            (void)tear_down(state);
            (void)set_up(state);
            devices = *state;
            start(devices);
        }
        libvirt_played_say(lies[i]);
        devices_wait(devices, &devices->ups, 2);
        assert_int_equal(played->starts, 2);
        assert_int_equal(add(devices), 0);
    }
}

static void descriptions_are_read_by_type(void **state)
{
    static const char *const texts[] = {
        "5",
        "[]",
        "{\"active\": \"yes\", \"run\": \"1\", \"uid\": -1, \"gid\": 1e9, \"memory\": 5}",
        "{\"ports\": {\"free\": [0, -1, 256, \"x\", null, 9, 9]}, \"devices\": [5, {}, null]}",
        "{\"ports\": {\"free\": {}}, \"devices\": {\"alias\": \"a\"}, \"memory\": {\"shared\": 1}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct json_object *description = json_tokener_parse(texts[i]);
        struct description_device device;
        bool ports[DESCRIPTION_PORTS];
        uid_t uid;
        gid_t gid;

        assert_false(description_is_active(description));
        assert_int_equal(description_run(description), -1);
        assert_false(description_owner(description, &uid, &gid));
        assert_non_null(description_memory_obstacle(description));
        assert_false(description_discards(description));
        assert_false(description_find(description, "a", &device));
        assert_int_equal(description_ports(description, ports), i == 3);
        assert_int_equal(ports[9], i == 3);
        json_object_put(description);
    }
}

static void a_program_that_is_not_installed_is_told_of(void **state)
{
    struct devices *devices = *state;

    played->not_installed = true;
    devices_start(devices);
    devices_wait(devices, &devices->downs, 1);
    expect_text(devices, "install the package guestlink-libvirt");
    devices_run(devices, 600);
    assert_int_equal(devices->downs, 1); /* once */
    played->not_installed = false;
    devices_wait(devices, &devices->ups, 1);
}

static struct config_network network = {.id = (char *)"e.1", .mac = {0x52, 0x54, 0, 0, 0, 1}};

static int add_adapter(struct devices *devices, bool bounces)
{
    const struct device_adapter adapter = {
        .network = &network, .iommu_platform = bounces, .options = bounces ? TOKEN : ""};

    return devices_add_adapter(devices, &adapter);
}

static void an_adapter_is_made_taken_over_replaced_and_removed(void **state)
{
    struct devices *devices = *state;

    start(devices);
    network.backend = CONFIG_BACKEND_USER;
    assert_int_equal(add_adapter(devices, false), 0);
    assert_true(devices->outcome.created);
    assert_string_equal(played->xml, "<interface type='user'><mac address='52:54:00:00:00:01'/>"
                                     "<model type='virtio'/><alias name='ua-guestlink-net-e_2e1'/>"
                                     "<address type='pci' domain='0x0000' bus='0x05' slot='0x00' "
                                     "function='0x0'/></interface>");
    assert_int_equal(add_adapter(devices, false), 0);
    assert_false(devices->outcome.created);
    assert_int_equal(add_adapter(devices, true), 0);
    assert_true(devices->outcome.created);
    assert_true(devices->outcome.iommu_platform);
    assert_non_null(strstr(played->xml, "<driver iommu='on'/>"));
    network.backend = CONFIG_BACKEND_BRIDGE;
    network.interface = (char *)"br'0";
    assert_int_equal(add_adapter(devices, true), 0);
    assert_non_null(strstr(played->xml, "<source bridge='br&apos;0'/>"));
    assert_int_equal(played->detachments, 2);
    assert_int_equal(devices_remove_adapter(devices, "e.1"), 0);
    assert_int_equal(played->detachments, 3);
    network.backend = CONFIG_BACKEND_STREAM;
    assert_int_equal(add_adapter(devices, false), ENOTSUP);
}

static void names_become_aliases(void **state)
{
    char alias[DEVICE_XML_ALIAS_SIZE], name[65];

    (void)state;
    assert_int_equal(device_xml_alias(DEVICE_XML_SHARE, "a-Z0", alias), 0);
    assert_string_equal(alias, "ua-guestlink-share-a-Z0");
    assert_int_equal(device_xml_alias(DEVICE_XML_SHARE, "a_b \xc3\xa4", alias), 0);
    assert_string_equal(alias, "ua-guestlink-share-a_5fb_20_c3_a4");
    memset(name, '.', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(device_xml_alias(DEVICE_XML_SHARE, name, alias), -ENAMETOOLONG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_share_is_made_and_removed),
        TEST(ports_take_turns),
        TEST(the_next_daemon_takes_it_over),
        TEST(one_that_nobody_serves_is_made_anew),
        TEST(one_whose_server_ends_is_unplugged_and_told),
        TEST(an_attachment_that_hangs_ends_with_its_server),
        TEST(refusals_say_what_to_do),
        TEST(a_share_that_cannot_bounce_is_added_without),
        TEST(one_that_bounces_has_a_short_queue),
        TEST(a_guest_may_keep_a_device),
        TEST(a_domain_that_stops_takes_all_with_it),
        TEST(a_reboot_is_told_once),
        TEST(a_domain_that_is_not_there_is_waited_for),
        TEST(a_program_that_ends_loses_nothing),
        TEST(one_that_missed_the_domain_s_end_finds_out),
        TEST(an_error_of_libvirt_s_is_not_the_domain_s_end),
        TEST(one_that_libvirt_cannot_describe_is_told),
        TEST(an_operation_ends_with_the_program),
        TEST(lies_end_it_and_nothing_else),
        TEST(a_program_that_is_not_installed_is_told_of),
        TEST(an_adapter_is_made_taken_over_replaced_and_removed),
        cmocka_unit_test(descriptions_are_read_by_type),
        cmocka_unit_test(names_become_aliases),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
