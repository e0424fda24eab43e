/* doctor, its part that looks at a domain of libvirt's, as its live XML has it. */
#include "doctor.h"

#include "base/json.h"
#include "base/program.h"
#include "command.h"
#include "config/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_MAX  ((size_t)256 * 1024)
#define PATIENCE_MS 15000

/* ---- what guestlink-libvirt says */

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads to the end, or until PATIENCE_MS are over. The buffer has a NUL behind the bytes. @return
 * true: that was the end */
static bool read_all(int fd, char *buffer, size_t *ret_size)
{
    int64_t end = now_ms() + PATIENCE_MS;
    bool ended = false;
    size_t size = 0;

    for (int64_t left = PATIENCE_MS; !ended && left > 0 && size < OUTPUT_MAX;
         left = end - now_ms()) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&wait, 1, (int)left) <= 0)
            continue;
        n = read(fd, buffer + size, OUTPUT_MAX - size);
        ended = n <= 0;
        size += n > 0 ? (size_t)n : 0;
    }
    buffer[size] = '\0';
    *ret_size = size;
    return ended;
}

static int start(const char *program, const struct config_vm *vm, int output, pid_t *ret_pid)
{
    char *argv[] = {(char *)program, (char *)"--describe", vm->device_host.uri,
                    vm->device_host.domain, NULL};
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);

    if (r != 0)
        return r;
    r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    if (r == 0)
        r = posix_spawn(ret_pid, program, &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return r;
}

/* @param text  of OUTPUT_MAX + 1 bytes: what it said, if it is no description
 * @return the description, or NULL */
static struct json_object *describe(const char *program, const struct config_vm *vm, char *text)
{
    struct json_object *description = NULL;
    int pipe_ends[2], status = 1, r;
    bool ended;
    size_t size;
    pid_t pid;

    text[0] = '\0';
    if (pipe2(pipe_ends, O_CLOEXEC) < 0)
        return NULL;
    r = start(program, vm, pipe_ends[1], &pid);
    (void)close(pipe_ends[1]);
    if (r != 0)
        (void)snprintf(text, OUTPUT_MAX, "cannot start %s: %s", program, strerror(r));
    if (r == 0) {
        ended = read_all(pipe_ends[0], text, &size);
        if (!ended) /* it hangs, and a call of libvirt's cannot be cancelled; or it is endless */
            (void)kill(pid, SIGKILL);
        if (size == 0)
            (void)snprintf(text, OUTPUT_MAX, "%s",
                           ended ? "guestlink-libvirt exited without an answer"
                                 : "no answer within 15 s");
        (void)waitpid(pid, &status, 0);
        if (status == 0)
            description = json_parse_object(text, size, 8);
    }
    (void)close(pipe_ends[0]);
    text[strcspn(text, "\n")] = '\0';
    return description;
}

/* ---- what is right and wrong about it */

static void look_at_memory(struct doctor *doctor, const struct config_vm *vm,
                           struct json_object *memory)
{
    bool shared = command_flag(memory, "shared");
    uint64_t cells = command_number(memory, "cells");
    bool sealed = strcmp(command_text(memory, "source"), "memfd") == 0;

    if (!shared)
        doctor_find(doctor, DOCTOR_WRONG, "memory", vm->name,
                    "give the domain <memoryBacking><source type='memfd'/><access "
                    "mode='shared'/></memoryBacking> and start it again",
                    "the domain does not share the guest's memory; virtiofs and passt cannot work");
    else if (cells == 0 || command_number(memory, "cells_shared") < cells)
        doctor_find(
            doctor, DOCTOR_WRONG, "memory", vm->name,
            "give the domain a NUMA cell: <cpu><numa><cell id='0' cpus='…' memory='…' "
            "unit='KiB' memAccess='shared'/></numa></cpu>",
            "the domain has no NUMA cell with memAccess='shared': libvirt 9.0 forgets, when "
            "it is restarted, that the memory is shared, and attaches no share then");
    else if (vm->aperture != CONFIG_APERTURE_OFF && !sealed)
        doctor_find(doctor, vm->aperture == CONFIG_APERTURE_REQUIRE ? DOCTOR_WRONG : DOCTOR_NOTE,
                    "memory", vm->name, "give the domain's <memoryBacking> <source type='memfd'/>",
                    "the domain shares the guest's memory, but not in a memfd: the kernel "
                    "cannot keep virtiofsd or passt out of any of it");
    else
        doctor_find(doctor, DOCTOR_RIGHT, "memory", vm->name, "",
                    "the domain shares the guest's memory, as virtiofs and passt require");
}

static void look_at_ports(struct doctor *doctor, const struct config_vm *vm,
                          struct json_object *description)
{
    size_t devices = doctor_count_devices(doctor->config, vm);
    size_t there = json_count(json_member(description, "devices"));
    size_t ports = there + json_count(json_member(json_member(description, "ports"), "free"));

    if (devices <= ports)
        doctor_find(doctor, DOCTOR_RIGHT, "ports", vm->name, "",
                    "%zu PCIe root ports for %zu devices", ports, devices);
    else
        doctor_find(doctor, DOCTOR_WRONG, "ports", vm->name,
                    "give the domain a <controller type='pci' model='pcie-root-port'/> for each "
                    "device, and start it again",
                    "%zu PCIe root ports for %zu devices of the configuration; no free root port "
                    "is left for the rest",
                    ports, devices);
}

static bool has_channel(struct json_object *description)
{
    struct json_object *channels = json_member(description, "channels");

    for (size_t i = 0; i < json_count(channels); i++) {
        const char *name = json_as_text(json_element(channels, i), 256);

        if (name != NULL && strcmp(name, POLICY_CHANNEL) == 0)
            return true;
    }
    return false;
}

/* How its guest reaches the host. */
static void look_at_door(struct doctor *doctor, const struct config_vm *vm,
                         struct json_object *description)
{
    uint64_t cid = command_number(description, "cid");

    if (vm->cid != 0 && cid != vm->cid)
        doctor_find(doctor, DOCTOR_WRONG, "vsock", vm->name,
                    "give the domain <vsock model='virtio'><cid auto='no' address='…'/></vsock> "
                    "with the VM's \"cid\"",
                    "the VM has the CID %u, and the domain has %llu (0: none)", vm->cid,
                    (unsigned long long)cid);
    else if (vm->cid == 0 && !has_channel(description))
        doctor_find(doctor, DOCTOR_WRONG, "channel", vm->name,
                    "give the domain <channel type='unix'><source mode='connect' path='…'>"
                    "<reconnect enabled='yes' timeout='1'/></source><target type='virtio' "
                    "name='" POLICY_CHANNEL "'/></channel> with the VM's \"socket\"",
                    "the domain has no <channel> named " POLICY_CHANNEL
                    ", so its guest cannot reach the host");
    else
        doctor_find(doctor, DOCTOR_RIGHT, vm->cid != 0 ? "vsock" : "channel", vm->name, "",
                    "the domain's guest can reach the host");
}

/* True if a line of the file, which is no comment, names the folder. */
static bool names_folder(const char *path, const char *folder)
{
    FILE *stream = fopen(path, "re");
    char line[1024];
    bool found = false;

    while (stream != NULL && !found && fgets(line, sizeof(line), stream) != NULL)
        found = line[strspn(line, " \t")] != '#' && strstr(line, folder) != NULL;
    if (stream != NULL)
        (void)fclose(stream);
    return found;
}

static void look_at_apparmor(struct doctor *doctor, const struct config_vm *vm, size_t shares,
                             struct json_object *description)
{
    struct json_object *models = json_member(description, "security");
    const char *path = doctor->places.apparmor;
    char folder[4096], advice[8192];
    bool confined = false;

    for (size_t i = 0; i < json_count(models); i++) {
        const char *model = json_as_text(json_element(models, i), 64);

        confined = confined || (model != NULL && strcmp(model, "apparmor") == 0);
    }
    if (!confined || shares == 0)
        return;
    (void)snprintf(folder, sizeof(folder), "%.4000s/fs/", doctor->config->state_dir);
    (void)snprintf(advice, sizeof(advice),
                   "add the line `%s** rw,` to %s, and start the domain again", folder, path);
    if (names_folder(path, folder))
        doctor_find(doctor, DOCTOR_RIGHT, "apparmor", vm->name, "",
                    "AppArmor lets QEMU connect to the servers of the shares");
    else
        doctor_find(doctor, DOCTOR_WRONG, "apparmor", vm->name, advice,
                    "AppArmor confines the domain's QEMU, and %s has no line for %s: cannot "
                    "attach any share",
                    path, folder);
}

/* Pages that are taken away are other ones for the device's process (qemu/discard.h). */
static void look_at_balloon(struct doctor *doctor, const struct config_vm *vm,
                            struct json_object *description)
{
    if (command_flag(description, "discards") && vm->aperture != CONFIG_APERTURE_OFF)
        doctor_find(doctor, vm->aperture == CONFIG_APERTURE_REQUIRE ? DOCTOR_WRONG : DOCTOR_NOTE,
                    "balloon", vm->name, "give the domain <memballoon model='none'/>",
                    "the domain has a balloon, or virtio-mem: after QEMU discards a page, the "
                    "guest and a device's process would use different memory");
}

/* Of direct kernel boot: the words that the guest's kernel needs. */
static void look_at_cmdline(struct doctor *doctor, const struct config_vm *vm,
                            struct json_object *description)
{
    struct policy policy = policy_decide(doctor->config, vm, NULL, NULL);
    const char *line = command_text(description, "cmdline");
    char words[256], *rest = words;

    if (command_text(description, "kernel")[0] == '\0' ||
        policy_format_cmdline(&policy, policy_guest_port(doctor->config, vm), words,
                              sizeof(words)) < 0)
        return;
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
        if (strstr(line, word) != NULL)
            continue;
        doctor_find(doctor, DOCTOR_WRONG, "cmdline", vm->name,
                    "put what `guestlinkctl cmdline` prints into the domain's <cmdline>, and start "
                    "it again",
                    "the domain's <cmdline> lacks the word %s", word);
        return;
    }
    doctor_find(doctor, DOCTOR_RIGHT, "cmdline", vm->name, "",
                "the domain's <cmdline> has what guestlinkctl cmdline prints");
}

static void look_at_loopback(struct doctor *doctor, const struct config_vm *vm)
{
    if (config_vm_has_user_network(vm) && !config_vm_has_host_loopback(vm))
        doctor_find(doctor, DOCTOR_NOTE, "loopback", vm->name,
                    "use the backend \"passt\", \"network\" or \"bridge\"",
                    "nothing keeps libvirt's QEMU from this host's own addresses: programs of the "
                    "guest reach them through an adapter of the backend \"user\"");
}

void doctor_judge_domain(struct doctor *doctor, const struct config_vm *vm,
                         struct json_object *description)
{
    size_t shares = doctor_count_virtiofs(doctor->config, vm);

    if (!command_flag(description, "active"))
        doctor_find(doctor, DOCTOR_UNKNOWN, "domain", vm->name, "virsh start",
                    "the domain %s is not running; the following lines are about its next start",
                    vm->device_host.domain);
    if (shares > 0 || config_vm_has_passt(vm))
        look_at_memory(doctor, vm, json_member(description, "memory"));
    if (shares > 0 || config_vm_has_passt(vm))
        look_at_balloon(doctor, vm, description);
    look_at_ports(doctor, vm, description);
    look_at_door(doctor, vm, description);
    look_at_apparmor(doctor, vm, shares, description);
    look_at_cmdline(doctor, vm, description);
    look_at_loopback(doctor, vm);
}

void doctor_look_at_domain(struct doctor *doctor, const struct config_vm *vm,
                           struct json_object *view)
{
    char path[LIMITS_PATH], *text;
    struct json_object *description;
    const char *program;

    if (vm->device_host.type != CONFIG_DEVICE_HOST_LIBVIRT)
        return;
    program = program_find_own("guestlink-libvirt", path);
    text = malloc(OUTPUT_MAX + 1);
    if (program == NULL || text == NULL) {
        doctor_find(doctor, DOCTOR_WRONG, "libvirt", vm->name,
                    "install the package guestlink-libvirt",
                    "guestlink-libvirt, which speaks to libvirt, is not installed");
        free(text);
        return;
    }
    description = describe(program, vm, text);
    if (description == NULL)
        doctor_find(doctor, DOCTOR_WRONG, "libvirt", vm->name,
                    "start libvirtd, define the domain, or fix \"uri\" and \"domain\" of the "
                    "\"device_host\"",
                    "%s", text);
    else if (view != NULL && command_flag(description, "active") &&
             !command_flag(view, "device_host_up"))
        doctor_find(doctor, DOCTOR_WRONG, "libvirt", vm->name, "", "%s",
                    command_text(view, "device_host_error"));
    else
        doctor_find(doctor, DOCTOR_RIGHT, "libvirt", vm->name, "", "libvirt has the domain %s",
                    vm->device_host.domain);
    if (description != NULL)
        doctor_judge_domain(doctor, vm, description);
    json_object_put(description);
    free(text);
}
