"""An ordinary user's daemon and QEMU: shares by each kind of virtiofsd, read and written, and read-only."""

import os
import pathlib

import paths
from guest import reconnecting
from hostd import share, vm_settings
from image import Image
from kernel import Kernel
from show import need
from spy import programs

USER = 12345
PORT = "org.guestlink.0"
# A user of this number may not reach a checkout below a folder of root's.
AS_USER = ["unshare", "-m", "--propagation", "private", "sh", "-c", """set -e
mount --bind "$1" /mnt
mount -t tmpfs -o mode=755 none "$2"
mkdir -p "$1"
mount --bind /mnt "$1"
shift 2
exec setpriv --reuid=12345 --regid=12345 --clear-groups --inh-caps=-all --bounding-set=-all "$@"
""", "sh", str(paths.ROOT), str(pathlib.Path(*paths.ROOT.parts[:2]))]


def play(lab):
    image = Image(Kernel(), ["virtio_console"]).add_init()
    for name, program in programs().items():
        call = lab.sockets / f"call-{name}"
        guest = lab.guest(
            name, "old", f"guestlink.host=virtio-port:{PORT} guestlink.modules="
            "virtio-pci,virtio_console,virtiofs", image=image, vsock_device=False, within=AS_USER,
            extra=["-device", "virtio-serial-pci",
                   "-chardev", f"socket,id=port,path={call},server=off,{reconnecting()}",
                   "-device", f"virtserialport,chardev=port,name={PORT}"])
        folder = lab.share_folder(name)
        hostd = lab.hostd([vm_settings(
            guest, name, swiotlb="off", socket=str(call), networking="none",
            device_host={"type": "qemu", "qmp": str(guest.qmp), "virtiofsd": str(program)},
            shares=[share("rw", folder, "/mnt/rw"),
                    share("ro", folder, "/mnt/ro", read_only=True)])], within=AS_USER)
        give_to_user(lab)
        hostd.start()
        guest.start()
        hostd.wait_event("GuestReady", lab.seconds(60), vm=name)
        used(lab, hostd, name, folder)
        lab.shut_down(hostd, guest, name)
        lab.stop_daemons()


def give_to_user(lab):
    for top in (lab.folder, lab.sockets):
        for path in (top, *top.rglob("*")):
            os.chown(path, USER, USER)


def used(lab, hostd, name, folder):
    need(not hostd.failures(), f"{name}: {hostd.failures()}")
    status, words = lab.run_in_guest(hostd, name, "sh", "-c",
                                     "cat /mnt/ro/from-host.txt && echo written >/mnt/rw/back")
    need((status, words) == (0, f"written on the host for {name}\n"), f"{name}: {status}: {words}")
    need((folder / "back").stat().st_uid == USER, f"owner {(folder / 'back').stat().st_uid}")
    status, words = lab.run_in_guest(hostd, name, "sh", "-c",
                                     "mount -o remount,rw /mnt/ro; touch /mnt/ro/new")
    need(status != 0 and not (folder / "new").exists(), f"{name}: {status}: {words}")
    lab.say(f"{name}: an ordinary user's share is read and written, and one that is read-only is not")
