/* device qemu's adapters: one that an earlier daemon left, and that is not equal, makes room. */
#include "descriptors.h"
#include "device_support.h"
#include "qemu_played.h"

#include <stdio.h>
#include <string.h>

#define THERE                                                                                      \
    "{\"return\": [{\"name\": \"guestlink-net-c\", \"type\": \"child<virtio-net-pci>\"}], "        \
    "\"id\": $}\n"
#define ONLY_PORT "{\"return\": [], \"id\": $}\n"
#define OTHER     "{\"return\": \"guestlink-net-other\", \"id\": $}\n"
#define GONE      "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"guestlink-net-c\"}}\n"
#define REFUSED   "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not now\"}, \"id\": $}\n"

static char qmp_path[128];
static pid_t qemu;

static void start(struct devices *devices, const struct played_line *lines)
{
    (void)snprintf(qmp_path, sizeof(qmp_path), "%s/q.qmp", devices->directory);
    devices->vm.device_host.type = CONFIG_DEVICE_HOST_QEMU;
    devices->vm.device_host.qmp = qmp_path;
    devices->vm.device_host.timeout_ms = DEVICES_TIMEOUT_MS;
    qemu = played_start(qmp_path, lines);
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
}

static int tear_down(void **state)
{
    struct devices *devices = *state;

    devices->host = device_host_free(devices->host);
    played_stop(qemu);
    return devices_tear_down(state);
}

static int add(struct devices *devices)
{
    static const struct config_network network = {.id = "c"};
    const struct device_adapter adapter = {
        .network = &network, .iommu_platform = true, .options = ""};

    return devices_add_adapter(devices, &adapter);
}

static void another_one_of_that_id_is_replaced(void **state)
{
    static const struct played_line lines[] = {
        {"qom-list", THERE},          {"qom-get", OTHER},      {"device_del", PLAYED_OK GONE},
        {"qom-list", PLAYED_DEVICES}, {"qom-list", ONLY_PORT}, {NULL, NULL}};
    struct devices *devices = *state;

    start(devices, lines);
    assert_int_equal(add(devices), 0);
    assert_true(devices->outcome.iommu_platform);
    assert_true(devices->outcome.created);
}

static void one_that_does_not_go_is_in_the_way(void **state)
{
    static const struct played_line lines[] = {
        {"qom-list", THERE}, {"qom-get", OTHER}, {"device_del", REFUSED}, {NULL, NULL}};
    struct devices *devices = *state;

    start(devices, lines);
    assert_int_not_equal(add(devices), 0);
    assert_non_null(strstr(devices->text, "an adapter of that id that is not equal is in the way"));
    assert_non_null(strstr(devices->text, "not now"));
}

static void a_refused_step_is_told_with_qemus_words(void **state)
{
    static const struct {
        struct played_line lines[5];
        const char *text;
    } cases[] = {
        {{{"qom-list", REFUSED}, {NULL, NULL}}, "QEMU could not list its devices: not now"},
        {{{"qom-list", THERE}, {"qom-get", REFUSED}, {NULL, NULL}},
         "QEMU could not tell about the device: not now"},
        {{{"qom-list", PLAYED_DEVICES},
          {"qom-list", PLAYED_DEVICES},
          {"qom-list", ONLY_PORT},
          {"netdev_add", REFUSED},
          {NULL, NULL}},
         "QEMU could not make its netdev: not now"},
        {{{"qom-list", PLAYED_DEVICES},
          {"qom-list", PLAYED_DEVICES},
          {"qom-list", ONLY_PORT},
          {"device_add", REFUSED},
          {NULL, NULL}},
         "not now"},
    };
    struct devices *devices = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        devices->ups = 0;
        start(devices, cases[i].lines);
        assert_int_not_equal(add(devices), 0);
        if (strstr(devices->text, cases[i].text) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", devices->text, cases[i].text);
        devices->host = device_host_free(devices->host);
        played_stop(qemu);
        qemu = 0;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, devices_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_one_of_that_id_is_replaced),
        TEST(one_that_does_not_go_is_in_the_way),
        TEST(a_refused_step_is_told_with_qemus_words),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
