/*
 * doctor, its part that looks at a VM's QEMU. The process is found by the QMP socket that its
 * command line names; what that says of CID, memory and ports disturbs nobody to read.
 */
#include "base/qemu_version.h"
#include "base/qmp_socket.h"
#include "command.h"
#include "doctor.h"
#include "protocol/limits.h"
#include "words.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* QEMU greets at once whom it serves; another one waits without a word. */
#define GREETING_MS 1000
/* It comes at once, and whole: two hundred of them. */
#define GREETING_BYTES 4096u

static bool read_words(const char *proc, const char *pid, struct words *words)
{
    char path[512];
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s/cmdline", proc, pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    words->size = 0;
    while (words->size < WORDS_BYTES &&
           (n = read(fd, words->data + words->size, WORDS_BYTES - words->size)) > 0)
        words->size += (size_t)n;
    (void)close(fd);
    words->data[words->size] = '\0';
    (void)snprintf(words->pid, sizeof(words->pid), "%.15s", pid);
    return words->size > 0;
}

/* Whole: the path ends there, or an option of QEMU's does. */
static bool names_path(const struct words *words, const char *path)
{
    const char *word = NULL;

    while ((word = words_next(words, word)) != NULL) {
        const char *at = strstr(word, path);
        const char *end = at != NULL ? at + strlen(path) : "x";

        if (*end == '\0' || *end == ',' || *end == '"')
            return true;
    }
    return false;
}

static bool find_qemu(const char *proc, const char *qmp, struct words *words)
{
    DIR *directory = opendir(proc);
    struct dirent *entry;
    bool found = false;

    while (directory != NULL && !found && (entry = readdir(directory)) != NULL)
        found = isdigit((unsigned char)entry->d_name[0]) &&
                read_words(proc, entry->d_name, words) && strstr(words->data, "qemu") != NULL &&
                names_path(words, qmp);
    if (directory != NULL)
        (void)closedir(directory);
    return found;
}

static void look_at_cid(struct doctor *doctor, const struct config_vm *vm,
                        const struct words *words)
{
    const char *word = words_find(words, words->data, "guest-cid");
    unsigned long cid = 0;
    char advice[256];

    if (vm->cid == 0)
        return;
    if (word != NULL) {
        word = strstr(word, "guest-cid") + strlen("guest-cid");
        word += strspn(word, "\":= ");
        cid = strtoul(word, NULL, 0);
    }
    (void)snprintf(advice, sizeof(advice),
                   "start QEMU with -device vhost-vsock-pci,guest-cid=%u, or fix \"cid\" of the "
                   "VM in %.100s",
                   vm->cid, doctor->config->file);
    if (cid == vm->cid)
        doctor_find(doctor, DOCTOR_RIGHT, "cid", vm->name, "", "QEMU's CID is %u, as configured",
                    vm->cid);
    else if (cid == 0)
        doctor_find(doctor, DOCTOR_WRONG, "cid", vm->name, advice,
                    "QEMU has no vsock device; the guest cannot reach the host");
    else
        doctor_find(doctor, DOCTOR_WRONG, "cid", vm->name, advice,
                    "QEMU's CID is %lu, the configuration says %u; guestlink-hostd refuses the "
                    "guest as unknown",
                    cid, vm->cid);
}

/* A root port that another word names as its bus has a device from the start. */
static bool is_taken(const struct words *words, const char *port)
{
    const char *id = strstr(port, "id="), *word = NULL;
    char bus[128];
    int size;

    if (id == NULL)
        return false;
    size = (int)strcspn(id + 3, ",");
    if (snprintf(bus, sizeof(bus), "bus=%.*s", size, id + 3) >= (int)sizeof(bus))
        return false;
    while ((word = words_next(words, word)) != NULL) {
        const char *at = strstr(word, bus);

        if (at != NULL && (at[strlen(bus)] == ',' || at[strlen(bus)] == '\0'))
            return true;
    }
    return false;
}

static void look_at_ports(struct doctor *doctor, const struct config_vm *vm,
                          const struct words *words)
{
    size_t devices = doctor_count_devices(doctor->config, vm), ports = 0;
    const char *word = words->data;

    while ((word = words_find(words, word, "pcie-root-port")) != NULL) {
        if (!is_taken(words, word))
            ports++;
        word = words_next(words, word);
    }
    if (devices <= ports)
        doctor_find(doctor, DOCTOR_RIGHT, "ports", vm->name, "",
                    "%zu PCIe root ports for %zu devices", ports, devices);
    else
        doctor_find(doctor, DOCTOR_WRONG, "ports", vm->name,
                    "add -device pcie-root-port,id=rp9,chassis=9 (each id and chassis once) to "
                    "QEMU's command line, one for every device",
                    "%zu PCIe root ports for %zu devices of the configuration; no free root port "
                    "is left for the rest",
                    ports, devices);
}

/* True if the process is in the unit that keeps QEMU from the host's own addresses. */
static bool is_in_unit(const char *proc, const char *pid)
{
    char path[512], line[4096];
    bool found = false;
    FILE *stream;

    (void)snprintf(path, sizeof(path), "%s/%s/cgroup", proc, pid);
    stream = fopen(path, "re");
    while (stream != NULL && !found && fgets(line, sizeof(line), stream) != NULL)
        found = strstr(line, "/guestlink-vm@") != NULL;
    if (stream != NULL)
        (void)fclose(stream);
    return found;
}

static void look_at_loopback(struct doctor *doctor, const struct config_vm *vm,
                             const struct words *words)
{
    if (!config_vm_has_user_network(vm))
        return;
    if (config_vm_has_host_loopback(vm))
        doctor_find(doctor, DOCTOR_RIGHT, "loopback", vm->name, "",
                    "programs of the guest can reach this host's own addresses, as "
                    "\"host_loopback\" says");
    else if (is_in_unit(doctor->places.proc, words->pid) &&
             words_find(words, words->data, "vhostfd=") == NULL)
        /* The unit came to do so when it came to pass that descriptor. */
        doctor_find(
            doctor, DOCTOR_NOTE, "loopback", vm->name,
            "restart the VM: its unit blocks them from the next start on",
            "QEMU (process %s) was started before an upgrade of guestlink-vm@.service: programs "
            "of the guest can reach this host's own addresses",
            words->pid);
    else if (is_in_unit(doctor->places.proc, words->pid))
        doctor_find(doctor, DOCTOR_RIGHT, "loopback", vm->name, "",
                    "QEMU's unit keeps programs of the guest from this host's own addresses");
    else
        doctor_find(doctor, DOCTOR_NOTE, "loopback", vm->name,
                    "run QEMU in guestlink-vm@NAME.service, use another \"backend\", or set "
                    "\"host_loopback\": true if that is what you want",
                    "QEMU (process %s) is not in guestlink-vm@.service: programs of the guest can "
                    "reach every service on this host's 127.0.0.1 (as 10.0.2.2) and its other "
                    "addresses",
                    words->pid);
}

/* @param ret_problem  as qmp_socket_connect()
 * @return 0: QEMU greeted; -EBUSY: it serves somebody else; -errno */
static int greet(const char *path, char ret_version[QEMU_VERSION_SIZE], const char **ret_problem)
{
    struct qmp_socket qmp;
    struct pollfd poller = {.events = POLLIN};
    struct json_object *greeting;
    char line[GREETING_BYTES] = "";
    int r = qmp_socket_connect(path, &qmp, ret_problem);

    if (r < 0)
        return r;
    poller.fd = qmp.fd;
    if (poll(&poller, 1, GREETING_MS) <= 0 || read(qmp.fd, line, sizeof(line) - 1) <= 0)
        r = -EBUSY;
    greeting = json_tokener_parse(line);
    qemu_version_read(greeting, ret_version);
    json_object_put(greeting);
    (void)close(qmp.fd);
    return r;
}

static void try_qmp(struct doctor *doctor, const struct config_vm *vm,
                    char ret_version[QEMU_VERSION_SIZE])
{
    const char *path = vm->device_host.qmp;
    char advice[512], unit_path[LIMITS_VM_NAME + 64];
    const char *problem = NULL;
    int r = greet(path, ret_version, &problem);

    (void)snprintf(unit_path, sizeof(unit_path), "/run/guestlink/vm/%.64s/qmp.sock", vm->name);
    if (strcmp(path, unit_path) == 0)
        (void)snprintf(
            advice, sizeof(advice),
            "systemctl start guestlink-vm@%.64s; if it does not keep running: journalctl "
            "-u guestlink-vm@%.64s",
            vm->name, vm->name);
    else
        (void)snprintf(advice, sizeof(advice),
                       "start QEMU with -qmp unix:%.300s,server=on,wait=off", path);
    if (r == 0)
        doctor_find(doctor, DOCTOR_RIGHT, "qmp", vm->name, "", "%s: QEMU answers", path);
    else if (problem)
        doctor_find(
            doctor, DOCTOR_WRONG, "qmp", vm->name,
            "restart the VM (its guest may have taken over QEMU), or fix \"qmp\" of its "
            "\"device_host\"",
            "%s: %s; guestlink-hostd does not connect, because the socket may lead to another VM",
            path, problem);
    else if (r == -EACCES)
        doctor_find(doctor, DOCTOR_UNKNOWN, "qmp", vm->name, "run guestlinkctl doctor as root",
                    "%s: %s", path, strerror(-r));
    else if (r == -EBUSY || r == -EAGAIN)
        doctor_find(doctor, DOCTOR_WRONG, "qmp", vm->name,
                    "give guestlink-hostd its own socket: QEMU accepts -qmp more than once",
                    "%s: QEMU sends no greeting; another client is connected, and QEMU serves "
                    "one",
                    path);
    else
        doctor_find(doctor, DOCTOR_WRONG, "qmp", vm->name, advice, "%s: %s; is QEMU running?", path,
                    strerror(-r));
}

/* What an adapter that passt serves takes of QEMU: a guest's driver that starts it may end another
 * one. @param version  "": not known */
static void look_at_version(struct doctor *doctor, const struct config_vm *vm, const char *version)
{
    if (!config_vm_has_passt(vm))
        return;
    if (!version[0])
        doctor_find(doctor, DOCTOR_UNKNOWN, "qemu-version", vm->name, "",
                    "QEMU's version is unknown; \"backend\": \"passt\" needs QEMU %d.0 or later",
                    QEMU_VERSION_FOR_PASST);
    else if (qemu_version_takes_passt(version))
        doctor_find(doctor, DOCTOR_RIGHT, "qemu-version", vm->name, "",
                    "QEMU %s supports adapters of \"backend\": \"passt\"", version);
    else
        doctor_find(doctor, DOCTOR_WRONG, "qemu-version", vm->name,
                    "install QEMU 10.0 or later (Debian 13 has one) and restart the VM, or use the "
                    "\"backend\" \"user\"",
                    "QEMU %s does not support adapters of \"backend\": \"passt\", which need "
                    "%d.0 or later",
                    version, QEMU_VERSION_FOR_PASST);
}

/* What the daemon could not do, in its words; each has the next step in it. */
static void tell_failed(struct doctor *doctor, const struct config_vm *vm, struct json_object *list,
                        const char *kind, const char *key)
{
    size_t count = json_count(list);

    for (size_t i = 0; i < count; i++) {
        struct json_object *device = json_element(list, i);
        const char *error = command_text(device, "error");
        char name[128];
        int size;

        if (strcmp(command_text(device, "state"), "failed") != 0)
            continue;
        size = snprintf(name, sizeof(name), "%s %s: ", kind, command_text(device, key));
        if (size < (int)sizeof(name) && strncmp(error, name, (size_t)size) == 0)
            error += size; /* a device host that names it already */
        doctor_find(doctor, DOCTOR_WRONG, "device", vm->name,
                    "fix that, then run `guestlinkctl reload`, or restart the guest", "%s%s", name,
                    error);
    }
}

void doctor_look_at_qemu(struct doctor *doctor, const struct config_vm *vm,
                         struct json_object *view)
{
    char version[QEMU_VERSION_SIZE] = "";
    struct words *words;

    if (view != NULL) {
        tell_failed(doctor, vm, json_member(view, "shares"), "share", "tag");
        tell_failed(doctor, vm, json_member(view, "adapters"), "adapter", "id");
    }
    if (vm->device_host.type != CONFIG_DEVICE_HOST_QEMU)
        return;
    if (view == NULL)
        try_qmp(doctor, vm, version);
    else if (command_flag(view, "device_host_up"))
        doctor_find(doctor, DOCTOR_RIGHT, "qmp", vm->name, "",
                    "guestlink-hostd is connected to QEMU");
    else
        doctor_find(doctor, DOCTOR_WRONG, "qmp", vm->name,
                    "start the VM, or fix \"qmp\" of its \"device_host\"", "%s",
                    command_text(view, "device_host_error"));
    look_at_version(doctor, vm, view ? command_text(view, "device_host_version") : version);
    words = malloc(sizeof(*words));
    if (words != NULL && find_qemu(doctor->places.proc, vm->device_host.qmp, words)) {
        look_at_cid(doctor, vm, words);
        doctor_look_at_memory(doctor, vm, words);
        look_at_ports(doctor, vm, words);
        look_at_loopback(doctor, vm, words);
    } else {
        doctor_find(doctor, DOCTOR_UNKNOWN, "qemu", vm->name, "",
                    "no process has %s on its command line; cannot check CID, memory and ports",
                    vm->device_host.qmp);
    }
    free(words);
}
