/* doctor, its part that looks at the host where no configuration says what is needed of it: what a
 * first VM will want. Nothing of that is wrong, since every VM can do without. */
#include "doctor.h"

#include "base/limits.h"
#include "base/program.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void look_at_device(struct doctor *doctor, const char *check, const char *path,
                           const char *advice, const char *loss)
{
    if (access(path, F_OK) == 0)
        doctor_find(doctor, DOCTOR_RIGHT, check, "", "", "%s exists", path);
    else
        doctor_find(doctor, DOCTOR_NOTE, check, "", advice, "%s: %s; %s", path, strerror(errno),
                    loss);
}

void doctor_look_at_machine(struct doctor *doctor)
{
    char buffer[LIMITS_PATH];
    const char *virtiofsd = program_find_virtiofsd(NULL, buffer);

    look_at_device(doctor, "kvm", doctor->places.kvm,
                   "modprobe kvm_intel, or kvm_amd; on a host without KVM, set ACCEL=tcg in the "
                   "VM's .conf",
                   "VMs can run only with emulation, which is slow and no security boundary");
    look_at_device(doctor, "vsock", doctor->places.vhost_vsock,
                   "modprobe vhost_vsock; if there is no such module, install a kernel with "
                   "CONFIG_VHOST_VSOCK, or give the VMs a \"socket\" instead of a \"cid\"",
                   "guests with a CID cannot reach the host");
    look_at_device(doctor, "udmabuf", doctor->places.udmabuf,
                   "modprobe udmabuf; if there is no such module, install a kernel with "
                   "CONFIG_UDMABUF (Debian 12: linux-image-6.12-cloud-amd64)",
                   "the kernel cannot keep virtiofsd out of the guest's memory");
    if (virtiofsd != NULL)
        doctor_find(doctor, DOCTOR_RIGHT, "virtiofsd", "", "", "%s exists", virtiofsd);
    else
        doctor_find(doctor, DOCTOR_NOTE, "virtiofsd", "",
                    "install virtiofsd (Debian 12: qemu-system-common; later: virtiofsd)",
                    "no virtiofsd was found; virtiofs shares cannot be served");
}
