"""A QEMU microvm: the host is called over virtio-mmio, a share names the port that is missing, power-off by ACPI; without ACPI and PCI, by a reboot."""

import re

from guest import acceleration
from hostd import share, vm_settings
from image import Image
from kernel import Kernel
from show import need

DEVICES = ("-global", "virtio-mmio.force-legacy=off")


def play(lab):
    image = Image(Kernel(), options=("--early", "virtio_mmio")).add_init()
    served(lab, image)
    alone(lab, image)


def clock():
    """Words for the kernel. A microvm with ACPI has no timer to measure the processor's clock by. KVM
    says how fast it is; an emulated one is this machine's."""
    if acceleration()[1] == "kvm":
        return ""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        khz = int(float(re.search(r"^cpu MHz\s*: ([\d.]+)$", info.read(), re.MULTILINE)[1]) * 1000)
    return f"tsc_early_khz={khz} lpj={khz * 4}"


def served(lab, image):
    guest = lab.guest("lab", "old", clock(), image=image, machine="microvm", ports=0, extra=DEVICES)
    guest.vsock.qemu = [word.replace("vsock-pci", "vsock-device") for word in guest.vsock.qemu]
    hostd = lab.hostd([vm_settings(guest, "lab", shares=[
        share("c", lab.share_folder("lab"), "/mnt/c")])]).start()
    guest.start()
    event = hostd.wait_failure(lab.seconds(60))
    need("no free PCIe root port" in event["text"], f"{event}")
    hostd.wait_event("GuestReady", lab.seconds(20))
    status, words = lab.run_in_guest(hostd, "lab", "/bin/ls", "/sys/bus/pci/devices")
    need((status, words) == (0, ""), f"PCI devices of a microvm: {status}: {words}")
    lab.say("called over virtio-mmio; the share names what the machine lacks")
    lab.shut_down(hostd, guest)
    guest.wait_console_after_end("power off now$")
    lab.say("powered off by ACPI")


def alone(lab, image):
    guest = lab.guest("alone", "old", "guestlink.connect_timeout_ms=100", image=image, ports=0,
                      machine="microvm,acpi=off", vsock_device=False, arguments="/bin/poweroff")
    guest.start()
    need(guest.wait_off(lab.seconds(40)) == 0, "QEMU did not end with status 0")
    guest.wait_console_after_end("power off now, by a reboot")
    lab.say("powered off without ACPI")
