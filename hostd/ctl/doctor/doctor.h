/*
 * doctor: looks, without changing anything, for what most often keeps a guest from its devices, and
 * says of each what is right, what is wrong, and what to do.
 */
#ifndef GUESTLINK_CTL_DOCTOR_H
#define GUESTLINK_CTL_DOCTOR_H

#include "config/config.h"

#include <json-c/json.h>

enum doctor_state {
    DOCTOR_RIGHT,
    DOCTOR_WRONG,
    DOCTOR_NOTE,    /* works, but lets more through than one may expect */
    DOCTOR_UNKNOWN, /* cannot be told now; `text` says why */
};

/* Where the kernel shows things; tests have others. */
struct doctor_places {
    const char *vhost_vsock, *proc, *udmabuf, *udmabuf_limit, *apparmor, *kvm;
};

#define DOCTOR_PLACES                                                                              \
    ((struct doctor_places){"/dev/vhost-vsock", "/proc", "/dev/udmabuf",                           \
                            "/sys/module/udmabuf/parameters/size_limit_mb",                        \
                            "/etc/apparmor.d/local/abstractions/libvirt-qemu", "/dev/kvm"})

struct doctor {
    struct doctor_places places;
    const struct config *config;
    struct json_object *findings; /* array of {"state", "check", "vm", "text", "advice"} */
    bool wrong;                   /* one of them is */
    const char *socket;           /* of a daemon that answers, NULL: none does */
    bool has_config;              /* false: there is no file, and `config` is what a daemon says */
};

/*
 * Notes a finding.
 *
 * @param vm      its name, "" if it is the host's
 * @param advice  the next step, "" if there is nothing to do
 */
__attribute__((format(printf, 6, 7))) void doctor_find(struct doctor *doctor,
                                                       enum doctor_state state, const char *check,
                                                       const char *vm, const char *advice,
                                                       const char *format, ...);

/* The devices of a VM's shares that virtiofs may serve. */
size_t doctor_count_virtiofs(const struct config *config, const struct config_vm *vm);

/* The devices that the daemon adds to a VM: those, and its adapters if they are devices. */
size_t doctor_count_devices(const struct config *config, const struct config_vm *vm);

/* The host: its vsock device. */
void doctor_look_at_host(struct doctor *doctor);

/* The host, where there is no configuration: KVM, vsock, udmabuf, virtiofsd. */
void doctor_look_at_machine(struct doctor *doctor);

/*
 * Adds to @p config what io.guestlink.Vm @p view shows and @p config has not: the VM, or its shares
 * that were added at runtime, whose `line` is 0. What is not understood is not added.
 */
void doctor_add_view(struct config *config, struct json_object *view);

/* The same of all VMs of the daemon at @p socket, if it answers. */
void doctor_add_running(struct config *config, const char *socket);

/* Which daemon has the state directory. @param files  io.guestlink.Files, NULL without a daemon */
void doctor_look_at_state(struct doctor *doctor, struct json_object *files);

/* The folders that a VM's shares name. */
void doctor_look_at_shares(struct doctor *doctor, const struct config_vm *vm);

/*
 * A VM's QEMU: its QMP socket, CID, shared memory and PCIe root ports. QMP serves one client, so a
 * daemon that has it is asked instead, and the rest is read from QEMU's command line.
 *
 * @param view  io.guestlink.Vm, NULL without a daemon
 */
void doctor_look_at_qemu(struct doctor *doctor, const struct config_vm *vm,
                         struct json_object *view);

/* A VM's domain of libvirt's, by what guestlink-libvirt says of it. @param view  as above */
void doctor_look_at_domain(struct doctor *doctor, const struct config_vm *vm,
                           struct json_object *view);

/* The same of a description (libvirt/domain_xml.h) that is at hand. */
void doctor_judge_domain(struct doctor *doctor, const struct config_vm *vm,
                         struct json_object *description);

struct words;

/* Whether QEMU, by its command line, shares all that is the guest's RAM. */
void doctor_look_at_memory(struct doctor *doctor, const struct config_vm *vm,
                           const struct words *words);

/* What a VM's virtiofsd can reach of its guest's memory. @param view  as above */
void doctor_look_at_aperture(struct doctor *doctor, const struct config_vm *vm,
                             struct json_object *view);

/* How many files each virtiofsd of a VM has open, where that may not be enough. */
void doctor_look_at_open_files(struct doctor *doctor, const struct config_vm *vm);

/* Shares whose targets lie in each other, and those whose mount, or folder, was lost. @param view
 * as above */
void doctor_look_at_nested(struct doctor *doctor, const struct config_vm *vm,
                           struct json_object *view);

/* What telemetry, and the daemon where that has it no more, says of the last boots of @p vms:
 * versions, kernels, pools, CIDs of nobody. */
void doctor_look_at_telemetry(struct doctor *doctor, const struct config_vm *vms, size_t count);

#endif
