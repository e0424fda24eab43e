/* guestlinkctl doctor: each of the ten likeliest failures is found, and what it says has the cause
 * and the next step; nothing is found where nothing is wrong. */
#include "descriptors.h"
#include "doctor/doctor.h"
#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define VM_ID "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

struct fixture {
    char folder[FOLDER_BYTES];
    struct config *config;
    struct doctor doctor;
    const char *udmabuf;
    struct json_object *view;
};

static void write_bytes(const struct fixture *fixture, const char *name, const char *data,
                        size_t size)
{
    char path[128];
    FILE *stream;

    (void)snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
    stream = fopen(path, "we");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

static void fail_on_remark(void *userdata, const char *remark)
{
    (void)userdata;
    fail_msg("%s", remark);
}

static void set_up_folder(struct fixture *fixture)
{
    char path[128];

    *fixture = (struct fixture){.udmabuf = "/dev/null"};
    folder_make(fixture->folder);
    (void)snprintf(path, sizeof(path), "%s/42", fixture->folder);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void tear_down_folder(struct fixture *fixture)
{
    json_object_put(fixture->doctor.findings);
    (void)config_free(fixture->config);
    folder_remove(fixture->folder);
}

/* @param share  a path; @param virtiofsd  the program's */
static void read_config(struct fixture *fixture, const char *share, const char *virtiofsd)
{
    char text[2048];
    int size = snprintf(
        text, sizeof(text),
        "{\"listen\": [\"vsock::50000\"], \"control\": \"%s/control\", \"state_dir\": \"%s\","
        "\"telemetry\": {\"file\": \"%s/telemetry\", \"journal\": false}, \"vms\": [{\"name\": "
        "\"dev\", \"id\": \"" VM_ID "\", \"cid\": 7, \"memory\": \"2G\", \"swiotlb\": \"64M\","
        "\"shares\": [{\"tag\": \"src\", \"path\": \"%s\", \"target\": \"/mnt\"}],"
        "\"network\": [{\"id\": \"eth0\", \"mac\": \"52:54:00:12:34:56\"}],"
        "\"device_host\": {\"type\": \"qemu\", \"qmp\": \"%s/qmp\", \"virtiofsd\": \"%s\"}}]}",
        fixture->folder, fixture->folder, fixture->folder, share, fixture->folder, virtiofsd);

    assert_int_equal(config_parse(text, (size_t)size, "hostd.json", fail_on_remark, fail_on_remark,
                                  NULL, &fixture->config),
                     0);
    fixture->doctor.config = fixture->config;
    fixture->doctor.findings = json_object_new_array();
}

/* Words ended by an empty one; "QMP" becomes the option with the socket. */
static void write_command_line(const struct fixture *fixture, const char *const *words)
{
    char data[2048];
    size_t size = 0;

    for (; (*words)[0] != '\0'; words++) {
        if (strcmp(*words, "QMP") == 0)
            size += (size_t)snprintf(data + size, sizeof(data) - size,
                                     "unix:%s/qmp,server=on,wait=off", fixture->folder);
        else
            size += (size_t)snprintf(data + size, sizeof(data) - size, "%s", *words);
        size++;
    }
    write_bytes(fixture, "42/cmdline", data, size);
}

static void look(struct fixture *fixture, const char *vhost_vsock)
{
    const struct config_vm *vm = &fixture->config->vms[0];

    char limit[128];

    (void)snprintf(limit, sizeof(limit), "%s/limit", fixture->folder);
    fixture->doctor.places = (struct doctor_places){vhost_vsock, fixture->folder, fixture->udmabuf,
                                                    limit,       "/nonexistent",  "/dev/null"};
    doctor_look_at_host(&fixture->doctor);
    doctor_look_at_shares(&fixture->doctor, vm);
    doctor_look_at_qemu(&fixture->doctor, vm, NULL);
    doctor_look_at_aperture(&fixture->doctor, vm, fixture->view);
    doctor_look_at_telemetry(&fixture->doctor, vm, 1);
}

static const char *member(struct json_object *finding, const char *key)
{
    return json_object_get_string(json_object_object_get(finding, key));
}

static void assert_found(const struct fixture *fixture, const char *check, const char *state,
                         const char *text, const char *advice)
{
    size_t count = json_object_array_length(fixture->doctor.findings);

    for (size_t i = 0; i < count; i++) {
        struct json_object *finding = json_object_array_get_idx(fixture->doctor.findings, i);

        if (strcmp(member(finding, "check"), check) == 0 &&
            strcmp(member(finding, "state"), state) == 0 &&
            strstr(member(finding, "text"), text) != NULL &&
            strstr(member(finding, "advice"), advice) != NULL)
            return;
    }
    fail_msg("no finding \"%s\" is %s with \"%s\" and \"%s\" in %s", check, state, text, advice,
             json_object_to_json_string(fixture->doctor.findings));
}

#define HEAD(event)                                                                                \
    "{\"ts\":\"2026-11-21T11:30:00.000001Z\",\"event\":\"" event "\",\"vm_id\":\"" VM_ID "\","
#define CONNECTED                                                                                  \
    HEAD("GuestConnected") "\"init_version\":\"1.0\",\"release\":\"6.1\",\"same_boot\":false}\n"
#define OLD_KERNEL                                                                                 \
    HEAD("SwiotlbKernelUnsupported")                                                               \
    "\"reason\":\"kernel-too-old\",\"release\":\"5.10\",\"text\":\"the guest's kernel does not "   \
    "know hv_pci_swiotlb\",\"advice\":\"update the guest's kernel, or set swiotlb to off\"}\n"
#define NOT_MADE                                                                                   \
    HEAD("SwiotlbKernelUnsupported")                                                               \
    "\"reason\":\"allocation-failed\",\"release\":\"6.1\",\"text\":\"the guest's kernel could "    \
    "not "                                                                                         \
    "reserve its SWIOTLB pool below 4 GiB\",\"advice\":\"give the VM more memory, or set swiotlb " \
    "to a smaller size\"}\n"
#define REFUSED HEAD("ProtocolError") "\"reason\":\"version\",\"status\":1}\n"

static void write_text(const struct fixture *fixture, const char *name, const char *text)
{
    write_bytes(fixture, name, text, strlen(text));
}

static void test_the_likeliest_failures_are_found(void **state)
{
    static const char *const line[] = {"/usr/bin/qemu-system-x86_64",
                                       "-qmp",
                                       "QMP",
                                       "-device",
                                       "vhost-vsock-pci,guest-cid=8",
                                       "-device",
                                       "pcie-root-port,id=rp1,chassis=1",
                                       "-m",
                                       "2G",
                                       ""};
    struct fixture fixture;

    (void)state;
    set_up_folder(&fixture);
    read_config(&fixture, "/nonexistent/src", "/nonexistent/virtiofsd");
    write_command_line(&fixture, line);
    write_text(&fixture, "telemetry", CONNECTED OLD_KERNEL REFUSED);
    look(&fixture, "/nonexistent/vhost-vsock");
    assert_found(&fixture, "vsock", "wrong", "/nonexistent/vhost-vsock: No such file",
                 "modprobe vhost_vsock");
    assert_found(&fixture, "cid", "wrong", "QEMU's CID is 8, the configuration says 7",
                 "guest-cid=7");
    assert_found(&fixture, "share", "wrong", "share src: /nonexistent/src: No such file",
                 "create that directory");
    assert_found(&fixture, "virtiofsd", "wrong", "/nonexistent/virtiofsd", "install virtiofsd");
    assert_found(&fixture, "qmp", "wrong", "/qmp: No such file", "-qmp unix:");
    assert_found(&fixture, "memory", "wrong", "does not share the guest's memory",
                 "memory-backend-memfd,id=mem,size=2048M,share=on");
    assert_found(&fixture, "ports", "wrong", "1 PCIe root ports for 2 devices",
                 "-device pcie-root-port");
    assert_found(&fixture, "loopback", "note", "(process 42) is not in guestlink-vm@.service",
                 "\"host_loopback\": true");
    assert_found(&fixture, "version", "wrong", "another version of the protocol",
                 "guestlink-mkinitramfs");
    assert_found(&fixture, "kernel", "wrong", "does not know hv_pci_swiotlb (kernel 5.10)",
                 "update the guest's kernel");
    assert_true(fixture.doctor.wrong);
    tear_down_folder(&fixture);
}

/* The daemon, which is root, may look where a member of its group may not. */
static void test_a_folder_that_we_may_not_look_at_is_not_missing(void **state)
{
    uid_t user = geteuid();
    struct fixture fixture;
    char share[128];

    (void)state;
    set_up_folder(&fixture);
    (void)snprintf(share, sizeof(share), "%s/42/src", fixture.folder);
    assert_int_equal(mkdir(share, 0700), 0);
    read_config(&fixture, share, "/bin/true");
    (void)snprintf(share, sizeof(share), "%s/42", fixture.folder);
    assert_int_equal(chmod(share, 0), 0);
    if (user == 0)
        assert_int_equal(seteuid(65534), 0);
    doctor_look_at_shares(&fixture.doctor, &fixture.config->vms[0]);
    assert_int_equal(seteuid(user), 0);
    assert_int_equal(chmod(share, 0700), 0);
    assert_found(&fixture, "share", "unknown", "/42/src: Permission denied",
                 "run guestlinkctl doctor as root");
    assert_false(fixture.doctor.wrong);
    tear_down_folder(&fixture);
}

static void test_a_pool_that_was_not_made_is_found(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up_folder(&fixture);
    read_config(&fixture, "/tmp", "/bin/true");
    write_text(&fixture, "telemetry", CONNECTED NOT_MADE);
    look(&fixture, "/dev/null");
    assert_found(&fixture, "allocation", "wrong", "could not reserve its SWIOTLB pool",
                 "give the VM more memory");
    assert_found(&fixture, "qemu", "unknown", "no process has", "");
    tear_down_folder(&fixture);
}

/* What guestlink-hostd says of the VM's only share. */
#define VIEW(aperture)                                                                             \
    "{\"device_host_up\": true, \"memory_bytes\": 536870912, \"capabilities\": "                   \
    "{\"swiotlb_size\": "                                                                          \
    "67108864}, \"shares\": [{\"tag\": \"src\", \"state\": \"in-use\", " aperture "}]}"

static void test_what_keeps_virtiofsd_from_memory_is_found(void **state)
{
    static const struct {
        const char *view, *udmabuf, *limit;
        enum config_aperture mode;
        const char *check, *state, *text, *advice;
    } cases[] = {
        {VIEW("\"aperture\": \"enforced\", \"aperture_bytes\": 67117056"), "/dev/null", "64",
         CONFIG_APERTURE_REQUIRE, "aperture", "right",
         "virtiofsd of share src can reach 64.0 MiB + 8 KiB of 512 MiB (enforced by the kernel)",
         ""},
        {VIEW("\"aperture\": \"narrowed\", \"aperture_bytes\": 67117056, \"aperture_reason\": "
              "\"for want\""),
         "/dev/null", "64", CONFIG_APERTURE_AUTO, "aperture", "note",
         "can reach 64.0 MiB + 8 KiB of 512 MiB (by request; not enforced): for want", "fix that"},
        {VIEW("\"aperture\": \"none\", \"aperture_reason\": \"for want\""), "/dev/null", "64",
         CONFIG_APERTURE_AUTO, "aperture", "note", "can reach all of 512 MiB: for want", ""},
        {VIEW("\"aperture\": \"\""), "/dev/null", "64", CONFIG_APERTURE_AUTO, "udmabuf", "right",
         "/dev/null exists; dma-bufs have up to 64 MiB", ""},
        {VIEW("\"aperture\": \"\""), "/dev/null", "15", CONFIG_APERTURE_AUTO, "udmabuf", "note",
         "a pool of 64 MiB takes more than 4 dma-bufs of 15 MiB", "size_limit_mb="},
        {VIEW("\"aperture\": \"\""), "/nonexistent/udmabuf", "64", CONFIG_APERTURE_AUTO, "udmabuf",
         "note", "/nonexistent/udmabuf: No such file", "modprobe udmabuf"},
        {VIEW("\"aperture\": \"\""), "/nonexistent/udmabuf", "64", CONFIG_APERTURE_REQUIRE,
         "udmabuf", "wrong", "/nonexistent/udmabuf: No such file", "modprobe udmabuf"},
        {VIEW("\"aperture\": \"\""), "/dev/null", "64", CONFIG_APERTURE_OFF, "aperture", "note",
         "\"aperture\" is \"off\"", "remove \"aperture\""},
        {"{}", "/dev/null", "64", CONFIG_APERTURE_AUTO, "aperture", "note", "the VM has no pool",
         "\"swiotlb\": \"64M\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;

        set_up_folder(&fixture);
        read_config(&fixture, "/tmp", "/bin/true");
        fixture.config->vms[0].aperture = cases[i].mode;
        if (strcmp(cases[i].view, "{}") == 0)
            fixture.config->vms[0].swiotlb = CONFIG_SWIOTLB_OFF;
        fixture.udmabuf = cases[i].udmabuf;
        fixture.view = json_tokener_parse(cases[i].view);
        write_text(&fixture, "telemetry", "");
        write_text(&fixture, "limit", cases[i].limit);
        look(&fixture, "/dev/null");
        assert_found(&fixture, cases[i].check, cases[i].state, cases[i].text, cases[i].advice);
        json_object_put(fixture.view);
        tear_down_folder(&fixture);
    }
}

#define NESTED(outer, outer_error, inner, inner_error)                                             \
    "{\"shares\": [{\"tag\": \"inner\", \"target\": \"/mnt/n/s\", \"state\": \"" inner "\", "      \
    "\"error\": \"" inner_error "\"}, {\"tag\": \"beside\", \"target\": \"/mnt/nn\", \"state\": "  \
    "\"in-use\", \"error\": \"\"}, {\"tag\": \"outer\", \"target\": \"/mnt/n\", \"state\": "       \
    "\"" outer "\", \"error\": \"" outer_error "\"}]}"

static void test_shares_in_shares_are_told(void **state)
{
    static const struct {
        const char *view, *check, *state, *text;
    } cases[] = {
        {NESTED("in-use", "", "in-use", ""), "nested", "right",
         "share inner is mounted at /mnt/n/s, in share outer"},
        {NESTED("failed", "no folder", "in-use", ""), "nested", "note",
         "share outer around it is not (failed)"},
        {NESTED("adding", "it was killed", "waiting", "outer was lost"), "nested", "note",
         "share inner, in share outer (adding), is not mounted (waiting)"},
        {NESTED("adding", "it was killed", "waiting", "outer was lost"), "lost", "wrong",
         "share outer was lost: it was killed"},
        {NESTED("adding", "it was killed", "waiting", "outer was lost"), "lost", "wrong",
         "share inner was lost: outer was lost"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_object *view = json_tokener_parse(cases[i].view);
        struct fixture fixture;

        set_up_folder(&fixture);
        read_config(&fixture, "/tmp", "/bin/true");
        doctor_look_at_nested(&fixture.doctor, &fixture.config->vms[0], view);
        assert_found(&fixture, cases[i].check, cases[i].state, cases[i].text, "");
        assert_int_equal(json_object_array_length(fixture.doctor.findings),
                         strcmp(cases[i].check, "lost") == 0 || i == 2 ? 3 : 1);
        json_object_put(view);
        tear_down_folder(&fixture);
    }
}

static void test_memory_that_no_dma_buf_is_made_of_is_found(void **state)
{
    static const char *const objects[] = {
        "memory-backend-memfd,id=mem,size=2G,share=on,seal=off",
        "memory-backend-file,id=mem,size=2G,share=on,mem-path=/dev/shm/x"};

    (void)state;
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        const char *const line[] = {
            "qemu-system-x86_64",     "-qmp", "QMP", "-object", objects[i], "-machine",
            "q35,memory-backend=mem", ""};
        struct fixture fixture;

        set_up_folder(&fixture);
        read_config(&fixture, "/tmp", "/bin/true");
        write_command_line(&fixture, line);
        write_text(&fixture, "telemetry", "");
        look(&fixture, "/dev/null");
        assert_found(&fixture, "memory", "note", "not in a sealed memfd",
                     "memory-backend-memfd,id=mem,size=2048M,share=on");
        tear_down_folder(&fixture);
    }
}

#define RAM "-machine", "q35,memory-backend=mem"
#define MEM "-object", "memory-backend-memfd,id=mem,size=2G,share=on"

/* What is the guest's RAM decides, in each of QEMU's forms, and nothing else does. */
static void test_all_of_the_ram_has_to_be_shared(void **state)
{
    static const struct {
        const char *state, *text, *words[14];
    } cases[] = {
        {"wrong",
         "does not share",
         {"-m", "2G", "-object", "memory-backend-memfd,id=iv,size=1M,share=on", "-device",
          "ivshmem-plain,memdev=iv", ""}},
        {"wrong",
         "does not share",
         {"-machine", "q35,nvdimm=on", "-object", "memory-backend-memfd,id=nv,size=1G,share=on",
          "-device", "nvdimm,memdev=nv", ""}},
        {"wrong",
         "memory backend b,",
         {"-object", "memory-backend-memfd,id=a,size=1G,share=on", "-object",
          "memory-backend-memfd,id=b,size=1G,share=off", "-numa", "node,memdev=a", "-numa",
          "node,nodeid=1,memdev=b", ""}},
        {"wrong",
         "memory backend more,",
         {RAM, MEM, "-object", "memory-backend-ram,id=more,size=1G", "-device",
          "pc-dimm,id=d,memdev=more", ""}},
        {"wrong",
         "memory backend more,",
         {RAM, MEM, "-object", "memory-backend-ram,id=more,size=1G", "-device",
          "{\"driver\":\"virtio-mem-pci\",\"memdev\":\"more\"}", ""}},
        {"wrong",
         "memory backend mem,",
         {RAM, "-object", "memory-backend-ram,id=mem,size=2G", "-object",
          "memory-backend-memfd,id=memory,size=1M,share=on", ""}},
        {"right",
         "QEMU shares",
         {RAM, MEM, "-object", "memory-backend-ram,id=iv,size=1M", "-device",
          "ivshmem-plain,memdev=iv", ""}},
        {"right", "QEMU shares", {RAM, "-object", "memory-backend-memfd,id=mem,size=2G", ""}},
        {"right",
         "QEMU shares",
         {"-machine", "pc-q35-7.2,memory-backend=pc.ram", "-object",
          "{\"qom-type\":\"memory-backend-memfd\",\"id\":\"pc.ram\",\"share\":true,\"size\":1}",
          ""}},
        {"wrong",
         "memory backend pc.ram,",
         {"-machine", "memory-backend=pc.ram", "-object",
          "{\"qom-type\":\"memory-backend-memfd\",\"id\":\"pc.ram\",\"share\": false}", ""}},
        {"right",
         "QEMU shares",
         {"-object", "memory-backend-memfd,id=a,size=1G,share=on", "-object",
          "memory-backend-memfd,id=b,size=1G", "-numa", "node,memdev=a", "-numa",
          "node,nodeid=1,memdev=b", ""}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *line[20] = {"qemu-system-x86_64", "-qmp", "QMP"};
        struct fixture fixture;

        for (size_t k = 0; k < 14 && cases[i].words[k]; k++)
            line[3 + k] = cases[i].words[k];
        set_up_folder(&fixture);
        read_config(&fixture, "/tmp", "/bin/true");
        write_command_line(&fixture, line);
        write_text(&fixture, "telemetry", "");
        look(&fixture, "/dev/null");
        assert_found(&fixture, "memory", cases[i].state, cases[i].text, "");
        tear_down_folder(&fixture);
    }
}

/* What the daemon adds, and no more, needs a port. */
static void test_devices_are_counted_as_the_daemon_adds_them(void **state)
{
    static const char *const line[] = {"qemu", "-qmp", "QMP", ""};
    struct config_share shares[] = {
        {.path = (char *)"/a"},
        {.path = (char *)"/a"}, /* the same device */
        {.path = (char *)"/a", .read_only = true},
        {.path = (char *)"/a", .serving.xattr = true},
        {.path = (char *)"/b", .transport = CONFIG_TRANSPORT_9P},
        {.path = (char *)"/b"},
        {.path = (char *)"/a", .transport = CONFIG_TRANSPORT_VIRTIOFS},
    };
    struct fixture fixture;
    struct config_vm vm;

    (void)state;
    set_up_folder(&fixture);
    read_config(&fixture, "/tmp", "/bin/true");
    vm = fixture.config->vms[0];
    assert_int_equal(doctor_count_devices(fixture.config, &vm), 2);
    vm.shares = shares;
    vm.share_count = sizeof(shares) / sizeof(shares[0]);
    assert_int_equal(doctor_count_virtiofs(fixture.config, &vm), 4);
    assert_int_equal(doctor_count_devices(fixture.config, &vm), 5);
    vm.networking = CONFIG_NETWORKING_NAT; /* the VMM's own adapters */
    assert_int_equal(doctor_count_devices(fixture.config, &vm), 4);
    vm.virtio = false;
    assert_int_equal(doctor_count_devices(fixture.config, &vm), 0);
    write_command_line(&fixture, line);
    fixture.config->vms[0].networking = CONFIG_NETWORKING_NONE;
    look(&fixture, "/dev/null");
    assert_found(&fixture, "ports", "wrong", "0 PCIe root ports for 1 devices", "");
    tear_down_folder(&fixture);
}

static int listen_for_qmp(const struct fixture *fixture)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/qmp", fixture->folder);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void test_another_client_of_qmp_is_found(void **state)
{
    struct fixture fixture;
    int fd;

    (void)state;
    set_up_folder(&fixture);
    read_config(&fixture, "/tmp", "/bin/true");
    write_text(&fixture, "telemetry", "");
    fd = listen_for_qmp(&fixture);
    look(&fixture, "/dev/null");
    assert_found(&fixture, "qmp", "wrong", "another client is connected", "its own socket");
    (void)close(fd);
    tear_down_folder(&fixture);
}

/* A later boot that is well is what counts, not the trouble before it. */
static void test_nothing_is_found_where_nothing_is_wrong(void **state)
{
    static const char *const line[] = {"qemu-system-x86_64",
                                       "-qmp",
                                       "QMP",
                                       "-device",
                                       "vhost-vsock-pci,guest-cid=7,vhostfd=3",
                                       "-object",
                                       "memory-backend-memfd,id=mem,size=2G,share=on",
                                       "-machine",
                                       "q35,memory-backend=mem",
                                       "-device",
                                       "pcie-root-port,id=rp0,chassis=9",
                                       "-device",
                                       "virtio-blk-pci,bus=rp0",
                                       "-device",
                                       "pcie-root-port,id=rp1,chassis=1",
                                       "-device",
                                       "pcie-root-port,id=rp2,chassis=2",
                                       ""};
    static const char greeting[] = "{\"QMP\": {}}\r\n";
    struct fixture fixture;
    int fd, client;

    (void)state;
    set_up_folder(&fixture);
    read_config(&fixture, "/tmp", "/bin/true");
    write_command_line(&fixture, line);
    write_text(&fixture, "42/cgroup",
               "0::/system.slice/system-guestlink\\x2dvm.slice/guestlink-vm@dev.service\n");
    write_text(&fixture, "telemetry", REFUSED OLD_KERNEL CONNECTED "broken\n");
    fd = listen_for_qmp(&fixture);
    if (fork() == 0) {
        client = accept(fd, NULL, NULL);
        (void)!write(client, greeting, sizeof(greeting) - 1);
        _exit(0);
    }
    look(&fixture, "/dev/null");
    assert_found(&fixture, "ports", "right", "2 PCIe root ports for 2 devices", "");
    assert_found(&fixture, "cid", "right", "is 7", "");
    assert_found(&fixture, "memory", "right", "shares", "");
    assert_found(&fixture, "qmp", "right", "answers", "");
    assert_found(&fixture, "loopback", "right", "QEMU's unit keeps", "");
    assert_found(&fixture, "version", "right", "1.0", "");
    assert_found(&fixture, "allocation", "right", "6.1", "");
    assert_false(fixture.doctor.wrong);
    assert_true(wait(NULL) > 0);
    (void)close(fd);
    tear_down_folder(&fixture);
}

/* Without a daemon by QEMU's greeting, else by what the daemon says. */
static void test_a_qemu_that_is_too_old_for_passt_is_found(void **state)
{
    static const struct {
        const char *greeting, *view, *state, *text, *advice;
    } cases[] = {
        {"{\"QMP\": {\"version\": {\"qemu\": {\"minor\": 2, \"major\": 7}}}}\r\n", NULL, "wrong",
         "QEMU 7.2 does not support", "install QEMU 10.0"},
        {"{\"QMP\": {\"version\": {\"qemu\": {\"minor\": 0, \"major\": 10}}}}\r\n", NULL, "right",
         "QEMU 10.0 supports", ""},
        {"{\"QMP\": {}}\r\n", NULL, "unknown", "is unknown", ""},
        {"no JSON", NULL, "unknown", "is unknown", ""},
        {NULL, "{\"device_host_up\": true, \"device_host_version\": \"9.2\"}", "wrong",
         "QEMU 9.2 does not support", "restart the VM"},
        {NULL, "{\"device_host_up\": true, \"device_host_version\": \"11.1\"}", "right",
         "QEMU 11.1 supports", ""},
        {NULL, "{\"device_host_up\": false}", "unknown", "is unknown", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;
        struct json_object *view = cases[i].view ? json_tokener_parse(cases[i].view) : NULL;
        int fd;

        set_up_folder(&fixture);
        read_config(&fixture, "/tmp", "/bin/true");
        fixture.doctor.places = DOCTOR_PLACES;
        fixture.doctor.places.proc = fixture.folder;
        fixture.config->vms[0].networks[0].backend = CONFIG_BACKEND_PASST;
        fd = listen_for_qmp(&fixture);
        if (cases[i].greeting && fork() == 0) {
            int client = accept(fd, NULL, NULL);

            (void)!write(client, cases[i].greeting, strlen(cases[i].greeting));
            _exit(0);
        }
        doctor_look_at_qemu(&fixture.doctor, &fixture.config->vms[0], view);
        assert_found(&fixture, "qemu-version", cases[i].state, cases[i].text, cases[i].advice);
        if (cases[i].greeting)
            assert_true(wait(NULL) > 0);
        json_object_put(view);
        (void)close(fd);
        tear_down_folder(&fixture);
    }
}

/* Its unit is newer than it is. */
static void test_a_qemu_of_before_an_upgrade_is_found(void **state)
{
    static const char *const line[] = {"qemu-system-x86_64", "-qmp", "QMP", ""};
    struct fixture fixture;

    (void)state;
    set_up_folder(&fixture);
    read_config(&fixture, "/tmp", "/bin/true");
    write_command_line(&fixture, line);
    write_text(&fixture, "42/cgroup", "0::/guestlink-vm@dev.service\n");
    look(&fixture, "/dev/null");
    assert_found(&fixture, "loopback", "note", "(process 42) was started before an upgrade",
                 "restart the VM");
    tear_down_folder(&fixture);
}

/* Where there is no configuration. */
static void test_a_host_is_looked_at_without_a_configuration(void **state)
{
    static const char *const checks[] = {"kvm", "vsock", "udmabuf"};

    (void)state;
    for (unsigned missing = 0; missing < 8; missing++) {
        struct fixture fixture;
        const char *devices[3];

        for (unsigned i = 0; i < 3; i++)
            devices[i] = (missing & (1u << i)) ? "/nonexistent/device" : "/dev/null";
        set_up_folder(&fixture);
        fixture.doctor.findings = json_object_new_array();
        fixture.doctor.places = (struct doctor_places){
            .kvm = devices[0], .vhost_vsock = devices[1], .udmabuf = devices[2]};
        doctor_look_at_machine(&fixture.doctor);
        for (unsigned i = 0; i < 3; i++)
            if (missing & (1u << i))
                assert_found(&fixture, checks[i], "note", "/nonexistent/device: No such file",
                             "modprobe");
            else
                assert_found(&fixture, checks[i], "right", "/dev/null exists", "");
        assert_false(fixture.doctor.wrong);
        tear_down_folder(&fixture);
    }
}

#define SHARE(tag, path, configured)                                                               \
    "{\"tag\": \"" tag "\", \"path\": \"" path "\", \"target\": \"/mnt/" tag                       \
    "\", \"read_only\": false, \"transport\": \"virtiofs\", \"configured\": " configured "}"

static void add_view(struct fixture *fixture, const char *text)
{
    struct json_object *view = json_tokener_parse(text);

    assert_non_null(view);
    doctor_add_view(fixture->config, view);
    json_object_put(view);
}

/* Shares that were added at runtime; a share that the file has no longer is not one. */
static void test_what_was_added_at_runtime_is_looked_at(void **state)
{
    struct fixture fixture;
    const struct config_vm *vm;

    (void)state;
    set_up_folder(&fixture);
    read_config(&fixture, "/tmp", "/bin/true");
    vm = &fixture.config->vms[0];
    add_view(&fixture,
             "{\"id\": \"" VM_ID
             "\", \"name\": \"dev\", \"shares\": [" SHARE("src", "/tmp", "true") "," SHARE(
                 "late", "/nonexistent/late", "false") "," SHARE("removed", "/tmp", "true") "]}");
    assert_int_equal(fixture.config->vm_count, 1);
    assert_int_equal(vm->share_count, 2);
    doctor_look_at_shares(&fixture.doctor, vm);
    assert_found(&fixture, "share", "right", "share src: /tmp exists", "");
    assert_found(&fixture, "share", "wrong", "share late: /nonexistent/late: No such file",
                 "guestlinkctl share remove");
    tear_down_folder(&fixture);
}

/* VMs that the file has not: a domain that libvirt has, and another. */
static void test_vms_of_the_daemon_are_looked_at(void **state)
{
    static const struct {
        const char *domain;
        enum config_device_host_type type;
    } cases[] = {{"the-domain", CONFIG_DEVICE_HOST_LIBVIRT}, {"", CONFIG_DEVICE_HOST_NONE}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;
        const struct config_vm *vm;
        char text[2048];

        set_up_folder(&fixture);
        read_config(&fixture, "/tmp", "/bin/true");
        (void)snprintf(
            text, sizeof(text),
            "{\"id\": \"11111111-2222-3333-4444-555555555555\", \"name\": \"found\","
            "\"cid\": 9, \"socket\": \"\", \"memory_bytes\": 2147483648, \"aperture\": "
            "\"require\", \"domain\": \"%s\", \"shares\": [" SHARE(
                "a", "/nonexistent/a", "true") "," SHARE("b", "/nonexistent/b", "false") "]}",
            cases[i].domain);
        add_view(&fixture, text);
        add_view(&fixture, text); /* the second time, the VM is known */
        assert_int_equal(fixture.config->vm_count, 2);
        vm = &fixture.config->vms[1];
        assert_string_equal(vm->name, "found");
        assert_int_equal(vm->cid, 9);
        assert_int_equal(vm->memory, UINT64_C(2) << 30);
        assert_int_equal(vm->aperture, CONFIG_APERTURE_REQUIRE);
        assert_int_equal(vm->device_host.type, cases[i].type);
        if (cases[i].domain[0] != '\0')
            assert_string_equal(vm->device_host.domain, cases[i].domain);
        assert_int_equal(vm->share_count, 2);
        doctor_look_at_shares(&fixture.doctor, vm);
        assert_found(&fixture, "share", "wrong", "share a: ", "fix \"path\"");
        assert_found(&fixture, "share", "wrong", "share b: ", "guestlinkctl share remove");
        tear_down_folder(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_qemu_of_before_an_upgrade_is_found),
        cmocka_unit_test(test_a_qemu_that_is_too_old_for_passt_is_found),
        cmocka_unit_test(test_the_likeliest_failures_are_found),
        cmocka_unit_test(test_a_host_is_looked_at_without_a_configuration),
        cmocka_unit_test(test_what_was_added_at_runtime_is_looked_at),
        cmocka_unit_test(test_vms_of_the_daemon_are_looked_at),
        cmocka_unit_test(test_a_folder_that_we_may_not_look_at_is_not_missing),
        cmocka_unit_test(test_a_pool_that_was_not_made_is_found),
        cmocka_unit_test(test_devices_are_counted_as_the_daemon_adds_them),
        cmocka_unit_test(test_another_client_of_qmp_is_found),
        cmocka_unit_test(test_what_keeps_virtiofsd_from_memory_is_found),
        cmocka_unit_test(test_shares_in_shares_are_told),
        cmocka_unit_test(test_memory_that_no_dma_buf_is_made_of_is_found),
        cmocka_unit_test(test_all_of_the_ram_has_to_be_shared),
        cmocka_unit_test(test_nothing_is_found_where_nothing_is_wrong),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
