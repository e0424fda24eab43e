/*
 * device qemu: a real QEMU (stopped, with neither firmware nor kernel run) gets real devices,
 * served by a real virtiofsd. What takes a running guest, unplugging, is the lab's to test.
 */
#include "base/child.h"
#include "base/json.h"
#include "base/program.h"
#include "descriptors.h"
#include "device_support.h"
#include "qemu/name.h"
#include "qemu/qmp.h"
#include "qemu/refusal.h"
#include "qemu_played.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define QEMU "qemu-system-x86_64"

static char qmp_path[128], share_path[128];
static pid_t qemu;

static bool is_there(const char *program)
{
    char path[256];

    return program_find(program, path, sizeof(path)) == 0;
}

static bool has_virtiofsd(void)
{
    return is_there("/usr/libexec/virtiofsd") || is_there("/usr/lib/qemu/virtiofsd") ||
           is_there("/usr/lib/virtiofsd") || is_there("virtiofsd");
}

/*
 * @param memory  an argument of -object
 * @param more    arguments, NULL at the end
 */
static void start_qemu(struct devices *devices, const char *memory, const char *const *more)
{
    char qmp[160];
    const char *argv[32] = {QEMU,
                            "-S",
                            "-machine",
                            "q35,memory-backend=mem",
                            "-object",
                            memory,
                            "-nodefaults",
                            "-display",
                            "none",
                            "-accel",
                            "tcg",
                            "-device",
                            "pcie-root-port,id=rp1,chassis=1",
                            "-device",
                            "pcie-root-port,id=rp2,chassis=2",
                            "-qmp",
                            qmp};
    size_t count = 0;

    (void)snprintf(qmp_path, sizeof(qmp_path), "%s/q.qmp", devices->directory);
    (void)snprintf(qmp, sizeof(qmp), "unix:%s,server=on,wait=off", qmp_path);
    (void)snprintf(share_path, sizeof(share_path), "%s/share,with comma", devices->directory);
    (void)mkdir(share_path, 0700);
    qemu = fork();
    assert_true(qemu >= 0);
    if (qemu == 0) {
        while (argv[count])
            count++;
        while (*more)
            argv[count++] = *more++;
        (void)execvp(QEMU, (char *const *)argv);
        _exit(127);
    }
    devices->vm.device_host.type = CONFIG_DEVICE_HOST_QEMU;
    devices->vm.device_host.qmp = qmp_path;
    devices->vm.device_host.timeout_ms = 60000;
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    devices->downs = 0; /* it may have been too early once */
}

#define MEMORY "memory-backend-memfd,id=mem,size=128M,share=on"

static const char *const just_memory[] = {"-m", "128M", NULL};

static int set_up(void **state)
{
    (void)devices_set_up(state);
    start_qemu(*state, MEMORY, just_memory);
    return 0;
}

static void stop_qemu(void)
{
    if (qemu > 0) {
        (void)kill(qemu, SIGKILL);
        (void)waitpid(qemu, NULL, 0);
    }
    qemu = 0;
}

static int tear_down(void **state)
{
    struct devices *devices = *state;
    unsigned downs = devices->downs;

    stop_qemu();
    if (devices->host && device_host_is_up(devices->host)) /* it cleans up behind a QEMU */
        devices_wait(devices, &devices->downs, downs + 1);
    return devices_tear_down(state);
}

/* Where the files of a VM's virtiofsd are, below the state directory. */
static const char *folder_of(const struct config_vm *vm)
{
    static char folder[64];
    char name[DEVICE_NAME_HASH_SIZE];

    device_name_hash(name, vm->id, NULL);
    (void)snprintf(folder, sizeof(folder), "fs/%s", name);
    return folder;
}

/* @return how many files the folder has; in @p name, of one: up to its dot */
static unsigned files_in(const struct devices *devices, const char *folder, char name[32])
{
    char path[128];
    unsigned count = 0;
    DIR *directory;

    (void)snprintf(path, sizeof(path), "%s/%s", devices->directory, folder);
    directory = opendir(path);
    if (!directory)
        return 0;
    for (const struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        if (entry->d_name[0] == '.' || entry->d_type == DT_DIR)
            continue;
        (void)snprintf(name, 32, "%.*s", (int)strcspn(entry->d_name, "."), entry->d_name);
        count++;
    }
    (void)closedir(directory);
    return count;
}

static unsigned files_of_virtiofsd(const struct devices *devices)
{
    char name[32];

    return files_in(devices, folder_of(&devices->vm), name);
}

static void share_is_added_and_taken_over_by_the_next_daemon(void **state)
{
    struct devices *devices = *state;
    const struct device_share share = {.tag = "c.d e",
                                       .path = share_path,
                                       .read_only = true,
                                       .iommu_platform = true,
                                       .options = ""};
    struct json_object *memory, *shares;

    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_true(devices->outcome.created);
    assert_false(devices->outcome.iommu_platform);
    assert_non_null(strstr(devices->text, "QEMU does not support iommu_platform"));
    assert_int_equal(files_of_virtiofsd(devices), 3);
    memory = device_host_remember(devices->host);
    assert_true(json_object_object_get_ex(memory, "shares", &shares));
    assert_true(json_object_object_get_ex(shares, "c.d e", NULL));
    json_object_put(memory);

    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_false(devices->outcome.created);

    devices->host = device_host_free(devices->host);
    devices->ups = 0;
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_false(devices->outcome.created);
    assert_int_equal(devices->losses, 0);
}

/* The relay offers what QEMU wants for that. One of another token is another device. */
static void share_with_a_token_bounces(void **state)
{
    struct devices *devices = *state;
    struct device_share share = {.tag = "c",
                                 .path = share_path,
                                 .iommu_platform = true,
                                 .options = "swiotlb=0x4000000,67108864"};

    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_true(devices->outcome.created);
    assert_true(devices->outcome.iommu_platform);
    assert_string_equal(devices->text, "");

    devices->host = device_host_free(devices->host);
    devices->ups = 0;
    devices->vm.device_host.timeout_ms = 2000; /* QEMU answers within, also on a busy machine */
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_false(devices->outcome.created);
    assert_true(devices->outcome.iommu_platform);
    /* It is not taken over but unplugged first, which there is no guest for. */
    share.options = "swiotlb=0x4000000,33554432";
    assert_int_equal(devices_add_share(devices, &share), ETIMEDOUT);
}

struct notes {
    unsigned dones, full;
};

static void note_done(void *userdata, const struct device_outcome *outcome)
{
    struct notes *notes = userdata;

    notes->dones++;
    notes->full += outcome->error == ENOSPC && strstr(outcome->text, "no free PCIe root port");
}

static void adapters_bounce_with_a_token_and_ports_run_out(void **state)
{
    struct devices *devices = *state;
    struct config_network network = {.id = "eth0", .mac = {0x52, 0x54, 0, 1, 2, 3}};
    struct config_network second = {.id = "eth1", .mac = {0x52, 0x54, 0, 1, 2, 4}};
    struct config_network third = {.id = "eth2", .mac = {0x52, 0x54, 0, 1, 2, 5}};
    struct device_adapter adapter = {.network = &network, .iommu_platform = true, .options = ""};
    struct notes notes = {0};

    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    assert_true(devices->outcome.created);
    assert_true(devices->outcome.iommu_platform);
    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    assert_false(devices->outcome.created);
    assert_true(devices->outcome.iommu_platform);

    /* Two at once must not get one port. */
    adapter.iommu_platform = false;
    adapter.network = &second;
    assert_int_equal(device_host_add_adapter(devices->host, &adapter, note_done, &notes), 0);
    adapter.network = &third;
    assert_int_equal(device_host_add_adapter(devices->host, &adapter, note_done, &notes), 0);
    devices_wait(devices, &notes.dones, 2);
    assert_int_equal(notes.full, 1);
    assert_int_equal(devices_remove_adapter(devices, "eth9"), 0);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_in_range(strlen(path), 0, sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void stream_adapter_needs_somebody_at_its_socket(void **state)
{
    struct devices *devices = *state;
    char path[160];
    struct config_network network = {.id = "eth0",
                                     .mac = {0x52, 0x54, 0, 1, 2, 3},
                                     .backend = CONFIG_BACKEND_STREAM,
                                     .socket_path = path};
    const struct device_adapter adapter = {
        .network = &network, .iommu_platform = true, .options = ""};
    int listener;

    (void)snprintf(path, sizeof(path), "%s/peer", devices->directory);
    assert_int_equal(devices_add_adapter(devices, &adapter), ECONNREFUSED);
    assert_non_null(strstr(devices->text, "adapter eth0: nothing listens at"));
    assert_non_null(strstr(devices->text, path));

    listener = listen_at(path);
    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    assert_true(devices->outcome.created);
    assert_true(devices->outcome.iommu_platform);
    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    assert_false(devices->outcome.created);
    (void)close(listener);
}

static void wrong_shares_are_told_and_leave_nothing(void **state)
{
    struct devices *devices = *state;
    struct device_share share = {.tag = "c", .path = "/nonexistent", .options = ""};

    assert_int_equal(devices_add_share(devices, &share), ENOENT);
    assert_non_null(strstr(devices->text, "/nonexistent is not a directory"));

    share.path = share_path;
    devices->vm.device_host.virtiofsd = "/nonexistent/virtiofsd";
    assert_int_equal(devices_add_share(devices, &share), ENOENT);
    assert_non_null(strstr(devices->text, "/nonexistent/virtiofsd"));

    devices->vm.device_host.virtiofsd =
        (char *)devices_script(devices, "bad", "#!/bin/sh\necho cannot serve >&2\nexit 4\n");
    assert_int_equal(devices_add_share(devices, &share), EIO);
    assert_non_null(strstr(devices->text, "virtiofsd: exit status 4; last output: cannot serve"));
    assert_int_equal(files_of_virtiofsd(devices), 0);

    devices->vm.device_host.virtiofsd = NULL;
    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_true(devices->outcome.created);
}

static void guest_that_does_not_react_is_told(void **state)
{
    struct devices *devices = *state;
    const struct device_share share = {.tag = "c", .path = share_path, .options = ""};

    assert_int_equal(devices_add_share(devices, &share), 0);
    devices->host = device_host_free(devices->host);
    devices->ups = 0;
    devices->vm.device_host.timeout_ms = 2000; /* QEMU answers within, also on a busy machine */
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    assert_int_equal(devices_remove_share(devices, "c"), ETIMEDOUT);
    assert_non_null(strstr(devices->text, "did not release device guestlink-fs-c within 2000 ms"));
    assert_int_equal(devices_remove_share(devices, "unknown"), 0);
}

/* The first of its processes. */
static pid_t pid_of_virtiofsd(const struct devices *devices)
{
    char name[32] = "", path[128], text[128];

    (void)files_in(devices, folder_of(&devices->vm), name);
    (void)snprintf(path, sizeof(path), "%s/%s.pid", folder_of(&devices->vm), name);
    return (pid_t)strtol(devices_read(devices, path, text, sizeof(text)), NULL, 10);
}

static void virtiofsd_that_dies_is_noticed(void **state)
{
    struct devices *devices = *state;
    const struct device_share share = {.tag = "c", .path = share_path, .options = ""};
    pid_t pid;

    assert_int_equal(devices_add_share(devices, &share), 0);
    pid = pid_of_virtiofsd(devices);
    if (is_there("guestlink-virtiofs-relay"))
        pid = devices_child_of(devices_child_of(pid)); /* the keeper's relay's virtiofsd */
    assert_true(pid > 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    devices_wait(devices, &devices->losses, 1);
    assert_non_null(
        strstr(devices->text, "c: virtiofsd: killed by signal 9 (Killed); last output"));
}

static void end_of_qemu_cleans_up(void **state)
{
    struct devices *devices = *state;
    const struct device_share share = {.tag = "c", .path = share_path, .options = ""};

    assert_int_equal(devices_add_share(devices, &share), 0);
    stop_qemu();
    devices_wait(devices, &devices->downs, 1);
    if (!devices->ended)
        fail_msg("not told as its end: %s", devices->text);
    assert_false(device_host_is_up(devices->host));
    assert_int_equal(files_of_virtiofsd(devices), 0);
    assert_int_equal(device_host_add_share(devices->host, &share, devices_done, devices),
                     -ENOTCONN);
}

/* Up to 0.1.0 the files of all VMs were in one folder, and a daemon is updated under its guests. */
static void share_of_a_daemon_with_one_folder_for_all_is_taken_over(void **state)
{
    struct devices *devices = *state;
    const struct device_share share = {.tag = "c", .path = share_path, .options = ""};
    static const char *const ends[] = {"sock", "pid", "log"};
    char name[32] = "", from[256], to[256];
    pid_t pid;

    assert_int_equal(devices_add_share(devices, &share), 0);
    pid = pid_of_virtiofsd(devices);
    devices->host = device_host_free(devices->host);
    (void)files_in(devices, folder_of(&devices->vm), name);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void)snprintf(from, sizeof(from), "%s/%s/%s.%s", devices->directory,
                       folder_of(&devices->vm), name, ends[i]);
        (void)snprintf(to, sizeof(to), "%s/fs/%s.%s", devices->directory, name, ends[i]);
        assert_int_equal(rename(from, to), 0);
    }
    devices->ups = 0;
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_false(devices->outcome.created);
    assert_int_equal(kill(pid, 0), 0);

    stop_qemu();
    devices_wait(devices, &devices->downs, 1);
    assert_int_equal(files_in(devices, "fs", name), 0);
}

/* A second VM of the same daemon, whose QEMU is played; @p lines outlive it. */
static pid_t start_second(struct devices *second, const struct devices *first,
                          const struct played_line *lines)
{
    static char path[128];
    pid_t pid;

    *second = (struct devices){.event = first->event, .vm = first->vm};
    memcpy(second->directory, first->directory, sizeof(second->directory));
    (void)strcpy(second->vm.id, "6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a02");
    (void)snprintf(path, sizeof(path), "%s/second.qmp", first->directory);
    second->vm.device_host.qmp = path;
    pid = played_start(path, lines);
    devices_start(second);
    devices_wait(second, &second->ups, 1);
    return pid;
}

/* Each way in which QEMU can name a chardev; what is behind it is swept away. */
static void virtiofsd_of_another_vm_is_not_ended_whatever_qemu_says(void **state)
{
    struct devices *devices = *state, second;
    const struct device_share share = {.tag = "c", .path = share_path, .options = ""};
    char name[32] = "", chardev[128];
    const struct played_line remove[] = {
        {"qom-get", chardev}, {"device_del", PLAYED_OK PLAYED_GONE}, {NULL, NULL}};
    const struct played_line add[] = {{"query-memdev", PLAYED_MEMORY},
                                      {"qom-list", PLAYED_SHARE_THERE},
                                      {"qom-get", chardev},
                                      {"device_del", PLAYED_OK PLAYED_GONE},
                                      {"qom-list", "{\"return\": [], \"id\": $}\n"},
                                      {NULL, NULL}};
    pid_t pid, qemu_of_second;

    assert_int_equal(devices_add_share(devices, &share), 0);
    pid = pid_of_virtiofsd(devices);
    assert_true(pid > 1);
    for (unsigned i = 0; i < 3; i++) {
        (void)files_in(devices, folder_of(&devices->vm), name);
        (void)snprintf(chardev, sizeof(chardev), "{\"return\": \"guestlink-fs-%s%s\", \"id\": $}\n",
                       i == 2 ? "../" : "", name);
        qemu_of_second = start_second(&second, devices, i == 0 ? remove : add);
        if (i == 0)
            assert_int_equal(devices_remove_share(&second, "c"), 0);
        else
            assert_int_equal(devices_add_share(&second, &share), ENOSPC);
        second.host = device_host_free(second.host);
        played_stop(qemu_of_second);
        devices_run(devices, 100); /* what was killed is noticed in the loop */
        assert_int_equal(devices->losses, 0);
        assert_int_equal(kill(pid, 0), 0);
        assert_int_equal(files_of_virtiofsd(devices), 3);
    }
}

/* QEMU, whose folder it is, puts a link to another VM's socket there. */
static void qmp_socket_that_leads_to_another_vm_is_not_connected_to(void **state)
{
    struct devices *devices = *state, second = {.event = devices->event, .vm = devices->vm};
    char path[160];

    /* The daemon lets go of the one, so that its QEMU would serve the other. */
    devices->host = device_host_free(devices->host);
    memcpy(second.directory, devices->directory, sizeof(second.directory));
    (void)snprintf(path, sizeof(path), "%s/second.qmp", devices->directory);
    assert_int_equal(symlink(qmp_path, path), 0);
    second.vm.device_host.qmp = path;
    devices_start(&second);
    devices_wait(&second, &second.downs, 1);
    assert_non_null(strstr(second.text, "cannot connect to QMP socket"));
    assert_non_null(
        strstr(second.text, "the socket is a symbolic link, so it may lead to another VM"));
    devices_run(&second, 500);
    assert_int_equal(second.ups, 0);

    /* The VM's own is back. */
    assert_int_equal(rename(qmp_path, path), 0);
    devices_wait(&second, &second.ups, 1);
    second.host = device_host_free(second.host);
}

static void socket_of_virtiofsd_is_for_qemus_user_alone(void **state)
{
    struct devices *devices = *state;
    const struct device_share share = {.tag = "c", .path = share_path, .options = ""};
    char name[32] = "", path[256];
    struct stat status;

    assert_int_equal(chown(qmp_path, 64101, 64102), 0);
    devices->host = device_host_free(devices->host);
    devices->ups = 0;
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    assert_int_equal(devices_add_share(devices, &share), 0);
    (void)files_in(devices, folder_of(&devices->vm), name);
    (void)snprintf(path, sizeof(path), "%s/%s/%s.sock", devices->directory, folder_of(&devices->vm),
                   name);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_uid, 64101);
    assert_int_equal(status.st_gid, 64102);
    assert_int_equal(status.st_mode & 07777, 0600);
    /* Others pass through its folder, and neither look around nor put anything there. */
    *strrchr(path, '/') = '\0';
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_uid, geteuid());
    assert_int_equal(status.st_mode & 07777, 0711);
}

/* A plain client of the same QEMU, in the device host's place. */
struct client {
    struct qmp *qmp;
    unsigned ups, replies;
    int error;
    char text[512];
    bool is[QEMU_REFUSAL_IOMMU + 1];
};

static void on_client_up(void *userdata)
{
    ((struct client *)userdata)->ups++;
}

static void on_client_down(void *userdata, bool ended, const char *text)
{
    (void)userdata;
    (void)ended;
    (void)text;
}

static void on_client_event(void *userdata, const char *name, struct json_object *data)
{
    (void)userdata;
    (void)name;
    (void)data;
}

static void on_client_reply(void *userdata, const struct qmp_reply *reply)
{
    struct client *client = userdata;

    client->replies++;
    client->error = reply->error;
    (void)snprintf(client->text, sizeof(client->text), "%s", reply->text);
    for (size_t i = 0; i < sizeof(client->is) / sizeof(client->is[0]); i++)
        client->is[i] = qemu_refusal_is((enum qemu_refusal)i, reply);
}

static void ask(struct devices *devices, struct client *client, const char *command, const char *id)
{
    unsigned replies = client->replies;

    assert_int_equal(qmp_execute(client->qmp, command, json_texts("id", id, NULL),
                                 DEVICES_TIMEOUT_MS, on_client_reply, client),
                     0);
    devices_wait(devices, &client->replies, replies + 1);
}

/* That it was for this reason, and for none of the others. */
static void assert_refused(const struct client *client, enum qemu_refusal refusal)
{
    for (size_t i = 0; i < sizeof(client->is) / sizeof(client->is[0]); i++)
        if (client->is[i] != (i == refusal))
            fail_msg("this QEMU says \"%s\"", client->text);
}

/* The fourth, about iommu_platform, is in the outcome of a share that is to bounce. */
static void refusals_that_decide_something_are_understood(void **state)
{
    static const struct qmp_events events = {
        .up = on_client_up, .down = on_client_down, .event = on_client_event};
    struct devices *devices = *state;
    const struct device_share share = {
        .tag = "c", .path = share_path, .iommu_platform = true, .options = ""};
    struct client client = {0};
    char name[32] = "", chardev[64];

    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_non_null(strstr(devices->text, "QEMU does not support iommu_platform"));
    (void)files_in(devices, folder_of(&devices->vm), name);
    (void)snprintf(chardev, sizeof(chardev), QEMU_NAME_FS "%s", name);
    devices->host = device_host_free(devices->host);
    assert_int_equal(qmp_new(devices->event, qmp_path, &events, &client, &client.qmp), 0);
    devices_wait(devices, &client.ups, 1);

    ask(devices, &client, "chardev-remove", chardev);
    assert_refused(&client, QEMU_REFUSAL_BUSY);
    ask(devices, &client, "device_del", "guestlink-fs-unknown");
    assert_refused(&client, QEMU_REFUSAL_UNKNOWN);
    ask(devices, &client, "device_del", "guestlink-fs-c");
    assert_int_equal(client.error, 0); /* the guest is stopped: it does not let go */
    ask(devices, &client, "device_del", "guestlink-fs-c");
    assert_refused(&client, QEMU_REFUSAL_UNPLUGGING);
    client.qmp = qmp_free(client.qmp);
}

static int set_up_private(void **state)
{
    if (!is_there(QEMU) || !has_virtiofsd())
        skip();
    (void)devices_set_up(state);
    start_qemu(*state, "memory-backend-memfd,id=mem,size=128M,share=off", just_memory);
    return 0;
}

static void memory_that_is_not_shared_is_told_with_what_to_do(void **state)
{
    struct devices *devices = *state;
    const struct device_share share = {.tag = "c", .path = share_path, .options = ""};

    assert_int_equal(devices_add_share(devices, &share), ENOTSUP);
    assert_non_null(strstr(devices->text, "memory-backend-memfd,id=mem"));
    assert_int_equal(files_of_virtiofsd(devices), 0);
}

/* A pool that this QEMU's guest would have. */
#define TOKEN "swiotlb=0x1000000,16777216;vmId=6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a01"

static const struct device_share confined = {
    .tag = "c", .path = share_path, .iommu_platform = true, .options = TOKEN};

/* Where the relay of the only share says what its aperture is. */
static const char *status_file(const struct devices *devices)
{
    static char path[256];
    char name[32] = "";

    assert_true(files_in(devices, folder_of(&devices->vm), name) > 0);
    (void)snprintf(path, sizeof(path), "%s/%s/%s.ap", devices->directory, folder_of(&devices->vm),
                   name);
    return path;
}

/* In the relay's place: the guest of this QEMU never starts a driver. */
static void say_as_relay(struct devices *devices, enum aperture_state state, const char *reason)
{
    struct aperture_status status = {.state = state, .bytes = state == APERTURE_NONE ? 0 : 4096};
    unsigned apertures = devices->apertures;

    (void)snprintf(status.reason, sizeof(status.reason), "%s", reason);
    assert_int_equal(aperture_status_write(status_file(devices), &status), 0);
    if (state != APERTURE_REFUSED)
        devices_wait(devices, &devices->apertures, apertures + 1);
}

static void assert_aperture(struct devices *devices, enum aperture_state state, const char *reason)
{
    struct aperture_status status;

    assert_int_equal(device_host_get_aperture(devices->host, "c", &status), 0);
    assert_int_equal(status.state, state);
    assert_non_null(strstr(status.reason, reason));
}

static void what_the_relay_says_is_heard_at_once_and_by_the_next_daemon(void **state)
{
    struct devices *devices = *state;
    struct aperture_status status;

    assert_int_equal(devices_add_share(devices, &confined), 0);
    assert_true(devices->outcome.iommu_platform);
    assert_string_equal(devices->text, "");
    assert_int_equal(device_host_get_aperture(devices->host, "c", &status), -ENOENT);
    assert_int_equal(device_host_get_aperture(devices->host, "d", &status), -ENOENT);
    say_as_relay(devices, APERTURE_ENFORCED, "");
    assert_aperture(devices, APERTURE_ENFORCED, "");

    devices->host = device_host_free(devices->host);
    assert_int_equal(aperture_status_write(status_file(devices),
                                           &(struct aperture_status){.state = APERTURE_NARROWED,
                                                                     .bytes = 1,
                                                                     .reason = "meanwhile"}),
                     0);
    devices->ups = 0;
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    assert_int_equal(devices_add_share(devices, &confined), 0);
    assert_false(devices->outcome.created);
    assert_aperture(devices, APERTURE_NARROWED, "meanwhile");
    say_as_relay(devices, APERTURE_ENFORCED, "");
    assert_aperture(devices, APERTURE_ENFORCED, "");
}

/* What the daemon confirms is what the relay of this share has asked. */
static void what_waits_is_confirmed(void **state)
{
    struct devices *devices = *state;
    const char *path;

    assert_int_equal(devices_add_share(devices, &confined), 0);
    path = status_file(devices);
    say_as_relay(devices, APERTURE_WAITING, "");
    assert_aperture(devices, APERTURE_WAITING, "");
    assert_false(aperture_status_is_confirmed(path, 4096));
    assert_int_equal(device_host_confirm_aperture(devices->host, "d", 4096), -ENOENT);
    assert_int_equal(device_host_confirm_aperture(devices->host, "c", 4096), 0);
    assert_true(aperture_status_is_confirmed(path, 4096));
    assert_false(aperture_status_is_confirmed(path, 4095));
}

static int set_up_balloon(void **state)
{
    static const char *const more[] = {"-m", "128M", "-device", "virtio-balloon-pci", NULL};

    if (!is_there(QEMU) || !has_virtiofsd())
        skip();
    (void)devices_set_up(state);
    start_qemu(*state, MEMORY, more);
    return 0;
}

static int set_up_virtio_mem(void **state)
{
    static const char *const more[] = {"-m",      "128M,maxmem=1G",
                                       "-object", "memory-backend-memfd,id=more,size=64M,share=on",
                                       "-device", "virtio-mem-pci,memdev=more",
                                       NULL};

    if (!is_there(QEMU) || !has_virtiofsd())
        skip();
    (void)devices_set_up(state);
    start_qemu(*state, MEMORY, more);
    return 0;
}

/* @param what  the device that can */
static void need_discards_told(struct devices *devices, const char *what)
{
    struct device_share required = confined;

    required.aperture = CONFIG_APERTURE_REQUIRE;
    assert_int_equal(devices_add_share(devices, &required), EPERM);
    assert_non_null(strstr(devices->text, what));
    assert_int_equal(files_of_virtiofsd(devices), 0);
    assert_int_equal(devices_add_share(devices, &confined), 0);
    say_as_relay(devices, APERTURE_NARROWED, "no udmabuf"); /* the file itself: no page parts */
    assert_aperture(devices, APERTURE_NARROWED, "no udmabuf");
    say_as_relay(devices, APERTURE_ENFORCED, "");
    assert_aperture(devices, APERTURE_ENFORCED, what);
}

static void what_a_balloon_takes_is_told_or_refused(void **state)
{
    need_discards_told(*state, "a virtio-balloon device");
}

static void what_virtio_mem_takes_is_told_or_refused(void **state)
{
    need_discards_told(*state, "a virtio-mem device");
}

/* It is root's, but what it says may be what virtiofsd made it say. */
static void what_a_relay_says_may_be_nonsense(void **state)
{
    static const char *const nonsense[] = {
        "enforced",       "enforced 1 2\n",         "enforced -1\n",
        "perfect 4096\n", "narrowed 4096 \33[2J\n", ""};
    struct devices *devices = *state;
    char path[256], other[272];
    unsigned heard;

    assert_int_equal(devices_add_share(devices, &confined), 0);
    (void)snprintf(path, sizeof(path), "%s", status_file(devices));
    (void)snprintf(other, sizeof(other), "%s.other", path);
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        FILE *file = fopen(other, "we");

        assert_non_null(file);
        (void)fputs(nonsense[i], file);
        (void)fclose(file);
        heard = devices->apertures;
        assert_int_equal(rename(other, path), 0);
        devices_wait(devices, &devices->apertures, heard + 1);
        assert_aperture(devices, APERTURE_NONE, "cannot read");
    }
    (void)unlink(path);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_aperture(devices, APERTURE_NONE, "cannot read");
}

static void what_a_relay_refuses_is_told_with_its_reason(void **state)
{
    struct devices *devices = *state;
    char record[256], text[64];
    pid_t relay;

    assert_int_equal(devices_add_share(devices, &confined), 0);
    (void)snprintf(record, sizeof(record), "%s",
                   status_file(devices) + strlen(devices->directory) + 1);
    memcpy(record + strlen(record) - 3, ".pid", 5);
    say_as_relay(devices, APERTURE_REFUSED, "its driver did not accept it");
    relay = (pid_t)strtol(devices_read(devices, record, text, sizeof(text)), NULL, 10);
    assert_true(relay > 0);
    assert_int_equal(kill(relay, SIGKILL), 0);
    devices_wait(devices, &devices->refusals, 1);
    assert_string_equal(devices->text, "c: its driver did not accept it");
    assert_int_equal(devices->losses, 0);
}

static void what_is_required_is_not_done_without(void **state)
{
    struct devices *devices = *state;
    struct device_share share = confined;

    if (access("/dev/udmabuf", F_OK) == 0)
        skip();
    share.aperture = CONFIG_APERTURE_REQUIRE;
    assert_int_equal(devices_add_share(devices, &share), EPERM);
    assert_non_null(strstr(devices->text, "/dev/udmabuf"));
    assert_int_equal(files_of_virtiofsd(devices), 0);
}

static void what_is_switched_off_does_not_bounce(void **state)
{
    struct devices *devices = *state;
    struct device_share share = confined;

    share.aperture = CONFIG_APERTURE_OFF;
    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_false(devices->outcome.iommu_platform);
    assert_string_equal(devices->text, "");
    assert_aperture(devices, APERTURE_NONE, "\"off\"");
    share.aperture = CONFIG_APERTURE_AUTO;
    share.tag = "d"; /* the guest is stopped: it does not let go of the other */
    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_true(devices->outcome.iommu_platform);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(share_with_a_token_bounces),
        TEST(share_is_added_and_taken_over_by_the_next_daemon),
        TEST(adapters_bounce_with_a_token_and_ports_run_out),
        TEST(stream_adapter_needs_somebody_at_its_socket),
        TEST(wrong_shares_are_told_and_leave_nothing),
        TEST(guest_that_does_not_react_is_told),
        TEST(virtiofsd_that_dies_is_noticed),
        TEST(end_of_qemu_cleans_up),
        TEST(share_of_a_daemon_with_one_folder_for_all_is_taken_over),
        TEST(virtiofsd_of_another_vm_is_not_ended_whatever_qemu_says),
        TEST(qmp_socket_that_leads_to_another_vm_is_not_connected_to),
        TEST(socket_of_virtiofsd_is_for_qemus_user_alone),
        TEST(refusals_that_decide_something_are_understood),
        TEST(what_the_relay_says_is_heard_at_once_and_by_the_next_daemon),
        TEST(what_waits_is_confirmed),
        TEST(what_a_relay_says_may_be_nonsense),
        TEST(what_a_relay_refuses_is_told_with_its_reason),
        TEST(what_is_required_is_not_done_without),
        TEST(what_is_switched_off_does_not_bounce),
        cmocka_unit_test_setup_teardown(memory_that_is_not_shared_is_told_with_what_to_do,
                                        set_up_private, tear_down),
        cmocka_unit_test_setup_teardown(what_a_balloon_takes_is_told_or_refused, set_up_balloon,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_virtio_mem_takes_is_told_or_refused, set_up_virtio_mem,
                                        tear_down),
    };

    if (!is_there(QEMU) || !has_virtiofsd() || geteuid() != 0) {
        (void)puts("it takes " QEMU ", virtiofsd and root");
        return 77;
    }
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
