/* doctor: findings, and what is looked at on the host itself. */
#include "doctor.h"

#include "base/json.h"
#include "base/lock.h"
#include "base/program.h"
#include "command.h"
#include "config/policy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void doctor_find(struct doctor *doctor, enum doctor_state state, const char *check, const char *vm,
                 const char *advice, const char *format, ...)
{
    static const char *const states[] = {[DOCTOR_RIGHT] = "right",
                                         [DOCTOR_WRONG] = "wrong",
                                         [DOCTOR_NOTE] = "note",
                                         [DOCTOR_UNKNOWN] = "unknown"};
    struct json_object *finding = json_object_new_object();
    char text[2048];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    json_add_text(finding, "state", states[state]);
    json_add_text(finding, "check", check);
    json_add_text(finding, "vm", vm);
    json_add_text(finding, "text", text);
    json_add_text(finding, "advice", advice);
    json_object_array_add(doctor->findings, finding);
    if (state == DOCTOR_WRONG)
        doctor->wrong = true;
}

void doctor_look_at_host(struct doctor *doctor)
{
    const char *device = doctor->places.vhost_vsock;
    bool needed = false;

    for (size_t i = 0; i < doctor->config->vm_count; i++)
        needed = needed || doctor->config->vms[i].cid != 0;
    if (!needed)
        doctor_find(doctor, DOCTOR_RIGHT, "vsock", "", "",
                    "no VM has a CID, so the host needs no vsock device");
    else if (access(device, F_OK) == 0)
        doctor_find(doctor, DOCTOR_RIGHT, "vsock", "", "", "%s exists", device);
    else
        doctor_find(doctor, DOCTOR_WRONG, "vsock", "",
                    "modprobe vhost_vsock; if there is no such module, install a kernel with "
                    "CONFIG_VHOST_VSOCK, or give the VMs a \"socket\" instead of a \"cid\"",
                    "%s: %s; guests with a CID cannot reach the host", device, strerror(errno));
}

void doctor_look_at_state(struct doctor *doctor, struct json_object *files)
{
    const char *folder = files ? command_text(files, "state_dir") : doctor->config->state_dir;
    char who[64] = "an unknown process (of another PID namespace?)";
    pid_t pid = 0;
    int r = lock_ask(folder, &pid);

    if (pid != 0)
        (void)snprintf(who, sizeof(who), "process %d", (int)pid);
    if (r == -EBUSY && files != NULL)
        doctor_find(doctor, DOCTOR_RIGHT, "state", "", "",
                    "%s: locked by %s, and by no other "
                    "daemon",
                    folder, who);
    else if (r == -EBUSY)
        doctor_find(doctor, DOCTOR_WRONG, "state", "",
                    "name the socket of that daemon with --socket, or stop that daemon",
                    "%s: locked by %s, which does not answer here; another daemon cannot start",
                    folder, who);
    else if (r == 0 && files != NULL)
        doctor_find(doctor, DOCTOR_WRONG, "state", "", "restart guestlink-hostd; its log says why",
                    "%s: not locked by the daemon that answers; a second daemon could use it",
                    folder);
    else if (r == 0 || r == -ENOENT)
        doctor_find(doctor, DOCTOR_RIGHT, "state", "", "", "%s: not locked by any daemon", folder);
    else
        doctor_find(doctor, DOCTOR_UNKNOWN, "state", "",
                    r == -EACCES ? "run guestlinkctl doctor as root" : "", "%s: %s", folder,
                    strerror(-r));
}

/* Shares of one folder that are served alike have one device. */
static bool has_device_of_its_own(const struct config_vm *vm, size_t number)
{
    const struct config_share *share = &vm->shares[number];

    for (size_t i = 0; i < number; i++)
        if (vm->shares[i].transport != CONFIG_TRANSPORT_9P &&
            strcmp(vm->shares[i].path, share->path) == 0 &&
            vm->shares[i].read_only == share->read_only &&
            config_serving_equal(&vm->shares[i].serving, &share->serving))
            return false;
    return share->transport != CONFIG_TRANSPORT_9P;
}

size_t doctor_count_virtiofs(const struct config *config, const struct config_vm *vm)
{
    struct policy policy = policy_decide(config, vm, NULL, NULL);
    size_t count = 0;

    for (size_t i = 0; policy.virtiofs && i < vm->share_count; i++)
        if (has_device_of_its_own(vm, i))
            count++;
    return count;
}

size_t doctor_count_devices(const struct config *config, const struct config_vm *vm)
{
    struct policy policy = policy_decide(config, vm, NULL, NULL);
    bool adapters = policy.networking == CONFIG_NETWORKING_VIRTIOPROXY;

    return doctor_count_virtiofs(config, vm) + (adapters ? vm->network_count : 0);
}

/* What the shares want of it, and it cannot do. */
static void look_at_serving(struct doctor *doctor, const struct config_vm *vm, const char *program)
{
    for (size_t i = 0; i < vm->share_count; i++) {
        const struct config_share *share = &vm->shares[i];
        const char *remark = "", *obstacle;

        if (share->transport == CONFIG_TRANSPORT_9P)
            continue;
        obstacle = config_serving_obstacle(&share->serving, program, &remark);
        if (obstacle != NULL)
            doctor_find(doctor, DOCTOR_WRONG, "virtiofsd", vm->name,
                        "name another virtiofsd, or remove that key from the share, and run "
                        "`guestlinkctl reload`",
                        "share %s: %s: %s; not creating the share", share->tag, program, obstacle);
        else if (remark[0] != '\0')
            doctor_find(doctor, DOCTOR_NOTE, "virtiofsd", vm->name,
                        "name another virtiofsd in \"device_host\": {\"virtiofsd\": PATH}",
                        "share %s: %s: %s", share->tag, program, remark);
    }
}

static void look_at_virtiofsd(struct doctor *doctor, const struct config_vm *vm)
{
    const char *wanted = vm->device_host.virtiofsd, *found;
    char buffer[LIMITS_PATH];

    found = program_find_virtiofsd(wanted, buffer);
    if (found != NULL) {
        doctor_find(doctor, DOCTOR_RIGHT, "virtiofsd", vm->name, "", "%s exists", found);
        look_at_serving(doctor, vm, found);
    } else {
        doctor_find(doctor, DOCTOR_WRONG, "virtiofsd", vm->name,
                    "install virtiofsd (Debian 12: qemu-system-common; later: virtiofsd), or name "
                    "it in \"device_host\": {\"virtiofsd\": PATH}",
                    "%s: not an executable program; virtiofs shares cannot be served",
                    wanted != NULL ? wanted : "virtiofsd");
    }
}

static void look_at_passt(struct doctor *doctor, const struct config_vm *vm)
{
    char buffer[LIMITS_PATH];
    int r = program_find_passt(vm->device_host.passt, buffer);

    if (r == 0)
        doctor_find(doctor, DOCTOR_RIGHT, "passt", vm->name, "", "%s exists", buffer);
    else if (r == -EOPNOTSUPP)
        doctor_find(doctor, DOCTOR_WRONG, "passt", vm->name,
                    "install one with --vhost-user (Debian 13 has one), or name it in "
                    "\"device_host\": {\"passt\": PATH}",
                    "%s is too old for vhost-user; adapters of \"backend\": \"passt\" cannot be "
                    "served",
                    buffer);
    else
        doctor_find(doctor, DOCTOR_WRONG, "passt", vm->name,
                    "install passt, or name it in \"device_host\": {\"passt\": PATH}",
                    "%s: %s; adapters of \"backend\": \"passt\" cannot be served",
                    vm->device_host.passt ? vm->device_host.passt : "passt",
                    r == -ENOEXEC ? "a script, which cannot run in passt's jail"
                                  : "not an executable program");
}

static void look_at_folder(struct doctor *doctor, const struct config_vm *vm,
                           const struct config_share *share)
{
    const char *problem = NULL;
    bool hidden = false;
    struct stat status;

    if (stat(share->path, &status) < 0) {
        problem = strerror(errno);
        hidden = errno == EACCES && geteuid() != 0; /* from us, and not from the daemon */
    } else if (!S_ISDIR(status.st_mode)) {
        problem = "not a directory";
    }
    if (problem == NULL)
        doctor_find(doctor, DOCTOR_RIGHT, "share", vm->name, "", "share %s: %s exists", share->tag,
                    share->path);
    else if (hidden)
        doctor_find(doctor, DOCTOR_UNKNOWN, "share", vm->name, "run guestlinkctl doctor as root",
                    "share %s: %s: %s", share->tag, share->path, problem);
    else
        doctor_find(doctor, DOCTOR_WRONG, "share", vm->name,
                    share->line == 0
                        ? "create that directory, or remove the share, which was added at "
                          "runtime, with `guestlinkctl share remove`"
                        : "create that directory, or fix \"path\" of the share and run "
                          "`guestlinkctl reload`",
                    "share %s: %s: %s", share->tag, share->path, problem);
}

void doctor_look_at_shares(struct doctor *doctor, const struct config_vm *vm)
{
    if (config_vm_has_qemu(vm) && doctor_count_virtiofs(doctor->config, vm) > 0)
        look_at_virtiofsd(doctor, vm);
    if (config_vm_has_passt(vm))
        look_at_passt(doctor, vm);
    for (size_t i = 0; i < vm->share_count; i++)
        look_at_folder(doctor, vm, &vm->shares[i]);
}
