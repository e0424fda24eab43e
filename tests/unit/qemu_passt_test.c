/* device qemu's adapters by passt: what QEMU hears of them, and what becomes of a passt's life. The
 * passt itself, with its relay and files, is played (CMakeLists.txt takes device_server_…). */
#include "descriptors.h"
#include "device/device_server.h"
#include "device/passt_command.h"
#include "device_support.h"
#include "qemu/name.h"
#include "qemu_played.h"

#include <arpa/inet.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ONLY_PORT  "{\"return\": [], \"id\": $}\n"
#define REFUSED    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not now\"}, \"id\": $}\n"
#define GONE       "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"guestlink-net-c\"}}\n"
#define LIST       "qom-list {\"path\":\"/machine/peripheral\"}\n"
#define PORT       "qom-list {\"path\":\"/machine/peripheral/rp1/rp1\"}\n"
#define NO_BALLOON REFUSED
#define BALLOON    "{\"return\": {\"actual\": 1}, \"id\": $}\n"
#define THERE                                                                                      \
    "{\"return\": [{\"name\": \"guestlink-net-c\", \"type\": \"child<virtio-net-pci>\"}], "        \
    "\"id\": $}\n"
#define NO_DEVICES                                                                                 \
    {                                                                                              \
        "query-memory-devices", ONLY_PORT                                                          \
    }
#define EMPTY                                                                                      \
    {"qom-list", PLAYED_DEVICES}, {"qom-list", PLAYED_DEVICES}, {"qom-list", ONLY_PORT},           \
        {"query-memdev", PLAYED_MEMORY}, NO_DEVICES
#define TOKEN "swiotlb=0x400000,2097152"

/* ---- the passt */

static struct passt {
    struct device_server_events events;
    void *userdata;
    unsigned starts, adoptions, stops, frees, sweeps;
    int start_error, adopt_error, command_error;
    bool has_ended;
    bool ready; /* at once */
    char name[64], swept[64], options[64];
    enum config_aperture aperture;
    struct aperture_status status;
    int status_error;
    uint64_t confirmed;
} passt;

#define SERVER ((struct device_server *)&passt)

int __wrap_passt_command_make(const char *program, const struct config_network *network,
                              struct passt_command *ret_command);
int __wrap_passt_command_make(const char *program, const struct config_network *network,
                              struct passt_command *ret_command)
{
    (void)program;
    (void)network;
    *ret_command = (struct passt_command){.argv = {"/usr/bin/passt", "-x"}, .guard = {"guard"}};
    strcpy(ret_command->program, "/opt/passt");
    return passt.command_error;
}

int __wrap_device_server_start(sd_event *event, const struct device_server_spec *spec,
                               const struct device_server_events *events, void *userdata,
                               struct device_server **ret_server);
int __wrap_device_server_start(sd_event *event, const struct device_server_spec *spec,
                               const struct device_server_events *events, void *userdata,
                               struct device_server **ret_server)
{
    (void)event;
    if (passt.start_error)
        return passt.start_error;
    assert_string_equal(spec->path, "c");
    assert_string_equal(spec->passt[1], "-x");
    assert_string_equal(spec->guard[0], "guard");
    (void)snprintf(passt.name, sizeof(passt.name), "%s", spec->name);
    (void)snprintf(passt.options, sizeof(passt.options), "%s", spec->options);
    passt.aperture = spec->aperture;
    passt.events = *events;
    passt.userdata = userdata;
    passt.starts++;
    *ret_server = SERVER;
    return 0;
}

int __wrap_device_server_adopt(sd_event *event, const char *directory, const char *name,
                               const struct device_server_events *events, void *userdata,
                               struct device_server **ret_server);
int __wrap_device_server_adopt(sd_event *event, const char *directory, const char *name,
                               const struct device_server_events *events, void *userdata,
                               struct device_server **ret_server)
{
    (void)event;
    (void)directory;
    passt.adoptions++;
    if (passt.adopt_error)
        return passt.adopt_error;
    (void)snprintf(passt.name, sizeof(passt.name), "%s", name);
    passt.events = *events;
    passt.userdata = userdata;
    *ret_server = SERVER;
    return 0;
}

void __wrap_device_server_sweep(sd_event *event, const char *directory, const char *name);
void __wrap_device_server_sweep(sd_event *event, const char *directory, const char *name)
{
    (void)event;
    (void)directory;
    passt.sweeps++;
    (void)snprintf(passt.swept, sizeof(passt.swept), "%s", name);
}

const char *__wrap_device_server_socket(const struct device_server *server);
const char *__wrap_device_server_socket(const struct device_server *server)
{
    assert_ptr_equal(server, SERVER);
    return "/run/passt.sock";
}

bool __wrap_device_server_has_ended(struct device_server *server);
bool __wrap_device_server_has_ended(struct device_server *server)
{
    assert_ptr_equal(server, SERVER);
    return passt.has_ended;
}

const char *__wrap_device_server_describe(struct device_server *server);
const char *__wrap_device_server_describe(struct device_server *server)
{
    assert_ptr_equal(server, SERVER);
    return "its last words";
}

int __wrap_device_server_get_aperture(const struct device_server *server,
                                      struct aperture_status *ret_status);
int __wrap_device_server_get_aperture(const struct device_server *server,
                                      struct aperture_status *ret_status)
{
    assert_ptr_equal(server, SERVER);
    *ret_status = passt.status;
    return passt.status_error;
}

int __wrap_device_server_confirm_aperture(const struct device_server *server, uint64_t number);
int __wrap_device_server_confirm_aperture(const struct device_server *server, uint64_t number)
{
    assert_ptr_equal(server, SERVER);
    passt.confirmed = number;
    return 0;
}

struct device_server *__wrap_device_server_free(struct device_server *server);
struct device_server *__wrap_device_server_free(struct device_server *server)
{
    passt.frees += server != NULL;
    return NULL;
}

struct device_server *__wrap_device_server_stop(struct device_server *server);
struct device_server *__wrap_device_server_stop(struct device_server *server)
{
    passt.stops += server != NULL;
    return NULL;
}

/* ---- its adapter */

static char qmp_path[128];
static pid_t qemu;
static struct config_network network = {
    .id = (char *)"c", .backend = CONFIG_BACKEND_PASST, .mac = {2, 0, 0, 0, 0, 1}};

static int set_up(void **state)
{
    passt = (struct passt){.ready = true, .status_error = -ENOENT};
    return devices_set_up(state);
}

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
    qemu = 0;
    return devices_tear_down(state);
}

static int add_with(struct devices *devices, const char *options, enum config_aperture aperture)
{
    const struct device_adapter adapter = {
        .network = &network, .iommu_platform = true, .options = options, .aperture = aperture};
    unsigned dones = devices->dones, starts = passt.starts;

    assert_int_equal(device_host_add_adapter(devices->host, &adapter, devices_done, devices), 0);
    while (devices->dones == dones) {
        assert_true(sd_event_run(devices->event, 10000) >= 0);
        if (passt.starts == starts || !passt.events.ready)
            continue;
        starts = passt.starts;
        if (passt.ready)
            passt.events.ready(passt.userdata, "as far as it goes");
        else
            passt.events.ended(passt.userdata, "unused");
    }
    return devices->outcome.error;
}

static int add(struct devices *devices)
{
    return add_with(devices, TOKEN, CONFIG_APERTURE_AUTO);
}

static void need_text(const struct devices *devices, const char *text)
{
    if (!strstr(devices->text, text))
        fail_msg("\"%s\" lacks \"%s\"", devices->text, text);
}

/* The netdev and chardev of the passt that was started. */
static const char *backend(void)
{
    static char name[sizeof(QEMU_NAME_NET) + sizeof(passt.name)];

    assert_int_equal(strncmp(passt.name, DEVICE_SERVER_PASST, strlen(DEVICE_SERVER_PASST)), 0);
    (void)snprintf(name, sizeof(name), QEMU_NAME_NET "%.40s",
                   passt.name + strlen(DEVICE_SERVER_PASST));
    return name;
}

/* Each "%" is the backend. */
static void need_heard(const char *words)
{
    char expected[4096];
    size_t used = 0;

    for (; *words; words++)
        if (*words == '%')
            used += (size_t)snprintf(expected + used, sizeof(expected) - used, "%s", backend());
        else
            expected[used++] = *words;
    expected[used] = '\0';
    played_expect(qmp_path, expected);
    played_expect_no_more(qmp_path);
}

#define LOOKED                                                                                     \
    LIST LIST PORT "netdev_del {\"id\":\"%\"}\nquery-memdev\n"                                     \
                   "query-balloon\nquery-memory-devices\nchardev-remove {\"id\":\"%\"}\n"
#define CONNECTED                                                                                  \
    "chardev-add {\"id\":\"%\",\"backend\":{\"type\":\"socket\",\"data\":{\"addr\":{\"type\":"     \
    "\"unix\",\"data\":{\"path\":\"/run/passt.sock\"}},\"server\":false}}}\n"
#define ADDED                                                                                      \
    "netdev_add {\"type\":\"vhost-user\",\"id\":\"%\",\"chardev\":\"%\"}\n"                        \
    "device_add {\"driver\":\"virtio-net-pci\",\"id\":\"guestlink-net-c\",\"netdev\":\"%\","       \
    "\"mac\":\"02:00:00:00:00:01\",\"bus\":\"rp1\",\"iommu_platform\":true}\n"
#define REMOVED "chardev-remove {\"id\":\"%\"}\n"

static const struct played_line usual[] = {EMPTY, {"query-balloon", NO_BALLOON}, {NULL, NULL}};

static void it_is_made_connected_and_removed(void **state)
{
    struct devices *devices = *state;
    char ours[256] = "";
    const struct played_line lines[] = {EMPTY,
                                        {"query-balloon", NO_BALLOON},
                                        {"qom-get", ours},
                                        {"device_del", PLAYED_OK GONE},
                                        {NULL, NULL}};
    struct json_object *memory, *passts;

    /* The netdev's name is a hash: one is made to know it. */
    start(devices, usual);
    assert_int_equal(add(devices), 0);
    (void)snprintf(ours, sizeof(ours), "{\"return\": \"%s\", \"id\": $}\n", backend());
    devices->host = device_host_free(devices->host);
    assert_int_equal(passt.stops, 0); /* it keeps running for the next daemon */
    assert_int_equal(passt.frees, 1);
    played_stop(qemu);

    devices->ups = 0;
    start(devices, lines);
    assert_int_equal(add(devices), 0);
    assert_true(devices->outcome.created);
    assert_true(devices->outcome.iommu_platform);
    assert_string_equal(devices->text, "as far as it goes");
    assert_string_equal(passt.options, TOKEN);
    assert_int_equal(passt.aperture, CONFIG_APERTURE_AUTO);
    need_heard(LOOKED CONNECTED ADDED);
    memory = device_host_remember(devices->host);
    assert_true(json_object_object_get_ex(memory, "passts", &passts));
    assert_true(json_object_object_get_ex(passts, "c", &passts));
    assert_string_equal(json_object_get_string(passts), passt.name);
    json_object_put(memory);

    assert_int_equal(devices_remove_adapter(devices, "c"), 0);
    need_heard(
        "qom-get {\"path\":\"/machine/peripheral/guestlink-net-c\",\"property\":\"netdev\"}\n"
        "device_del {\"id\":\"guestlink-net-c\"}\nnetdev_del {\"id\":\"%\"}\n" REMOVED);
    assert_int_equal(passt.stops, 1);
    assert_int_equal(passt.sweeps, 1); /* before each of two starts, and now */
    assert_string_equal(passt.swept, passt.name);
}

static void it_is_told_whatever_becomes_of_it(void **state)
{
    struct devices *devices = *state;

    start(devices, usual);
    assert_int_equal(add(devices), 0);
    passt.events.aperture(passt.userdata);
    assert_int_equal(devices->apertures, 1);
    passt.events.restored(passt.userdata, "killed");
    assert_int_equal(devices->losses, 1);
    assert_int_equal(devices->restorations, 1);
    assert_string_equal(devices->text, "c: started another passt, the guest lost packets: killed");
    passt.events.ended(passt.userdata, "exit status 1");
    assert_int_equal(devices->losses, 2);
    assert_int_equal(devices->restorations, 1);
    assert_string_equal(devices->text, "c: exit status 1");
    passt.status_error = 0;
    passt.status = (struct aperture_status){.state = APERTURE_NARROWED, .reason = "unused"};
    passt.events.ended(passt.userdata, "exit status 2");
    assert_int_equal(devices->losses, 3);
    passt.status = (struct aperture_status){.state = APERTURE_REFUSED, .reason = "too wide"};
    passt.events.ended(passt.userdata, "exit status 125");
    assert_int_equal(devices->losses, 3);
    assert_int_equal(devices->refusals, 1);
    assert_string_equal(devices->text, "c: too wide");
    passt.has_ended = true;
    passt.events.aperture(passt.userdata); /* its end tells that */
    assert_int_equal(devices->apertures, 1);
}

static void one_that_ends_before_it_serves_fails_the_adapter(void **state)
{
    struct devices *devices = *state;

    start(devices, usual);
    passt.ready = false;
    passt.has_ended = true;
    assert_int_equal(add(devices), EIO);
    assert_string_equal(devices->text, "adapter c: passt cannot serve the adapter; its last words");
    need_heard(LOOKED REMOVED);
    assert_int_equal(passt.stops, 1);
    assert_int_equal(devices->losses, 0);
}

/* For a while, for one that was replaced may be about to end; then it is told, and none is started.
 */
static void a_port_that_somebody_has_is_told_before_one_is_started(void **state)
{
    struct devices *devices = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char port[32], *ports[] = {port};

    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(port, sizeof(port), "%u:80/tcp", ntohs(address.sin_port));
    network.publish = (struct config_strings){ports, 1};
    start(devices, usual);
    assert_int_equal(add(devices), EADDRINUSE);
    need_text(devices,
              "Address already in use; stop the program that listens there, or publish another");
    need_text(devices, port);
    assert_int_equal(passt.starts, 0);
    (void)close(fd);
    network.publish = (struct config_strings){0};
}

static void one_that_ends_while_the_device_is_added_fails_it(void **state)
{
    struct devices *devices = *state;

    start(devices, usual);
    passt.has_ended = true;
    assert_int_equal(add(devices), EIO);
    need_text(devices, "passt exited while the device was being added; its last words");
    need_heard(LOOKED CONNECTED ADDED
               "device_del {\"id\":\"guestlink-net-c\"}\nnetdev_del {\"id\":\"%\"}\n" REMOVED);
    assert_int_equal(passt.stops, 1);
}

static void qemu_that_does_not_connect_fails_it(void **state)
{
    static const struct played_line lines[] = {
        EMPTY, {"query-balloon", NO_BALLOON}, {"chardev-add", REFUSED}, {NULL, NULL}};
    struct devices *devices = *state;

    start(devices, lines);
    assert_int_not_equal(add(devices), 0);
    assert_string_equal(devices->text, "adapter c: not now");
    need_heard(LOOKED CONNECTED REMOVED);
    assert_int_equal(passt.stops, 1);
}

static void one_that_cannot_be_started_is_told(void **state)
{
    static const struct {
        int error;
        const char *text;
    } rows[] = {{-ENOPKG, "guestlink-virtiofs-relay is not installed"}, {-EMFILE, "Too many open"}};
    struct devices *devices = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        devices->ups = 0;
        start(devices, usual);
        passt.start_error = rows[i].error;
        assert_int_equal(add(devices), -rows[i].error);
        need_text(devices, "cannot start passt: ");
        need_text(devices, rows[i].text);
        assert_int_equal(passt.stops, 0);
        devices->host = device_host_free(devices->host);
        played_stop(qemu);
    }
}

static void what_is_missing_is_told_before_qemu_is_asked(void **state)
{
    static const struct {
        int error;
        const char *text;
    } rows[] = {{-ENOPKG, "guestlink-no-loopback, which keeps"},
                {-EOPNOTSUPP, "/opt/passt is too old"},
                {-ENOEXEC, "/opt/passt is a script"},
                {-ENOENT, "no executable passt at /opt/passt"}};
    struct devices *devices = *state;

    start(devices, usual);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        passt.command_error = rows[i].error;
        assert_int_equal(add(devices), -rows[i].error);
        need_text(devices, rows[i].text);
    }
    played_expect_no_more(qmp_path);
    assert_int_equal(passt.starts, 0);
}

static void qemu_that_cannot_have_it_is_told(void **state)
{
    static const struct {
        struct played_line lines[9];
        enum config_aperture aperture;
        int error;
        const char *text;
    } rows[] = {
        {{EMPTY, {PLAYED_GREETING, PLAYED_VERSION("7")}, {NULL, NULL}},
         CONFIG_APERTURE_AUTO,
         ENOTSUP,
         "QEMU 7.2 cannot hot-plug a vhost-user adapter"},
        {{{"query-memdev", "{\"return\": [{\"id\": \"mem\", \"share\": false}], \"id\": $}\n"},
          EMPTY,
          {NULL, NULL}},
         CONFIG_APERTURE_AUTO,
         ENOTSUP,
         "passt needs shared guest memory: "},
        {{{"query-memdev", REFUSED}, EMPTY, {NULL, NULL}}, CONFIG_APERTURE_AUTO, EIO, "not now"},
        {{EMPTY, {"query-balloon", BALLOON}, {NULL, NULL}},
         CONFIG_APERTURE_REQUIRE,
         EPERM,
         "the VM has a virtio-balloon device"},
    };
    struct devices *devices = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        devices->ups = 0;
        start(devices, rows[i].lines);
        assert_int_equal(add_with(devices, TOKEN, rows[i].aperture), rows[i].error);
        need_text(devices, rows[i].text);
        assert_int_equal(passt.starts, 0);
        devices->host = device_host_free(devices->host);
        played_stop(qemu);
    }
}

/* Another start of the daemon's, and a passt that runs on, or does not. */
static void it_is_taken_over_if_it_runs(void **state)
{
    struct devices *devices = *state;
    char ours[256];
    const struct played_line lines[] = {{"qom-list", THERE},
                                        {"qom-get", ours},
                                        {"qom-get", "{\"return\": true, \"id\": $}\n"},
                                        {NULL, NULL}};
    const struct played_line lost[] = {{"qom-list", THERE},
                                       {"qom-get", ours},
                                       {"device_del", PLAYED_OK GONE},
                                       {"qom-list", PLAYED_DEVICES},
                                       {"qom-list", ONLY_PORT},
                                       {"query-memdev", PLAYED_MEMORY},
                                       {"query-balloon", NO_BALLOON},
                                       NO_DEVICES,
                                       {NULL, NULL}};

    start(devices, usual);
    assert_int_equal(add(devices), 0);
    devices->host = device_host_free(devices->host);
    played_stop(qemu);
    (void)snprintf(ours, sizeof(ours), "{\"return\": \"%s\", \"id\": $}\n", backend());

    devices->ups = 0;
    start(devices, lines);
    assert_int_equal(add(devices), 0);
    assert_false(devices->outcome.created);
    assert_int_equal(passt.adoptions, 1);
    assert_int_equal(passt.starts, 1);
    passt.events.ended(passt.userdata, "exit status 1");
    assert_int_equal(devices->losses, 1);
    devices->host = device_host_free(devices->host);
    played_stop(qemu);
    assert_int_equal(passt.stops, 0);

    passt.adopt_error = -ESRCH;
    devices->ups = 0;
    start(devices, lost);
    assert_int_equal(add(devices), 0);
    assert_true(devices->outcome.created);
    assert_int_equal(passt.starts, 2);
    assert_int_equal(passt.sweeps, 1); /* before each of two starts, and now */
}

/* QEMU says that the device does not bounce, as it shall. */
static void one_that_was_taken_over_is_let_go_before_another_is_started(void **state)
{
    struct devices *devices = *state;
    char ours[256];
    const struct played_line lines[] = {{"qom-list", THERE},
                                        {"qom-get", ours},
                                        {"qom-get", "{\"return\": false, \"id\": $}\n"},
                                        {"device_del", PLAYED_OK GONE},
                                        {"qom-list", PLAYED_DEVICES},
                                        {"qom-list", ONLY_PORT},
                                        {"query-memdev", PLAYED_MEMORY},
                                        {"query-balloon", NO_BALLOON},
                                        NO_DEVICES,
                                        {NULL, NULL}};

    start(devices, usual);
    assert_int_equal(add(devices), 0);
    devices->host = device_host_free(devices->host);
    played_stop(qemu);
    (void)snprintf(ours, sizeof(ours), "{\"return\": \"%s\", \"id\": $}\n", backend());
    passt.frees = 0;

    devices->ups = 0;
    start(devices, lines);
    assert_int_equal(add(devices), 0);
    assert_true(devices->outcome.created);
    assert_int_equal(passt.adoptions, 1);
    assert_int_equal(passt.starts, 2);
    assert_int_equal(passt.frees, 1); /* the watcher of the first */
}

/* The guest let it go late, or QEMU lies: it ends all the same. */
static void one_whose_device_is_gone_is_removed(void **state)
{
    static const char *const netdevs[] = {REFUSED,
                                          "{\"return\": \"guestlink-net-another\", \"id\": $}\n"};

    for (size_t i = 0; i < sizeof(netdevs) / sizeof(netdevs[0]); i++) {
        const struct played_line lines[] = {EMPTY,
                                            {"query-balloon", NO_BALLOON},
                                            {"qom-get", netdevs[i]},
                                            {"device_del", PLAYED_OK GONE},
                                            {NULL, NULL}};
        struct devices *devices = *state;

        devices->ups = 0;
        passt.stops = 0;
        start(devices, lines);
        assert_int_equal(add(devices), 0);
        need_heard(LOOKED CONNECTED ADDED);
        assert_int_equal(devices_remove_adapter(devices, "c"), 0);
        assert_int_equal(passt.stops, 1);
        assert_string_equal(passt.swept, passt.name);
        played_expect(qmp_path, "qom-get {\"path\":\"/machine/peripheral/guestlink-net-c\","
                                "\"property\":\"netdev\"}\n");
        if (i == 1)
            played_expect(qmp_path, "device_del {\"id\":\"guestlink-net-c\"}\n"
                                    "netdev_del {\"id\":\"guestlink-net-another\"}\n");
        need_heard("netdev_del {\"id\":\"%\"}\n" REMOVED);
        devices->host = device_host_free(devices->host);
        played_stop(qemu);
    }
}

/* While a chardev that is busy is waited for. */
static void a_word_about_streams_means_nothing(void **state)
{
    static const char busy[] = "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Chardev "
                               "'x' is busy\"}, \"id\": $}\n";
    struct devices *devices = *state;
    char lie[512] = "";
    const struct played_line lines[] = {EMPTY,
                                        {"query-balloon", NO_BALLOON},
                                        {"chardev-remove", lie},
                                        {"chardev-remove", PLAYED_OK},
                                        {NULL, NULL}};

    start(devices, usual);
    assert_int_equal(add(devices), 0);
    devices->host = device_host_free(devices->host);
    played_stop(qemu);
    (void)snprintf(lie, sizeof(lie),
                   "%s{\"event\": \"NETDEV_STREAM_CONNECTED\", \"data\": {\"netdev-id\": \"%s\", "
                   "\"addr\": {\"type\": \"unix\", \"path\": \"/x\"}}}\n",
                   busy, backend());
    devices->ups = 0;
    start(devices, lines);
    assert_int_equal(add(devices), 0);
    need_heard(LOOKED REMOVED CONNECTED ADDED);
}

static void its_aperture_is_the_relays_where_there_is_one(void **state)
{
    struct devices *devices = *state;
    struct aperture_status status;

    start(devices, usual);
    assert_int_equal(device_host_get_adapter_aperture(devices->host, "c", &status), -ENOENT);
    assert_int_equal(device_host_confirm_adapter_aperture(devices->host, "c", 5), -ENOENT);
    assert_int_equal(add(devices), 0);
    assert_int_equal(device_host_get_adapter_aperture(devices->host, "c", &status), -ENOENT);
    passt.status_error = 0;
    passt.status = (struct aperture_status){.state = APERTURE_ENFORCED, .bytes = 5};
    assert_int_equal(device_host_get_adapter_aperture(devices->host, "c", &status), 0);
    assert_int_equal(status.state, APERTURE_ENFORCED);
    assert_string_equal(status.reason, "");
    assert_int_equal(device_host_get_adapter_aperture(devices->host, "d", &status), -ENOENT);
    assert_int_equal(device_host_confirm_adapter_aperture(devices->host, "c", 77), 0);
    assert_int_equal(passt.confirmed, 77);
}

static void what_discards_memory_is_told_beside_it(void **state)
{
    static const struct played_line lines[] = {EMPTY, {"query-balloon", BALLOON}, {NULL, NULL}};
    struct devices *devices = *state;
    struct aperture_status status;

    start(devices, lines);
    assert_int_equal(add(devices), 0);
    passt.status_error = 0;
    passt.status = (struct aperture_status){.state = APERTURE_ENFORCED};
    assert_int_equal(device_host_get_adapter_aperture(devices->host, "c", &status), 0);
    assert_non_null(strstr(status.reason, "virtio-balloon"));
}

static void without_an_aperture_it_does_not_bounce(void **state)
{
    struct devices *devices = *state;
    struct aperture_status status;

    start(devices, usual);
    assert_int_equal(add_with(devices, TOKEN, CONFIG_APERTURE_OFF), 0);
    assert_false(devices->outcome.iommu_platform);
    assert_int_equal(device_host_get_adapter_aperture(devices->host, "c", &status), 0);
    assert_int_equal(status.state, APERTURE_NONE);
    assert_string_equal(status.reason, "\"aperture\" is \"off\" in the VM's configuration");
}

static void end_of_qemu_is_its_end(void **state)
{
    struct devices *devices = *state;

    start(devices, usual);
    assert_int_equal(add(devices), 0);
    played_stop(qemu);
    qemu = 0;
    (void)remove(qmp_path);
    devices_wait(devices, &devices->downs, 1);
    assert_true(devices->ended);
    assert_int_equal(passt.stops, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_made_connected_and_removed),
        TEST(it_is_told_whatever_becomes_of_it),
        TEST(one_that_ends_before_it_serves_fails_the_adapter),
        TEST(a_port_that_somebody_has_is_told_before_one_is_started),
        TEST(one_that_ends_while_the_device_is_added_fails_it),
        TEST(qemu_that_does_not_connect_fails_it),
        TEST(one_that_cannot_be_started_is_told),
        TEST(what_is_missing_is_told_before_qemu_is_asked),
        TEST(qemu_that_cannot_have_it_is_told),
        TEST(it_is_taken_over_if_it_runs),
        TEST(one_that_was_taken_over_is_let_go_before_another_is_started),
        TEST(one_whose_device_is_gone_is_removed),
        TEST(a_word_about_streams_means_nothing),
        TEST(its_aperture_is_the_relays_where_there_is_one),
        TEST(what_discards_memory_is_told_beside_it),
        TEST(without_an_aperture_it_does_not_bounce),
        TEST(end_of_qemu_is_its_end),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
