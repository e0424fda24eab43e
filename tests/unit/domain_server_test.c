/* domain, what serves its devices: a passt's adapter is added, taken over, replaced and removed;
 * what is heard of a server while its device is there, and of its aperture. guestlink-libvirt is
 * played, and so are the servers, with their relays and files (CMakeLists.txt takes
 * device_server_…). */
#include "descriptors.h"
#include "device/device_server.h"
#include "device/device_server_files.h"
#include "device/passt_command.h"
#include "device_support.h"
#include "libvirt_played.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TOKEN   "swiotlb=0x1000000,16777216"
#define STOPPED "{\"event\":\"lifecycle\",\"domain\":\"dev\",\"state\":\"stopped\"}"
#define ALIAS   "ua-guestlink-net-e"

static struct libvirt_played *const played = &libvirt_played;

/* ---- the servers: one at a time */

static struct server {
    const struct device_server_events *events;
    void *userdata;
    char directory[128], name[64], options[64], socket[160];
    bool has_ended, is_passt;
    uid_t uid;
    gid_t gid;
    enum config_aperture aperture;
    int start_error, adopt_error, command_error, status_error;
    unsigned starts, adoptions, stops, frees, sweeps;
    char swept[8][64]; /* the last */
    struct aperture_status status;
    uint64_t confirmed;
} server;

#define SERVER ((struct device_server *)&server)

int __wrap_passt_command_make(const char *program, const struct config_network *network,
                              struct passt_command *ret_command);
int __wrap_device_server_start(sd_event *event, const struct device_server_spec *spec,
                               const struct device_server_events *events, void *userdata,
                               struct device_server **ret_server);
int __wrap_device_server_adopt(sd_event *event, const char *directory, const char *name,
                               const struct device_server_events *events, void *userdata,
                               struct device_server **ret_server);
void __wrap_device_server_sweep(sd_event *event, const char *directory, const char *name);
const char *__wrap_device_server_socket(const struct device_server *of);
bool __wrap_device_server_has_ended(struct device_server *of);
const char *__wrap_device_server_describe(struct device_server *of);
int __wrap_device_server_get_aperture(const struct device_server *of,
                                      struct aperture_status *ret_status);
int __wrap_device_server_confirm_aperture(const struct device_server *of, uint64_t number);
struct device_server *__wrap_device_server_free(struct device_server *of);
struct device_server *__wrap_device_server_stop(struct device_server *of);

int __wrap_passt_command_make(const char *program, const struct config_network *network,
                              struct passt_command *ret_command)
{
    (void)program;
    (void)network;
    *ret_command = (struct passt_command){.argv = {"/usr/bin/passt"}, .guard = {"guard"}};
    strcpy(ret_command->program, "/opt/passt");
    return server.command_error;
}

static void note(const char *directory, const char *name, const struct device_server_events *events,
                 void *userdata)
{
    struct device_server_files files;

    (void)snprintf(server.name, sizeof(server.name), "%s", name);
    (void)snprintf(server.directory, sizeof(server.directory), "%s", directory);
    assert_int_equal(device_server_files_name(directory, name, &files), 0);
    (void)snprintf(server.socket, sizeof(server.socket), "%s", files.socket);
    server.events = events;
    server.userdata = userdata;
    server.has_ended = false;
}

int __wrap_device_server_start(sd_event *event, const struct device_server_spec *spec,
                               const struct device_server_events *events, void *userdata,
                               struct device_server **ret_server)
{
    (void)event;
    server.starts++;
    if (server.start_error)
        return server.start_error;
    note(spec->directory, spec->name, events, userdata);
    server.is_passt = spec->passt != NULL;
    (void)snprintf(server.options, sizeof(server.options), "%s", spec->options);
    server.aperture = spec->aperture;
    server.uid = spec->uid;
    server.gid = spec->gid;
    *ret_server = SERVER;
    return 0;
}

int __wrap_device_server_adopt(sd_event *event, const char *directory, const char *name,
                               const struct device_server_events *events, void *userdata,
                               struct device_server **ret_server)
{
    (void)event;
    server.adoptions++;
    if (server.adopt_error)
        return server.adopt_error;
    assert_string_equal(name, server.name);
    note(directory, name, events, userdata);
    *ret_server = SERVER;
    return 0;
}

void __wrap_device_server_sweep(sd_event *event, const char *directory, const char *name)
{
    (void)event;
    (void)directory;
    (void)snprintf(server.swept[server.sweeps++ % 8], sizeof(server.swept[0]), "%s", name);
}

const char *__wrap_device_server_socket(const struct device_server *of)
{
    assert_ptr_equal(of, SERVER);
    return server.socket;
}

bool __wrap_device_server_has_ended(struct device_server *of)
{
    assert_ptr_equal(of, SERVER);
    return server.has_ended;
}

const char *__wrap_device_server_describe(struct device_server *of)
{
    assert_ptr_equal(of, SERVER);
    return "its last words";
}

int __wrap_device_server_get_aperture(const struct device_server *of,
                                      struct aperture_status *ret_status)
{
    assert_ptr_equal(of, SERVER);
    *ret_status = server.status;
    return server.status_error;
}

int __wrap_device_server_confirm_aperture(const struct device_server *of, uint64_t number)
{
    assert_ptr_equal(of, SERVER);
    server.confirmed = number;
    return 0;
}

struct device_server *__wrap_device_server_free(struct device_server *of)
{
    server.frees += of != NULL;
    return NULL;
}

struct device_server *__wrap_device_server_stop(struct device_server *of)
{
    server.stops += of != NULL;
    return NULL;
}

/* ---- its devices */

static struct config_network network;

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
    server = (struct server){.status_error = -ENOENT};
    network = (struct config_network){
        .id = (char *)"e", .backend = CONFIG_BACKEND_PASST, .mac = {2, 0, 0, 0, 0, 0xaa}};
    libvirt_played_begin();
    return 0;
}

static void start(struct devices *devices)
{
    devices->ups = 0;
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
}

static int tear_down(void **state)
{
    struct devices *devices = *state;

    devices->host = device_host_free(devices->host);
    libvirt_played_end();
    return devices_tear_down(state);
}

static const char *const as_it_goes = "as far as it goes";

/* Runs the loop until an operation is done; a server that was started is ready, with a remark, or,
 * where that is NULL, ends. @return its error */
static int finish(struct devices *devices, unsigned dones, const char *remark)
{
    unsigned starts = server.starts;

    for (unsigned i = 0; devices->dones == dones; i++) {
        assert_true(i < DEVICES_TIMEOUT_MS / 10);
        assert_true(sd_event_run(devices->event, 10000) >= 0);
        if (server.starts == starts || server.start_error)
            continue;
        starts = server.starts;
        if (remark)
            server.events->ready(server.userdata, remark);
        else
            server.events->ended(server.userdata, "unused");
    }
    return devices->outcome.error;
}

static int add_as(struct devices *devices, bool bounces, enum config_aperture aperture,
                  const char *remark)
{
    const struct device_adapter adapter = {.network = &network,
                                           .iommu_platform = bounces,
                                           .options = bounces ? TOKEN : "",
                                           .aperture = aperture};
    unsigned dones = devices->dones;

    assert_int_equal(device_host_add_adapter(devices->host, &adapter, devices_done, devices), 0);
    return finish(devices, dones, remark);
}

static int add(struct devices *devices)
{
    return add_as(devices, true, CONFIG_APERTURE_AUTO, as_it_goes);
}

static int add_share_as(struct devices *devices, bool bounces, enum config_aperture aperture)
{
    const struct device_share share = {.tag = "c",
                                       .path = devices->directory,
                                       .iommu_platform = bounces,
                                       .options = bounces ? TOKEN : "",
                                       .aperture = aperture};
    unsigned dones = devices->dones;

    assert_int_equal(device_host_add_share(devices->host, &share, devices_done, devices), 0);
    return finish(devices, dones, as_it_goes);
}

static int add_share(struct devices *devices)
{
    return add_share_as(devices, true, CONFIG_APERTURE_AUTO);
}

static void expect_text(const struct devices *devices, const char *part)
{
    if (!strstr(devices->text, part))
        fail_msg("\"%s\" is not in: %s", part, devices->text);
}

static void expect_aperture(const struct devices *devices, bool is_share,
                            enum aperture_state expected, const char *reason)
{
    struct aperture_status status;

    assert_int_equal(is_share ? device_host_get_aperture(devices->host, "c", &status)
                              : device_host_get_adapter_aperture(devices->host, "e", &status),
                     0);
    assert_int_equal(status.state, expected);
    if (!strstr(status.reason, reason) || (!reason[0] && status.reason[0]))
        fail_msg("\"%s\" is not in: %s", reason, status.reason);
}

/* ---- adapters that passt serves */

static void a_passt_is_started_taken_over_and_ended(void **state)
{
    struct devices *devices = *state;
    char part[512];

    start(devices);
    assert_int_equal(add(devices), 0);
    assert_true(devices->outcome.created);
    assert_true(devices->outcome.iommu_platform);
    assert_string_equal(devices->text, as_it_goes);
    assert_true(server.is_passt);
    assert_string_equal(server.options, TOKEN);
    assert_int_equal(strncmp(server.name, "net-", 4), 0);
    (void)snprintf(part, sizeof(part),
                   "<interface type='vhostuser'><mac address='02:00:00:00:00:aa'/><source "
                   "type='unix' mode='client' path='%s'/>",
                   server.socket);
    assert_int_equal(strncmp(played->xml, part, strlen(part)), 0);
    assert_non_null(strstr(played->xml, "<driver iommu='on'/>"));
    assert_int_equal(add(devices), 0); /* the same again */
    assert_false(devices->outcome.created);
    assert_int_equal(server.adoptions, 1);
    assert_int_equal(server.frees, 1);
    devices->host = device_host_free(devices->host);
    assert_int_equal(server.frees, 2); /* the next daemon's */
    start(devices);
    assert_int_equal(add(devices), 0);
    assert_false(devices->outcome.created);
    assert_int_equal(server.adoptions, 2);
    assert_int_equal(server.starts, 1);
    assert_int_equal(played->attachments, 1);
    assert_int_equal(server.stops, 0);
    assert_int_equal(devices_remove_adapter(devices, "e"), 0);
    assert_int_equal(server.stops, 1);
    assert_int_equal(server.sweeps, 1);
    assert_string_equal(server.swept[0], server.name);
    assert_int_equal(played->detachments, 1);
}

static void one_that_is_another_is_replaced(void **state)
{
    struct devices *devices = *state;
    char name[64];

    start(devices);
    assert_int_equal(add(devices), 0);
    (void)snprintf(name, sizeof(name), "%s", server.name);
    server.adopt_error = -ESRCH; /* it serves nobody any more */
    assert_int_equal(add(devices), 0);
    assert_true(devices->outcome.created);
    assert_int_equal(played->detachments, 1);
    assert_string_equal(server.swept[0], name);
    assert_string_equal(server.name, name);
    network.mac[5]++;
    server.adopt_error = 0;
    assert_int_equal(add(devices), 0);
    assert_true(devices->outcome.created);
    assert_string_not_equal(server.name, name);
    assert_string_equal(server.swept[1], name);
    assert_int_equal(played->detachments, 2);
    assert_int_equal(add_as(devices, false, CONFIG_APERTURE_AUTO, as_it_goes), 0);
    assert_true(devices->outcome.created);
    assert_int_equal(played->detachments, 3);
    assert_int_equal(server.adoptions, 1);
    network.backend = CONFIG_BACKEND_NETWORK;
    network.interface = (char *)"net";
    assert_int_equal(add_as(devices, false, CONFIG_APERTURE_AUTO, as_it_goes), 0);
    assert_true(devices->outcome.created);
    assert_int_equal(played->detachments, 4);
    assert_int_equal(add_as(devices, false, CONFIG_APERTURE_AUTO, as_it_goes), 0);
    assert_false(devices->outcome.created); /* nothing serves it that could be adopted */
    network.interface = (char *)"other";
    assert_int_equal(add_as(devices, false, CONFIG_APERTURE_AUTO, as_it_goes), 0);
    assert_true(devices->outcome.created);
    assert_int_equal(played->detachments, 5);
    played->refuses = true;
    network.mac[5]++;
    assert_int_equal(add_as(devices, false, CONFIG_APERTURE_AUTO, as_it_goes), EBUSY);
    expect_text(devices, "adapter e: a different adapter with that id exists: the guest refused");
}

static void a_share_that_nobody_serves_is_replaced(void **state)
{
    struct devices *devices = *state;
    char name[64];

    start(devices);
    assert_int_equal(add_share(devices), 0);
    (void)snprintf(name, sizeof(name), "%s", server.name);
    server.adopt_error = -ESRCH;
    server.sweeps = 0;
    assert_int_equal(add_share(devices), 0);
    assert_true(devices->outcome.created);
    assert_int_equal(played->detachments, 1);
    assert_int_equal(server.sweeps, 2); /* and where a former version had its files */
    assert_string_equal(server.swept[0], name);
    assert_string_equal(server.swept[1], name);
}

/* What serves a device of that alias is ours only in the VM's own folder. */
static void somebody_else_s_server_is_left_alone(void **state)
{
    static const struct {
        bool begins_as_ours;
        const char *more;
    } elsewhere[] = {{false, "/elsewhere"}, {true, "/sub"}, {true, "x"}, {false, ""}};
    struct devices *devices = *state;
    char directory[160];

    start(devices);
    assert_int_equal(add(devices), 0); /* which tells the folder, and a name */
    assert_int_equal(devices_remove_adapter(devices, "e"), 0);
    for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
        (void)snprintf(directory, sizeof(directory), "%s%s",
                       elsewhere[i].begins_as_ours ? server.directory : "", elsewhere[i].more);
        strcpy(played->devices[0].alias, ALIAS);
        (void)snprintf(played->devices[0].xml, sizeof(played->devices[0].xml),
                       "<interface type='vhostuser'><source type='unix' path='%s/%s.sock'/>",
                       directory, server.name);
        server.sweeps = 0;
        assert_int_equal(devices_remove_adapter(devices, "e"), 0);
        assert_int_equal(played->detachments, i + 2);
        assert_int_equal(server.sweeps, 0);
    }
}

static void its_socket_is_qemu_s_user_s(void **state)
{
    struct devices *devices = *state;
    bool root = geteuid() == 0; /* nobody else can give it away */

    start(devices);
    assert_int_equal(add(devices), 0);
    assert_int_equal(server.uid, (uid_t)-1);
    assert_int_equal(server.gid, (gid_t)-1);
    assert_int_equal(devices_remove_adapter(devices, "e"), 0);
    played->uid = 64055;
    assert_int_equal(add(devices), 0);
    assert_int_equal(server.uid, (uid_t)-1); /* it says one of two */
    assert_int_equal(devices_remove_adapter(devices, "e"), 0);
    played->gid = 108;
    assert_int_equal(add(devices), 0);
    assert_int_equal(server.uid, root ? 64055 : (uid_t)-1);
    assert_int_equal(server.gid, root ? 108 : (gid_t)-1);
}

static void what_stands_in_passt_s_way_is_told(void **state)
{
    struct devices *devices = *state;

    start(devices);
    played->not_shared = true;
    assert_int_equal(add(devices), ENOTSUP);
    expect_text(devices, "adapter e: ");
    expect_text(devices, "<memoryBacking>");
    played->not_shared = false;
    played->balloon = true;
    assert_int_equal(add_as(devices, true, CONFIG_APERTURE_REQUIRE, as_it_goes), ENOTSUP);
    expect_text(devices, "the aperture is required, but the domain has a device that discards");
    assert_int_equal(server.starts, 0);
    assert_int_equal(add_as(devices, false, CONFIG_APERTURE_REQUIRE, as_it_goes), 0);
    assert_int_equal(devices_remove_adapter(devices, "e"), 0);
    played->balloon = false;
    assert_int_equal(add_as(devices, true, CONFIG_APERTURE_REQUIRE, as_it_goes), 0);
    assert_int_equal(server.aperture, CONFIG_APERTURE_REQUIRE);
    assert_int_equal(devices_remove_adapter(devices, "e"), 0);
    server.command_error = -EOPNOTSUPP;
    assert_int_equal(add(devices), EOPNOTSUPP);
    expect_text(devices, "adapter e: /opt/passt is too old");
    server.command_error = 0;
    server.start_error = -ENOPKG;
    assert_int_equal(add(devices), ENOPKG);
    expect_text(devices, "adapter e: cannot start passt: guestlink-virtiofs-relay is not");
    server.start_error = 0;
    played->ports = 0;
    assert_int_equal(add(devices), ENOSPC);
    played->ports = 4;
    assert_int_equal(add_as(devices, true, CONFIG_APERTURE_AUTO, NULL), EIO);
    expect_text(devices, "adapter e: passt cannot serve the adapter");
    played->attach_error = "not now";
    assert_int_equal(add(devices), EIO);
    expect_text(devices, "adapter e: cannot attach the device: not now");
    assert_null(strstr(devices->text, "its last words"));
    assert_int_equal(add(devices), 0);
}

static void an_old_qemu_has_no_passt(void **state)
{
    struct devices *devices = *state;

    played->hypervisor = "7.2.19";
    start(devices);
    assert_int_equal(add(devices), ENOTSUP);
    expect_text(devices, "cannot hot-plug a vhost-user adapter");
    assert_int_equal(server.starts, 0);
    network.backend = CONFIG_BACKEND_USER;
    assert_int_equal(add(devices), 0);
}

static void on_attachment(struct devices *devices)
{
    while (played->held == 0)
        devices_run(devices, 10);
    server.has_ended = true;
    server.events->ended(server.userdata, "unused"); /* QEMU is about to find out */
    assert_int_equal(devices->losses, 0);
}

static void one_that_ends_meanwhile_is_told_with_its_words(void **state)
{
    struct devices *devices = *state;
    const struct device_adapter adapter = {.network = &network, .options = ""};
    unsigned stops;

    start(devices);
    played->holds_attach = true;
    assert_int_equal(device_host_add_adapter(devices->host, &adapter, devices_done, devices), 0);
    while (server.starts == 0)
        devices_run(devices, 10);
    stops = server.stops;
    server.events->ready(server.userdata, "");
    on_attachment(devices);
    libvirt_played_release();
    devices_wait(devices, &devices->dones, 1);
    assert_int_equal(devices->outcome.error, EIO);
    expect_text(devices,
                "cannot attach the device: internal error: the back end is gone; its last words");
    assert_int_equal(server.stops, stops + 1);
    assert_int_equal(played->detachments, 0);
}

/* The server's end is noticed once its device is attached. */
static void one_that_ends_as_it_is_attached_is_unplugged(void **state)
{
    struct devices *devices = *state;

    start(devices);
    for (unsigned i = 0; i < 2; i++) {
        const struct device_adapter adapter = {.network = &network, .options = ""};
        const struct device_share share = {.tag = "c", .path = devices->directory, .options = ""};
        unsigned dones = devices->dones, starts = server.starts;

        assert_int_equal(
            i == 0 ? device_host_add_adapter(devices->host, &adapter, devices_done, devices)
                   : device_host_add_share(devices->host, &share, devices_done, devices),
            0);
        while (server.starts == starts)
            devices_run(devices, 10);
        server.events->ready(server.userdata, "");
        server.has_ended = true;
        devices_wait(devices, &devices->dones, dones + 1);
        assert_int_equal(devices->outcome.error, EIO);
        expect_text(devices, i == 0 ? "adapter e: passt exited while the device was being added"
                                    : "share c: virtiofsd exited while the device was being added");
        expect_text(devices, "its last words");
        devices_wait(devices, &played->detachments, i + 1);
        assert_int_equal(server.stops, i + 1);
    }
}

/* ---- what is heard of a server whose device is there */

static void its_end_is_told(void **state)
{
    struct devices *devices = *state;

    start(devices);
    assert_int_equal(add(devices), 0);
    server.events->ended(server.userdata, "exit status 1");
    assert_int_equal(devices->losses, 1);
    assert_string_equal(devices->text, "e: exit status 1");
    assert_int_equal(devices->restorations, 0);
    devices_run(devices, 50);
    assert_int_equal(played->detachments, 0); /* of an adapter no guest waits for answers */
    server.status_error = 0;
    server.status = (struct aperture_status){.state = APERTURE_NARROWED, .reason = "unused"};
    server.events->ended(server.userdata, "exit status 2");
    assert_int_equal(devices->losses, 2);
    server.status = (struct aperture_status){.state = APERTURE_REFUSED, .reason = "too wide"};
    server.events->ended(server.userdata, "exit status 3");
    assert_int_equal(devices->losses, 2);
    assert_int_equal(devices->refusals, 1);
    assert_string_equal(devices->text, "e: too wide");
    server.events->restored(server.userdata, "killed by signal 9");
    assert_int_equal(devices->restorations, 1);
    assert_string_equal(devices->text,
                        "e: started another passt, the guest lost packets: killed by signal 9");
}

static void a_share_s_end_unplugs_it(void **state)
{
    struct devices *devices = *state;

    start(devices);
    assert_int_equal(add_share(devices), 0);
    assert_false(server.is_passt);
    server.events->restored(server.userdata, "unused"); /* that is a passt's */
    assert_int_equal(devices->restorations, 0);
    played->keeps = true;
    server.events->ended(server.userdata, "exit status 1");
    assert_int_equal(devices->losses, 1);
    assert_string_equal(devices->text, "c: exit status 1");
    devices_wait(devices, &played->detachments, 1);
    devices_run(devices, 50);
    libvirt_played_say("{\"event\":\"removal-failed\",\"domain\":\"dev\","
                       "\"alias\":\"ua-guestlink-share-other\"}");
    devices_run(devices, 50);
    /* Who removes it now waits for what is under way, and does not ask again. */
    assert_int_equal(device_host_remove_share(devices->host, "c", devices_done, devices), 0);
    devices_run(devices, 100);
    assert_int_equal(played->detachments, 1);
    libvirt_played_say("{\"event\":\"removed\",\"domain\":\"dev\","
                       "\"alias\":\"ua-guestlink-share-c\"}");
    devices_wait(devices, &devices->dones, 2);
    assert_int_equal(devices->outcome.error, 0);
    assert_int_equal(server.stops, 1);
}

static void one_that_the_guest_keeps_is_asked_for_again(void **state)
{
    struct devices *devices = *state;

    start(devices);
    assert_int_equal(add_share(devices), 0);
    played->refuses = true;
    server.status_error = 0;
    server.status = (struct aperture_status){.state = APERTURE_REFUSED, .reason = "too wide"};
    server.events->ended(server.userdata, "exit status 1");
    assert_int_equal(devices->refusals, 1);
    assert_string_equal(devices->text, "c: too wide");
    devices_wait(devices, &played->detachments, 1);
    devices_run(devices, 100);
    played->refuses = false;
    assert_int_equal(devices_remove_share(devices, "c"), 0);
    assert_int_equal(played->detachments, 2);
    assert_int_equal(add_share(devices), 0);
    played->devices[0].alias[0] = '\0'; /* somebody else removed it: libvirt refuses */
    server.events->ended(server.userdata, "exit status 1");
    devices_wait(devices, &played->detachments, 3);
    devices_run(devices, 100);
    strcpy(played->devices[0].alias, "ua-guestlink-share-c");
    assert_int_equal(devices_remove_share(devices, "c"), 0);
    assert_int_equal(played->detachments, 4);
}

static void the_end_of_one_that_is_being_removed_is_no_news(void **state)
{
    struct devices *devices = *state;

    start(devices);
    assert_int_equal(add_share(devices), 0);
    played->keeps = true;
    assert_int_equal(device_host_remove_share(devices->host, "c", devices_done, devices), 0);
    devices_wait(devices, &played->detachments, 1);
    server.events->ended(server.userdata, "exit status 0");
    assert_int_equal(devices->losses, 0);
    libvirt_played_say("{\"event\":\"removed\",\"domain\":\"dev\","
                       "\"alias\":\"ua-guestlink-share-c\"}");
    devices_wait(devices, &devices->dones, 2);
    assert_int_equal(devices->losses, 0);
    assert_int_equal(played->detachments, 1);
    played->devices[0].alias[0] = '\0';
    played->keeps = false;
    assert_int_equal(add_share(devices), 0);
    assert_int_equal(add(devices), 0);
    played->keeps = true; /* while another one is removed it is */
    assert_int_equal(device_host_remove_share(devices->host, "c", devices_done, devices), 0);
    devices_wait(devices, &played->detachments, 2);
    server.events->ended(server.userdata, "exit status 1");
    assert_int_equal(devices->losses, 1);
    assert_string_equal(devices->text, "e: exit status 1");
}

static void another_aperture_is_told_once_the_device_is_there(void **state)
{
    struct devices *devices = *state;
    const struct device_adapter adapter = {.network = &network, .options = ""};

    start(devices);
    assert_int_equal(device_host_add_adapter(devices->host, &adapter, devices_done, devices), 0);
    while (server.starts == 0)
        devices_run(devices, 10);
    server.events->aperture(server.userdata);
    assert_int_equal(devices->apertures, 0);
    server.events->ready(server.userdata, "");
    devices_wait(devices, &devices->dones, 1);
    server.events->aperture(server.userdata);
    assert_int_equal(devices->apertures, 1);
    server.has_ended = true; /* its end tells */
    server.events->aperture(server.userdata);
    assert_int_equal(devices->apertures, 1);
    assert_int_equal(add_share(devices), 0);
    server.events->aperture(server.userdata);
    assert_int_equal(devices->apertures, 2);
}

/* ---- apertures */

static void an_aperture_is_what_its_relay_says(void **state)
{
    struct devices *devices = *state;
    struct aperture_status status;

    start(devices);
    assert_int_equal(device_host_get_adapter_aperture(devices->host, "e", &status), -ENOENT);
    assert_int_equal(device_host_confirm_adapter_aperture(devices->host, "e", 3), -ENOENT);
    assert_int_equal(add(devices), 0);
    assert_int_equal(device_host_get_aperture(devices->host, "e", &status), -ENOENT);
    assert_int_equal(device_host_confirm_aperture(devices->host, "e", 3), -ENOENT);
    assert_int_equal(device_host_get_adapter_aperture(devices->host, "f", &status), -ENOENT);
    assert_int_equal(device_host_get_adapter_aperture(devices->host, "e", &status), -ENOENT);
    server.status_error = 0;
    server.status = (struct aperture_status){.state = APERTURE_ENFORCED, .bytes = 5};
    expect_aperture(devices, false, APERTURE_ENFORCED, "");
    assert_int_equal(device_host_confirm_adapter_aperture(devices->host, "e", 3), 0);
    assert_int_equal(server.confirmed, 3);
    assert_int_equal(add_share(devices), 0);
    expect_aperture(devices, true, APERTURE_ENFORCED, "");
    assert_int_equal(device_host_confirm_aperture(devices->host, "c", 4), 0);
    assert_int_equal(server.confirmed, 4);
}

static void a_balloon_is_told_with_an_aperture_that_holds(void **state)
{
    struct devices *devices = *state;

    played->balloon = true;
    start(devices);
    server.status_error = 0;
    server.status = (struct aperture_status){.state = APERTURE_ENFORCED, .bytes = 5};
    assert_int_equal(add(devices), 0);
    assert_int_equal(add_share(devices), 0);
    expect_aperture(devices, false, APERTURE_ENFORCED, "<memballoon model='none'/>");
    expect_aperture(devices, true, APERTURE_ENFORCED, "<memballoon model='none'/>");
    server.status = (struct aperture_status){.state = APERTURE_NARROWED, .reason = "why"};
    expect_aperture(devices, false, APERTURE_NARROWED, "why");
    server.status_error = -ENOENT;
    server.status = (struct aperture_status){.state = APERTURE_ENFORCED, .bytes = 5};
    assert_int_equal(device_host_get_adapter_aperture(devices->host, "e", &server.status), -ENOENT);
}

static void one_that_does_not_bounce_has_none(void **state)
{
    static const struct {
        bool bounces;
        enum config_aperture aperture;
        const char *reason;
    } cases[] = {
        {false, CONFIG_APERTURE_AUTO, "the VM has no token"},
        {false, CONFIG_APERTURE_OFF, "\"aperture\" is \"off\""},
        {true, CONFIG_APERTURE_OFF, "\"aperture\" is \"off\""},
    };
    struct devices *devices = *state;

    start(devices);
    server.status_error = 0;
    server.status = (struct aperture_status){.state = APERTURE_ENFORCED, .bytes = 5};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(add_as(devices, cases[i].bounces, cases[i].aperture, as_it_goes), 0);
        assert_false(devices->outcome.iommu_platform);
        expect_aperture(devices, false, APERTURE_NONE, cases[i].reason);
        assert_int_equal(devices_remove_adapter(devices, "e"), 0);
        assert_int_equal(add_share_as(devices, cases[i].bounces, cases[i].aperture), 0);
        assert_false(devices->outcome.iommu_platform);
        expect_aperture(devices, true, APERTURE_NONE, cases[i].reason);
        assert_int_equal(devices_remove_share(devices, "c"), 0);
    }
}

/* ---- the end of all */

static void a_domain_that_stops_ends_them(void **state)
{
    struct devices *devices = *state;
    unsigned downs;

    start(devices);
    assert_int_equal(add(devices), 0);
    assert_int_equal(add_share(devices), 0);
    downs = devices->downs;
    libvirt_played_say(STOPPED);
    devices_wait(devices, &devices->downs, downs + 1);
    assert_int_equal(server.stops, 2);
    assert_int_equal(server.frees, 0);
    assert_int_equal(played->detachments, 0);
}

static void what_an_earlier_daemon_remembered_is_ended(void **state)
{
    struct devices *devices = *state;
    struct json_object *memory;
    char adapter[64], share[64];
    const char *text;

    start(devices);
    assert_int_equal(add(devices), 0);
    (void)snprintf(adapter, sizeof(adapter), "%s", server.name);
    assert_int_equal(add_share(devices), 0);
    (void)snprintf(share, sizeof(share), "%s", server.name);
    memory = device_host_remember(devices->host);
    text = json_object_to_json_string(memory);
    assert_non_null(strstr(text, adapter));
    assert_non_null(strstr(text, share));
    assert_non_null(strstr(text, ALIAS));
    devices->host = device_host_free(devices->host);
    assert_int_equal(server.stops, 0);
    server.sweeps = 0;
    played->inactive = true; /* it ended while no daemon ran */
    devices->memory = memory;
    devices_start(devices);
    devices->memory = NULL;
    json_object_put(memory);
    devices_wait(devices, &devices->downs, 1);
    assert_int_equal(server.sweeps, 2);
    assert_string_equal(server.swept[0], share);
    assert_string_equal(server.swept[1], adapter);
    devices->host = device_host_free(devices->host);
    /* Of a memory that somebody wrote, names alone are believed. */
    memory = json_tokener_parse("{\"devices\": {\"a\": \"../x\", \"b\": 5, \"c\": null, \"d\": "
                                "\"net-../x\"}}");
    devices->memory = memory;
    devices->downs = 0;
    devices_start(devices);
    devices->memory = NULL;
    json_object_put(memory);
    devices_wait(devices, &devices->downs, 1);
    assert_int_equal(server.sweeps, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_passt_is_started_taken_over_and_ended),
        TEST(one_that_is_another_is_replaced),
        TEST(a_share_that_nobody_serves_is_replaced),
        TEST(somebody_else_s_server_is_left_alone),
        TEST(its_socket_is_qemu_s_user_s),
        TEST(what_stands_in_passt_s_way_is_told),
        TEST(an_old_qemu_has_no_passt),
        TEST(one_that_ends_meanwhile_is_told_with_its_words),
        TEST(one_that_ends_as_it_is_attached_is_unplugged),
        TEST(its_end_is_told),
        TEST(a_share_s_end_unplugs_it),
        TEST(one_that_the_guest_keeps_is_asked_for_again),
        TEST(the_end_of_one_that_is_being_removed_is_no_news),
        TEST(another_aperture_is_told_once_the_device_is_there),
        TEST(an_aperture_is_what_its_relay_says),
        TEST(a_balloon_is_told_with_an_aperture_that_holds),
        TEST(one_that_does_not_bounce_has_none),
        TEST(a_domain_that_stops_ends_them),
        TEST(what_an_earlier_daemon_remembered_is_ended),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
