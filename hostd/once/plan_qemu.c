/* plan: QEMU's side of a run. */
#include "plan.h"

#include "base/program.h"
#include "config/policy.h"
#include "ctl/say.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Where guestlink-init finds the daemon; and QEMU. */
#define PORT "org.guestlink.0"

/* QEMU 7.2's emulation at times leaves garbage in the flags behind a cmpxchg16b, of which a kernel
 * of these days dies. */
#define EMULATED_CPU "max,-cx16"

/* What takes an emulated guest time and gives it nothing: there is no speculation to guard against,
 * and ciphers are tested in no other boot either. */
#define EMULATED "mitigations=off cryptomgr.notests "

/* True if the processor can do it and this user may: a machine inside another one may have the
 * device and no such processor, and its guests then hang. */
static bool kvm_is_usable(void)
{
    char line[4096];
    bool able = false;
    FILE *file = fopen("/proc/cpuinfo", "re");

    while (file != NULL && !able && fgets(line, sizeof(line), file) != NULL)
        able = strncmp(line, "flags", 5) == 0 &&
               (strstr(line, " vmx") != NULL || strstr(line, " svm") != NULL);
    if (file != NULL)
        (void)fclose(file);
    return able && access("/dev/kvm", R_OK | W_OK) == 0;
}

static void tell(void *userdata, const char *remark)
{
    (void)userdata;
    say_error("%s", remark);
}

/* What the daemon would have the guest's kernel told of a pool. @return 0, or -EINVAL after saying
 * why it would refuse its configuration */
static int add_pool(struct json_object *json, char *line, size_t capacity)
{
    size_t size;
    const char *text = json_object_to_json_string_length(json, JSON_C_TO_STRING_PLAIN, &size);
    struct config *config = NULL;
    char words[256];
    struct policy policy;

    if (config_parse(text, size, "guestlink run", tell, tell, NULL, &config) != 0)
        return -EINVAL;
    policy = policy_decide(config, &config->vms[0], tell, NULL);
    /* Without guestlink.host=, the first: it is another here. */
    if (policy_format_cmdline(&policy, 1, words, sizeof(words)) == 0 && strchr(words, ' ') != NULL)
        (void)snprintf(line + strlen(line), capacity - strlen(line), "%s", strchr(words, ' '));
    (void)config_free(config);
    return 0;
}

static bool has_kvm(const struct request *request)
{
    const char *wanted = request->accelerator;

    return wanted == NULL || strcmp(wanted, "auto") == 0 ? kvm_is_usable()
                                                         : strcmp(wanted, "kvm") == 0;
}

/* The kernel's command line. What no option needs is not loaded: each module costs time. */
static int make_line(const struct plan *plan, struct json_object *config, char *line,
                     size_t capacity)
{
    const struct request *request = plan->request;
    bool shares = request->share_count > 0 || request->root != NULL;

    (void)snprintf(
        line, capacity,
        "console=ttyS0 %soops=panic panic=-1 %sguestlink.host=virtio-port:" PORT
        " guestlink.modules=virtio_pci,virtio_console%s%s%s%s",
        request->verbose ? "" : "quiet ", has_kvm(request) ? "" : EMULATED,
        shares ? ",virtiofs" : "", request->root != NULL && !request->root_rw ? ",overlay" : "",
        request->net ? ",virtio_net" : "", request->disk_count > 0 ? ",virtio_blk,ext4" : "");
    return add_pool(config, line, capacity);
}

/* A path inside of an option of QEMU's: a comma there ends the value. */
static const char *escape(const char *path, char buffer[2 * LIMITS_PATH])
{
    size_t used = 0;

    for (; *path != '\0' && used < 2 * LIMITS_PATH - 3; path++) {
        if (*path == ',')
            buffer[used++] = ',';
        buffer[used++] = *path;
    }
    buffer[used] = '\0';
    return buffer;
}

/* "-OPTION VALUE", in two words. */
#define add(words, option, ...) (words_add(words, "-" option), words_add(words, __VA_ARGS__))

static void add_disks(const struct request *request, struct words *words)
{
    char path[2 * LIMITS_PATH];

    for (size_t i = 0; i < request->disk_count; i++) {
        add(words, "drive", "file=%s,if=none,id=disk%zu,format=%s", escape(request->disks[i], path),
            i, request->is_qcow2[i] ? "qcow2" : "raw");
        add(words, "device", "virtio-blk-pci,drive=disk%zu,serial=disk%zu", i, i);
    }
}

static void add_network(const struct request *request, struct words *words)
{
    char forwards[REQUEST_PUBLISH * (CONFIG_PUBLISH_HOSTFWD + 16)] = "";

    for (size_t i = 0; i < request->forward_count; i++)
        (void)snprintf(forwards + strlen(forwards), sizeof(forwards) - strlen(forwards),
                       ",hostfwd=%s", request->forwards[i]);
    if (!request->net)
        return;
    add(words, "netdev", "user,id=eth0%s", forwards);
    add(words, "device", "virtio-net-pci,netdev=eth0,mac=52:54:00:12:34:56");
}

static void add_machine(const struct plan *plan, struct words *words)
{
    const struct request *request = plan->request;
    unsigned long long mib = request->memory >> 20;
    bool kvm = has_kvm(request);

    words_add(words, "%s", request->qemu);
    words_add(words, "-nodefaults");
    words_add(words, "-no-user-config");
    words_add(words, "-no-reboot"); /* a guest that panics ends */
    add(words, "display", "none");
    add(words, "sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    add(words, "machine", "q35,accel=%s,memory-backend=mem", kvm ? "kvm" : "tcg");
    add(words, "cpu", kvm ? "host" : EMULATED_CPU);
    add(words, "smp", "%u", request->cpus);
    add(words, "m", "%lluM", mib);
    add(words, "object", "memory-backend-memfd,id=mem,size=%lluM,share=on", mib);
}

/* How QEMU is told to connect again after a second: QEMU 9.2 has a new name for it, 10.2 no longer
 * has the old one. A script does not tell which QEMU it starts: then a connection that the daemon
 * closes (a guest that stood still too long) stays closed. */
static const char *reconnect_option(const char *qemu)
{
    char path[LIMITS_PATH];

    if (program_find(qemu, path, sizeof(path)) < 0 || !program_knows(path, ELFMAG))
        return "";
    return program_knows(path, "reconnect-ms") ? ",reconnect-ms=1000" : ",reconnect=1";
}

int plan_make_qemu(const struct plan *plan, struct json_object *config, struct words *words)
{
    const struct request *request = plan->request;
    char folder[2 * LIMITS_PATH], line[1024];
    size_t ports = request->share_count + (request->root != NULL);
    int r = make_line(plan, config, line, sizeof(line));

    if (r < 0)
        return r;
    (void)escape(plan->folder, folder);
    add_machine(plan, words);
    add(words, "kernel", "%s", plan->kernel->image);
    add(words, "initrd", "%s", plan->image);
    add(words, "append", "%s", line);
    add(words, "chardev", "file,id=console,path=/dev/fd/%d", PLAN_CONSOLE_FD);
    add(words, "serial", "chardev:console");
    add(words, "qmp", "unix:%s/" FOLDER_QMP ",server=on,wait=off", folder);
    add(words, "chardev", "socket,id=guestlink,path=%s/" FOLDER_GUEST "%s", folder,
        reconnect_option(request->qemu));
    words_add(words, "-device");
    words_add(words, "virtio-serial-pci");
    add(words, "device", "virtserialport,chardev=guestlink,name=" PORT);
    for (size_t i = 1; i <= ports; i++)
        add(words, "device", "pcie-root-port,id=port%zu,chassis=%zu", i, i);
    add_disks(request, words);
    add_network(request, words);
    return words->failed ? -ENOMEM : 0;
}
