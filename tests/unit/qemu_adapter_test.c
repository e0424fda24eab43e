/* device qemu's adapters: what QEMU hears, and what becomes of its answers. */
#include "descriptors.h"
#include "device_support.h"
#include "qemu/name.h"
#include "qemu_played.h"

#include <stdio.h>
#include <string.h>

#define THERE                                                                                      \
    "{\"return\": [{\"name\": \"guestlink-net-c\", \"type\": \"child<virtio-net-pci>\"}], "        \
    "\"id\": $}\n"
#define ONLY_PORT "{\"return\": [], \"id\": $}\n"
#define OTHER     "{\"return\": \"guestlink-net-other\", \"id\": $}\n"
#define GONE      "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"guestlink-net-c\"}}\n"
#define GET(what)                                                                                  \
    "qom-get {\"path\":\"/machine/peripheral/guestlink-net-c\",\"property\":\"" what "\"}\n"
#define DELETE  "device_del {\"id\":\"guestlink-net-c\"}\n"
#define REFUSED "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not now\"}, \"id\": $}\n"

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
    assert_non_null(strstr(devices->text, "a different adapter with that id exists"));
    assert_non_null(strstr(devices->text, "not now"));
}

static void a_refused_step_is_told_with_qemus_words(void **state)
{
    static const struct {
        struct played_line lines[5];
        const char *text;
    } cases[] = {
        {{{"qom-list", REFUSED}, {NULL, NULL}}, "cannot list QEMU's devices: not now"},
        {{{"qom-list", THERE}, {"qom-get", REFUSED}, {NULL, NULL}},
         "cannot query the device in QEMU: not now"},
        {{{"qom-list", PLAYED_DEVICES},
          {"qom-list", PLAYED_DEVICES},
          {"qom-list", ONLY_PORT},
          {"netdev_add", REFUSED},
          {NULL, NULL}},
         "cannot create the netdev in QEMU: not now"},
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

/* The netdev's id: a hash of all that makes it another one. */
static const char *name_netdev(const struct devices *devices, const char *backend,
                               const struct config_network *network)
{
    static char name[64] = QEMU_NAME_NET;

    device_name_hash(name + strlen(QEMU_NAME_NET), devices->vm.id, "c", "52:54:00:0a:0b:0c",
                     backend, network->interface ? network->interface : "",
                     network->socket_path ? network->socket_path : "",
                     network->publish.count > 0 ? "8080:80,0.0.0.0:53:53/udp," : NULL, NULL);
    return name;
}

#define LIST "qom-list {\"path\":\"/machine/peripheral\"}\n"
#define MADE LIST LIST "qom-list {\"path\":\"/machine/peripheral/rp1/rp1\"}\n"

/* Each backend, word for word: made, taken over, removed. */
static void each_backend_has_its_netdev(void **state)
{
    static char *addresses[] = {"10.0.9.15/24"}, *ports[] = {"8080:80", "0.0.0.0:53:53/udp"};
    static const struct {
        struct config_network network;
        const char *backend, *netdev;
        bool iommu_platform;
    } cases[] = {
        {{.backend = CONFIG_BACKEND_USER}, "user", "{\"type\":\"user\",\"id\":\"%s\"}", true},
        {{.backend = CONFIG_BACKEND_USER, .address = {addresses, 1}, .publish = {ports, 2}},
         "user",
         "{\"type\":\"user\",\"id\":\"%s\",\"hostfwd\":[{\"str\":\"tcp:127.0.0.1:8080-10.0.9.15:"
         "80\"}"
         ",{\"str\":\"udp:0.0.0.0:53-10.0.9.15:53\"}]}",
         true},
        {{.backend = CONFIG_BACKEND_TAP, .interface = (char *)"tap7"},
         "tap",
         "{\"type\":\"tap\",\"id\":\"%s\",\"ifname\":\"tap7\",\"script\":\"no\",\"downscript\":"
         "\"no\"}",
         false},
        {{.backend = CONFIG_BACKEND_STREAM, .socket_path = (char *)"/run/peer"},
         "stream",
         "{\"type\":\"stream\",\"id\":\"%s\",\"server\":false,\"addr\":{\"type\":\"unix\","
         "\"path\":\"/run/peer\"}}",
         true},
    };
    struct devices *devices = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_network network = cases[i].network;
        const struct device_adapter adapter = {
            .network = &network, .iommu_platform = cases[i].iommu_platform, .options = ""};
        const char *id = name_netdev(devices, cases[i].backend, &network);
        char ours[128], added[256], netdev[256], expected[2048];
        const struct played_line lines[] = {{"qom-list", PLAYED_DEVICES},
                                            {"qom-list", PLAYED_DEVICES},
                                            {"qom-list", ONLY_PORT},
                                            {"netdev_add", added},
                                            {"qom-list", THERE},
                                            {"qom-get", ours},
                                            {"qom-get", cases[i].iommu_platform
                                                            ? "{\"return\": true, \"id\": $}\n"
                                                            : "{\"return\": false, \"id\": $}\n"},
                                            {"qom-get", ours},
                                            {"device_del", PLAYED_OK GONE},
                                            {NULL, NULL}};

        network.id = (char *)"c";
        memcpy(network.mac, "\x52\x54\x00\x0a\x0b\x0c", 6);
        (void)snprintf(ours, sizeof(ours), "{\"return\": \"%s\", \"id\": $}\n", id);
        (void)snprintf(added, sizeof(added),
                       "{\"event\": \"NETDEV_STREAM_CONNECTED\", \"data\": {\"netdev-id\": "
                       "\"%s\"}}\n" PLAYED_OK,
                       id);
        (void)snprintf(netdev, sizeof(netdev), cases[i].netdev, id);
        devices->ups = 0;
        start(devices, lines);
        assert_int_equal(devices_add_adapter(devices, &adapter), 0);
        assert_true(devices->outcome.created);
        assert_int_equal(devices->outcome.iommu_platform, cases[i].iommu_platform);
        (void)snprintf(expected, sizeof(expected),
                       MADE "netdev_del {\"id\":\"%s\"}\nnetdev_add %s\n"
                            "device_add {\"driver\":\"virtio-net-pci\",\"id\":\"guestlink-net-c\","
                            "\"netdev\":\"%s\",\"mac\":\"52:54:00:0a:0b:0c\",\"bus\":\"rp1\"%s}\n",
                       id, netdev, id, cases[i].iommu_platform ? ",\"iommu_platform\":true" : "");
        played_expect(qmp_path, expected);

        assert_int_equal(devices_add_adapter(devices, &adapter), 0);
        assert_false(devices->outcome.created);
        assert_int_equal(devices->outcome.iommu_platform, cases[i].iommu_platform);
        played_expect(qmp_path, LIST GET("netdev") GET("iommu_platform"));

        assert_int_equal(devices_remove_adapter(devices, "c"), 0);
        assert_string_equal(devices->text, "");
        (void)snprintf(expected, sizeof(expected),
                       GET("netdev") DELETE "netdev_del {\"id\":\"%s\"}\n"
                                            "chardev-remove {\"id\":\"%s\"}\n",
                       id, id);
        played_expect(qmp_path, expected);
        played_expect_no_more(qmp_path);
        devices->host = device_host_free(devices->host);
        played_stop(qemu);
        qemu = 0;
    }
}

/* One that does not bounce makes room for one that does, its netdev included. */
static void one_that_bounces_otherwise_is_replaced(void **state)
{
    struct devices *devices = *state;
    char ours[128], expected[512];
    const struct played_line lines[] = {{"qom-list", THERE},
                                        {"qom-get", ours},
                                        {"qom-get", "{\"return\": false, \"id\": $}\n"},
                                        {"device_del", PLAYED_OK GONE},
                                        {"qom-list", PLAYED_DEVICES},
                                        {"qom-list", ONLY_PORT},
                                        {NULL, NULL}};
    char id[64] = QEMU_NAME_NET;

    device_name_hash(id + strlen(QEMU_NAME_NET), devices->vm.id, "c", "00:00:00:00:00:00", "user",
                     "", "", NULL);
    (void)snprintf(ours, sizeof(ours), "{\"return\": \"%s\", \"id\": $}\n", id);
    start(devices, lines);
    assert_int_equal(add(devices), 0);
    assert_true(devices->outcome.created);
    played_expect(qmp_path, LIST GET("netdev") GET("iommu_platform") DELETE);
    (void)snprintf(expected, sizeof(expected),
                   "netdev_del {\"id\":\"%s\"}\nchardev-remove {\"id\":\"%s\"}\n" LIST
                   "qom-list {\"path\":\"/machine/peripheral/rp1/rp1\"}\n"
                   "netdev_del {\"id\":\"%s\"}\n",
                   id, id, id);
    played_expect(qmp_path, expected);
}

/* What may be there, whatever QEMU said, goes again; what QEMU refused is not there. */
static void a_failed_device_leaves_nothing(void **state)
{
    static const struct {
        const char *words;
        int error;
        const char *removed;
    } cases[] = {{REFUSED, EIO, ""}, {"{\"return\": 1, \"id\": $}\n", EPROTO, DELETE}};
    struct devices *devices = *state;
    char id[64] = QEMU_NAME_NET, expected[1024];

    device_name_hash(id + strlen(QEMU_NAME_NET), devices->vm.id, "c", "00:00:00:00:00:00", "user",
                     "", "", NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct played_line lines[] = {{"qom-list", PLAYED_DEVICES},
                                            {"qom-list", PLAYED_DEVICES},
                                            {"qom-list", ONLY_PORT},
                                            {"device_add", cases[i].words},
                                            {NULL, NULL}};

        devices->ups = 0;
        start(devices, lines);
        assert_int_equal(add(devices), cases[i].error);
        (void)snprintf(expected, sizeof(expected),
                       MADE "netdev_del {\"id\":\"%s\"}\n"
                            "netdev_add {\"type\":\"user\",\"id\":\"%s\"}\n"
                            "device_add {\"driver\":\"virtio-net-pci\",\"id\":\"guestlink-net-c\","
                            "\"netdev\":\"%s\",\"mac\":\"00:00:00:00:00:00\",\"bus\":\"rp1\","
                            "\"iommu_platform\":true}\n%snetdev_del {\"id\":\"%s\"}\n",
                       id, id, id, cases[i].removed, id);
        played_expect(qmp_path, expected);
        played_expect_no_more(qmp_path);
        devices->host = device_host_free(devices->host);
        played_stop(qemu);
        qemu = 0;
    }
}

/* The connection ends: what waits for a word of QEMU's ends with it, and nothing else does. */
static void only_what_waits_for_qemu_ends_with_the_connection(void **state)
{
    static const struct played_line lines[] = {{"qom-get", OTHER},
                                               {"qom-list", PLAYED_DEVICES},
                                               {"qom-list", PLAYED_DEVICES},
                                               {"qom-list", ONLY_PORT},
                                               {"query-memdev", NULL}, /* the end */
                                               {NULL, NULL}};
    struct devices *devices = *state, waiting = {0}, leaving = {0};
    struct config_network network = {
        .id = (char *)"d", .backend = CONFIG_BACKEND_STREAM, .socket_path = (char *)"/run/peer"};
    const struct device_adapter adapter = {.network = &network, .options = ""};
    const struct device_share share = {.tag = "c", .path = devices->directory, .options = ""};
    char expected[512];
    char id[64] = QEMU_NAME_NET;

    device_name_hash(id + strlen(QEMU_NAME_NET), devices->vm.id, "d", "00:00:00:00:00:00", "stream",
                     "", "/run/peer", NULL);
    (void)snprintf(expected, sizeof(expected),
                   GET("netdev") DELETE MADE
                   "netdev_del {\"id\":\"%s\"}\nnetdev_add {\"type\":\"stream\",\"id\":\"%s\","
                   "\"server\":false,\"addr\":{\"type\":\"unix\",\"path\":\"/run/peer\"}}\n",
                   id, id);
    start(devices, lines);
    assert_int_equal(device_host_remove_adapter(devices->host, "c", devices_done, &leaving), 0);
    devices_run(devices, 50);
    assert_int_equal(device_host_add_adapter(devices->host, &adapter, devices_done, &waiting), 0);
    devices_run(devices, 50);
    played_expect(qmp_path, expected);
    assert_int_equal(devices_add_share(devices, &share), ECONNRESET);
    devices_wait(devices, &leaving.dones, 1);
    assert_int_equal(leaving.outcome.error, ECONNRESET);
    assert_int_equal(waiting.dones, 0);
    devices->host = device_host_free(devices->host);
    assert_int_equal(waiting.dones, 1);
    assert_int_equal(waiting.outcome.error, ECANCELED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, devices_set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_one_of_that_id_is_replaced),
        TEST(one_that_does_not_go_is_in_the_way),
        TEST(a_refused_step_is_told_with_qemus_words),
        TEST(each_backend_has_its_netdev),
        TEST(one_that_bounces_otherwise_is_replaced),
        TEST(a_failed_device_leaves_nothing),
        TEST(only_what_waits_for_qemu_ends_with_the_connection),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
