"""A guest reboots inside the same QEMU, twice: its devices are brought in line with its new boot."""

import json
import os

from guest import reconnecting
from image import Image
from kernel import Kernel
from scenarios.kill_hostd_at_random import same_devices
from show import need

HOST = ("guestlink.host=virtio-port:guestlink "
        "guestlink.modules=virtio_pci,virtio_console,virtiofs,virtio_net")


def play(lab):
    # Over a virtio port: vhost-device-vsock does not serve a guest after its reset.
    door = lab.sockets / "port"
    guest = lab.guest("lab", cmdline=HOST, vsock_device=False,
                      reboots=True, image=Image(Kernel(), ["virtio_console"]).add_init(),
                      extra=["-device", "virtio-serial-pci",
                             "-chardev", f"socket,id=port,path={door},{reconnecting()}",
                             "-device", "virtserialport,chardev=port,name=guestlink"])
    hostd = lab.hostd([lab.counting_vm(guest, socket=str(door))]).start()
    guest.start()
    before = None
    for boot in (1, 2, 3):
        hostd.wait_event("GuestReady", lab.seconds(60), count=boot)
        lab.wait_counting()
        same_devices(lab, hostd, guest, "lab", boot)
        applied = hostd.events("ApplyGuestCapabilities")
        need(len(applied) == boot, f"{len(applied)} boots")
        token = applied[-1]["token"]
        need(token, "no token")
        for event in ("AddVirtioFsShare", "AddNetAdapter"):
            told = hostd.events(event)[-1]
            need(token in told["options"], f"boot {boot} has {token}, its device {told['options']}")
            # A kernel may take the same place again: then the devices are in line as they are.
            need(token == before or told["boot_id"] == applied[-1]["boot_id"],
                 f"boot {boot} has another token than before, but its {event} is an older boot's")
        before = token
        lab.say(f"boot {boot}: {token}, {aperture(lab, hostd)}")
        if boot < 3:
            status, words = lab.control(hostd, "shutdown", "lab", "--reboot")
            need(status == 0, f"guestlinkctl shutdown --reboot: {status}: {words}")
    need(not hostd.failures(), f"{hostd.failures()}")
    lab.shut_down(hostd, guest)


def aperture(lab, hostd):
    """What the daemon says that the share's virtiofsd can reach in this boot."""
    status, words = lab.control(hostd, "--json", "show", "lab")
    need(status == 0, words)
    vm = json.loads(words)
    share = vm["shares"][0]
    need(share["aperture"] == ("enforced" if os.path.exists("/dev/udmabuf") else "narrowed"),
         f"{share}")
    rings = share["aperture_bytes"] - vm["capabilities"]["swiotlb_size"]
    need(0 < rings < 1 << 20, f"{share}, and the pool has {vm['capabilities']['swiotlb_size']}")
    return f"{share['aperture']}, with {rings} bytes of rings"
