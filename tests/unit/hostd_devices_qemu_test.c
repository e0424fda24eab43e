/*
 * device qemu: a real QEMU (stopped, with neither firmware nor kernel run) gets real devices,
 * served by a real virtiofsd. What takes a running guest, unplugging, is the lab's to test.
 */
#include "base/child.h"
#include "descriptors.h"
#include "hostd_devices_support.h"

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

    return child_find_program(program, path, sizeof(path)) == 0;
}

static bool has_virtiofsd(void)
{
    return is_there("/usr/libexec/virtiofsd") || is_there("/usr/lib/qemu/virtiofsd") ||
           is_there("/usr/lib/virtiofsd") || is_there("virtiofsd");
}

/* @param memory  an argument of -object */
static void start_qemu(struct devices *devices, const char *memory)
{
    char qmp[160];

    (void)snprintf(qmp_path, sizeof(qmp_path), "%s/q.qmp", devices->directory);
    (void)snprintf(qmp, sizeof(qmp), "unix:%s,server=on,wait=off", qmp_path);
    (void)snprintf(share_path, sizeof(share_path), "%s/share,with comma", devices->directory);
    (void)mkdir(share_path, 0700);
    qemu = fork();
    assert_true(qemu >= 0);
    if (qemu == 0) {
        (void)execlp(QEMU, QEMU, "-S", "-machine", "q35,memory-backend=mem", "-object", memory,
                     "-m", "128M", "-nodefaults", "-display", "none", "-accel", "tcg", "-device",
                     "pcie-root-port,id=rp1,chassis=1", "-device",
                     "pcie-root-port,id=rp2,chassis=2", "-qmp", qmp, (char *)NULL);
        _exit(127);
    }
    devices->vm.device_host.type = CONFIG_DEVICE_HOST_QEMU;
    devices->vm.device_host.qmp = qmp_path;
    devices->vm.device_host.timeout_ms = 60000;
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    devices->downs = 0; /* it may have been too early once */
}

static int set_up(void **state)
{
    if (!is_there(QEMU) || !has_virtiofsd() || geteuid() != 0) {
        (void)fprintf(stderr, "not tested: it takes " QEMU ", virtiofsd and root\n");
        skip();
    }
    (void)devices_set_up(state);
    start_qemu(*state, "memory-backend-memfd,id=mem,size=128M,share=on");
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
    stop_qemu();
    return devices_tear_down(state);
}

static unsigned files_of_virtiofsd(const struct devices *devices)
{
    char path[128];
    unsigned count = 0;
    DIR *directory;

    (void)snprintf(path, sizeof(path), "%s/fs", devices->directory);
    directory = opendir(path);
    if (!directory)
        return 0;
    for (const struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
        count += entry->d_name[0] != '.';
    (void)closedir(directory);
    return count;
}

static void share_is_added_and_taken_over_by_the_next_daemon(void **state)
{
    struct devices *devices = *state;
    const struct device_share share = {
        .tag = "c.d e", .path = share_path, .read_only = true, .token = true, .options = ""};
    struct json_object *memory, *shares;

    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_true(devices->outcome.created);
    assert_false(devices->outcome.iommu_platform);
    assert_non_null(strstr(devices->text, "QEMU cannot do iommu_platform"));
    assert_int_equal(files_of_virtiofsd(devices), 3);
    memory = device_host_remember(devices->host);
    assert_true(json_object_object_get_ex(memory, "shares", &shares));
    assert_true(json_object_object_get_ex(shares, "c.d e", NULL));
    json_object_put(memory);

    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_false(devices->outcome.created);

    devices->host = device_host_free(devices->host, false);
    devices->ups = 0;
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    assert_int_equal(devices_add_share(devices, &share), 0);
    assert_false(devices->outcome.created);
    assert_int_equal(devices->losses, 0);
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
    struct device_adapter adapter = {.network = &network, .token = true, .options = ""};
    struct notes notes = {0};

    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    assert_true(devices->outcome.created);
    assert_true(devices->outcome.iommu_platform);
    assert_int_equal(devices_add_adapter(devices, &adapter), 0);
    assert_false(devices->outcome.created);
    assert_true(devices->outcome.iommu_platform);

    /* Two at once must not get one port. */
    adapter.token = false;
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

    assert_true(strlen(path) < sizeof(address.sun_path));
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
    const struct device_adapter adapter = {.network = &network, .token = true, .options = ""};
    int listener;

    (void)snprintf(path, sizeof(path), "%s/peer", devices->directory);
    assert_int_equal(devices_add_adapter(devices, &adapter), ECONNREFUSED);
    assert_non_null(strstr(devices->text, "adapter eth0: nobody answered QEMU at"));
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
    assert_non_null(strstr(devices->text, "virtiofsd: exit status 4; last words: cannot serve"));
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
    devices->host = device_host_free(devices->host, false);
    devices->ups = 0;
    devices->vm.device_host.timeout_ms = 2000; /* QEMU answers within, also on a busy machine */
    devices_start(devices);
    devices_wait(devices, &devices->ups, 1);
    assert_int_equal(devices_remove_share(devices, "c"), ETIMEDOUT);
    assert_non_null(
        strstr(devices->text, "did not let go of device guestlink-fs-c within 2000 ms"));
    assert_int_equal(devices_remove_share(devices, "unknown"), 0);
}

static void virtiofsd_that_dies_is_noticed(void **state)
{
    struct devices *devices = *state;
    const struct device_share share = {.tag = "c", .path = share_path, .options = ""};
    char path[160], text[128];
    struct json_object *memory, *shares, *name;
    pid_t pid;

    assert_int_equal(devices_add_share(devices, &share), 0);
    memory = device_host_remember(devices->host);
    assert_true(json_object_object_get_ex(memory, "shares", &shares));
    assert_true(json_object_object_get_ex(shares, "c", &name));
    (void)snprintf(path, sizeof(path), "fs/%s.pid", json_object_get_string(name));
    json_object_put(memory);
    pid = (pid_t)strtol(devices_read(devices, path, text, sizeof(text)), NULL, 10);
    if (is_there("guestlink-virtiofs-relay"))
        pid = devices_child_of(devices_child_of(pid)); /* the keeper's relay's virtiofsd */
    assert_int_equal(kill(pid, SIGKILL), 0);
    devices_wait(devices, &devices->losses, 1);
    assert_non_null(strstr(devices->text, "c: virtiofsd: killed by signal 9 (Killed); last words"));
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

static int set_up_private(void **state)
{
    if (!is_there(QEMU) || !has_virtiofsd())
        skip();
    (void)devices_set_up(state);
    start_qemu(*state, "memory-backend-memfd,id=mem,size=128M,share=off");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(share_is_added_and_taken_over_by_the_next_daemon),
        TEST(adapters_bounce_with_a_token_and_ports_run_out),
        TEST(stream_adapter_needs_somebody_at_its_socket),
        TEST(wrong_shares_are_told_and_leave_nothing),
        TEST(guest_that_does_not_react_is_told),
        TEST(virtiofsd_that_dies_is_noticed),
        TEST(end_of_qemu_cleans_up),
        cmocka_unit_test_setup_teardown(memory_that_is_not_shared_is_told_with_what_to_do,
                                        set_up_private, tear_down),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
