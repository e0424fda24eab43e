/* advice: what to do about an error of libvirt's. */
#include "advice.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const struct {
    const char *words;
    const char *advice;
} table[] = {
    {"shared memory", "; give the domain <memoryBacking><source type='memfd'/><access "
                      "mode='shared'/></memoryBacking> and a NUMA cell with memAccess='shared' "
                      "(guestlink-hostd.json(5) has an example), and start it again"},
    {"No more available PCI slots",
     "; give the domain a <controller type='pci' model='pcie-root-port'/> for each new device, "
     "and start it again"},
    {"Attempted double use of PCI", "; another program plugged a device into that port meanwhile: "
                                    "try again"},
    {"Permission denied",
     "; QEMU's user must be able to pass the state_dir, and AppArmor needs a line for it "
     "(guestlinkctl doctor prints it)"},
    {"cannot acquire state change lock",
     "; another call for this domain is in progress in libvirt, and may hang: look at virsh "
     "domjobinfo"},
    {"Cannot get interface MTU", "; create the interface first, or fix \"interface\""},
    {"Network not found", "; define the network (virsh net-define), or fix \"network\""},
    {"network", " (is the network started? virsh net-start)"},
};

const char *advice_find(const struct libvirt_reply *reply)
{
    if (reply->error != EREMOTEIO)
        return "";
    if (reply->code == LIBVIRT_ERROR_NO_DOMAIN)
        return "; define it (virsh define), or fix \"domain\"";
    if (reply->code == LIBVIRT_ERROR_AUTH)
        return "; the daemon's user must be allowed to use libvirt (group libvirt)";
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strstr(reply->text, table[i].words))
            return table[i].advice;
    return "";
}

bool advice_is_iommu(const struct libvirt_reply *reply)
{
    return reply->error == EREMOTEIO && strstr(reply->text, "iommu_platform") != NULL;
}

bool advice_is_unplugging(const struct libvirt_reply *reply)
{
    return reply->error == EREMOTEIO && strstr(reply->text, "in the process of unplug") != NULL;
}

bool advice_is_missing(const struct libvirt_reply *reply)
{
    return reply->error == EREMOTEIO && (reply->code == LIBVIRT_ERROR_DEVICE_MISSING ||
                                         strstr(reply->text, "device not found") != NULL);
}
