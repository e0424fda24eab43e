"""An ordinary user's daemon and QEMU: shares by each kind of virtiofsd, read and written, and read-only."""

import user
from guest import reconnecting
from hostd import share, vm_settings
from image import Image
from kernel import Kernel
from spy import programs

PORT = "org.guestlink.0"


def play(lab):
    image = Image(Kernel(), ["virtio_console"]).add_init()
    for name, program in programs().items():
        call = lab.sockets / f"call-{name}"
        guest = lab.guest(
            name, "old", f"guestlink.host=virtio-port:{PORT} guestlink.modules="
            "virtio-pci,virtio_console,virtiofs", image=image, vsock_device=False, within=user.enter(),
            extra=["-device", "virtio-serial-pci",
                   "-chardev", f"socket,id=port,path={call},server=off,{reconnecting()}",
                   "-device", f"virtserialport,chardev=port,name={PORT}"])
        folder = lab.share_folder(name)
        hostd = lab.hostd([vm_settings(
            guest, name, swiotlb="off", socket=str(call), networking="none",
            device_host={"type": "qemu", "qmp": str(guest.qmp), "virtiofsd": str(program)},
            shares=[share("rw", folder, "/mnt/rw"),
                    share("ro", folder, "/mnt/ro", read_only=True)])], within=user.enter())
        user.give(lab.folder, lab.sockets)
        hostd.start()
        guest.start()
        hostd.wait_event("GuestReady", lab.seconds(60), vm=name)
        user.use_shares(lab, hostd, name, folder)
        lab.say(f"{name}: an ordinary user's share is read and written, and one that is read-only is not")
        lab.shut_down(hostd, guest, name)
        lab.stop_daemons()
