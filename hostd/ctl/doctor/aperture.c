/* doctor, its part that looks at what a VM's virtiofsd can reach of the guest's memory, and at what
 * the host's kernel needs to keep it from the rest. */
#include "aperture.h"
#include "command.h"
#include "config/policy.h"
#include "doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As long as the kernel's module is not asked; drivers/dma-buf/udmabuf.c. */
#define DEFAULT_LIMIT_MB 64u
/* Of the 8 regions that vhost-user carries, those that a pool may be cut into. */
#define PIECES 4u
#define MIB    UINT64_C(1048576)

/* What is not confined is wrong only where it must be. */
static enum doctor_state state_of(const struct config_vm *vm)
{
    return vm->aperture == CONFIG_APERTURE_REQUIRE ? DOCTOR_WRONG : DOCTOR_NOTE;
}

static unsigned read_limit(const char *path)
{
    FILE *file = fopen(path, "re");
    unsigned limit = 0;

    if (file == NULL)
        return DEFAULT_LIMIT_MB;
    if (fscanf(file, "%u", &limit) != 1) /* NOLINT(cert-err34-c): 0 then */
        limit = 0;
    (void)fclose(file);
    return limit > 0 ? limit : DEFAULT_LIMIT_MB;
}

static void look_at_udmabuf(struct doctor *doctor, const struct config_vm *vm, uint64_t pool)
{
    const char *device = doctor->places.udmabuf;
    unsigned limit = read_limit(doctor->places.udmabuf_limit);

    if (access(device, F_OK) < 0)
        doctor_find(doctor, state_of(vm), "udmabuf", vm->name,
                    "modprobe udmabuf; if there is no such module, install a kernel with "
                    "CONFIG_UDMABUF (Debian 12: linux-image-6.12-cloud-amd64)",
                    "%s: %s; the kernel cannot keep virtiofsd out of the guest's memory", device,
                    strerror(errno));
    else if (pool > limit * MIB * PIECES)
        doctor_find(doctor, state_of(vm), "udmabuf", vm->name,
                    "write a quarter of the pool in MiB or more into "
                    "/sys/module/udmabuf/parameters/size_limit_mb, and into /etc/modprobe.d as "
                    "options udmabuf size_limit_mb=",
                    "a pool of %llu MiB takes more than %u dma-bufs of %u MiB, the kernel's "
                    "limit; the kernel cannot keep virtiofsd out of the guest's memory",
                    (unsigned long long)(pool / MIB), PIECES, limit);
    else
        doctor_find(doctor, DOCTOR_RIGHT, "udmabuf", vm->name, "",
                    "%s exists; dma-bufs have up to %u MiB", device, limit);
}

/* @param kind  of devices: "shares", "adapters" */
static void look_at_devices(struct doctor *doctor, const struct config_vm *vm,
                            struct json_object *view, const char *kind)
{
    struct json_object *devices = json_member(view, kind);

    for (size_t i = 0; i < json_count(devices); i++) {
        struct json_object *device = json_element(devices, i);
        char text[512];

        if (!aperture_describe(view, device, text, sizeof(text)))
            continue;
        if (aperture_is_enforced(device))
            doctor_find(doctor, DOCTOR_RIGHT, "aperture", vm->name, "", "%s", text);
        else
            doctor_find(doctor, state_of(vm), "aperture", vm->name,
                        "fix that, then remove the device and add it again, or reboot the guest",
                        "%s: %s", text, command_text(device, "aperture_reason"));
    }
}

void doctor_look_at_aperture(struct doctor *doctor, const struct config_vm *vm,
                             struct json_object *view)
{
    struct policy policy = policy_decide(doctor->config, vm, NULL, NULL);
    uint64_t reported = command_number(json_member(view, "capabilities"), "swiotlb_size");
    uint64_t pool = reported != 0 ? reported : policy.swiotlb_bytes;

    if (!config_vm_has_qemu(vm) ||
        (doctor_count_virtiofs(doctor->config, vm) == 0 && !config_vm_has_passt(vm)))
        return;
    if (vm->aperture == CONFIG_APERTURE_OFF)
        doctor_find(doctor, DOCTOR_NOTE, "aperture", vm->name,
                    "to confine virtiofsd, remove \"aperture\" from the VM",
                    "\"aperture\" is \"off\": virtiofsd can reach all of the guest's memory");
    else if (pool == 0)
        doctor_find(doctor, state_of(vm), "aperture", vm->name,
                    "to confine virtiofsd, set \"swiotlb\": \"64M\" and boot the guest with "
                    "what guestlinkctl cmdline prints",
                    "the VM has no pool: virtiofsd can reach all of the guest's memory");
    else
        look_at_udmabuf(doctor, vm, pool);
    if (vm->aperture != CONFIG_APERTURE_OFF && pool != 0) {
        look_at_devices(doctor, vm, view, "shares");
        look_at_devices(doctor, vm, view, "adapters");
    }
}
