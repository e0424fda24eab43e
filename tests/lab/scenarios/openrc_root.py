"""A Debian root with OpenRC on a partitioned disk: payload, share and name servers in it; its own power-off."""

import subprocess

import debian_root
from disk import FIRST, BLOCK, make_gpt
from hostd import adapter, share, vm_settings
from image import Image
from kernel import Kernel
from show import need
from wait import wait_for

PACKAGES = ["sysvinit-core", "openrc"]
PART_UUID = "0b2d6f6e-1c9e-4f55-9f2a-6f1f3c5d7e90"


def play(lab):
    why_not = debian_root.why_not()
    if why_not:
        lab.skip(why_not)
    root = debian_root.make(PACKAGES)
    filesystem = debian_root.make_ext4(root, lab.sockets / "root.ext4", "lab-root")
    disk = make_gpt(filesystem, lab.sockets / "disk", PART_UUID, "root")
    image = Image(Kernel(), ["virtio_blk", "ext4"]).add_init()
    guest = lab.guest("lab", "old", f"guestlink.root=PARTUUID={PART_UUID}", image=image, extra=[
        "-drive", f"file={disk},format=raw,if=none,id=root", "-device", "virtio-blk-pci,drive=root"])
    payload = {"argv": ["/bin/sh", "-c", "test -e /etc/debian_version && exit 3"],
               "restart": "on-failure", "output": True}
    settings = vm_settings(guest, network=[adapter()], payload=payload,
                           shares=[share("c", lab.share_folder("lab"), "/mnt/c")])
    hostd = lab.hostd([settings]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(90))
    hostd.wait_event("ChildExit", lab.seconds(60), count=2, status=3)
    need(not hostd.failures(), f"{hostd.failures()}")
    lab.say("the payload runs in the real root, and each of its ends is told")
    status, words = lab.run_in_guest(hostd, "lab", "/bin/sh", "-c", "cat /proc/1/comm /etc/resolv.conf "
                                     "/mnt/c/from-host.txt; grep -c . /etc/debian_version")
    need(status == 0 and words.startswith("init\n") and "nameserver 10.0.2.3" in words and
         "written on the host" in words, f"{status}: {words}")
    wait_for("OpenRC to have started all that it starts", lab.seconds(30), lambda: lab.run_in_guest(
        hostd, "lab", "/bin/rc-status", "-r")[1].strip() == "default", 1)
    lab.need_alive(hostd)
    status, words = lab.control(hostd, "shutdown", "lab", seconds=60)
    need(status == 0, f"shutdown: {status}: {words}")
    farewell = hostd.wait_event("GuestFarewell", lab.seconds(60))
    need(guest.wait_off(lab.seconds(60)) == 0, "QEMU did not end with status 0")
    lab.say(f"farewell: {farewell['how']} by {farewell['reason']}; its own init powered off")
    checked = subprocess.run(["e2fsck", "-fn", f"{disk}?offset={FIRST * BLOCK}"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, check=False)
    need(checked.returncode == 0 and "recover" not in checked.stdout, checked.stdout)
    lab.say("its filesystem is clean")
