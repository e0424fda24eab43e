"""A file written and not synced right before the power-off is whole: on a share, on a disk."""

import hashlib
import subprocess

import debian_root
from image import Image
from kernel import Kernel
from show import need

SCRIPT = """mkdir /disk && mount -t ext4 /dev/vda /disk || exit 1
dd if=/dev/urandom of=/mnt/c/big bs=64k count=128 2>/dev/null && cp /mnt/c/big /disk/big
dd if=/dev/zero of=/disk/swap bs=64k count=64 2>/dev/null && mkswap /disk/swap >/dev/null
swapon /disk/swap || exit 1
cd /disk && sleep 1000 &
sha256sum /mnt/c/big"""


def play(lab):
    disk = debian_root.make_ext4(lab.share_folder("disk"), lab.sockets / "disk.ext4", "disk", 32)
    image = Image(Kernel(), ["virtio_blk", "ext4"]).add_init()
    guest = lab.guest("lab", "failed", image=image, extra=[
        "-drive", f"file={disk},format=raw,if=none,id=disk",
        "-device", "virtio-blk-pci,drive=disk"])
    hostd = lab.hostd([lab.counting_vm(guest)]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    status, words = lab.run_in_guest(hostd, "lab", "/bin/sh", "-c", SCRIPT)
    need(status == 0, f"{status}: {words}")
    first = subprocess.Popen(hostd.ctl("shutdown", "lab"))
    second = subprocess.Popen(hostd.ctl("shutdown", "lab"))
    need(guest.wait_off(lab.seconds(30)) == 0, "QEMU did not end with status 0")
    need(first.wait(lab.seconds(10)) == 0, "the first request to shut down failed")
    second.wait(lab.seconds(10))
    need(len(hostd.events("GuestFarewell")) == 1, "not one farewell")
    content = (lab.folder / "shares/lab/big").read_bytes()
    need(len(content) == 128 << 16, f"{len(content)} bytes on the host")
    need(hashlib.sha256(content).hexdigest() == words.split()[0], "other bytes on the host")
    lab.say(f"{len(content)} bytes are on the host as the guest wrote them")
    on_disk(lab, disk, content)


def on_disk(lab, disk, content):
    """It was unmounted, though a program stood in it until the end, and the kernel swapped to it."""
    checked = subprocess.run(["e2fsck", "-fn", disk], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, check=False)
    need(checked.returncode == 0 and "recover" not in checked.stdout, checked.stdout)
    shown = subprocess.run(["dumpe2fs", "-h", disk], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True, check=True).stdout
    need("needs_recovery" not in shown and "clean\n" in shown, shown)
    read = subprocess.run(["debugfs", "-R", "cat /big", disk], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True).stdout
    need(read == content, f"{len(read)} other bytes on the disk")
    lab.say("and on a disk, whose filesystem is clean")
