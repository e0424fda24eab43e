"""A host with a real systemd: a virtual machine whose userland is Debian installs the packages, runs
a guest by the units over the kernel's own vhost-vsock, and is looked at as an operator does.

    tests/lab/systemd_host.py DEBS NEWER ROOT    DEBS, NEWER: folders with the packages, and of a
                                                 newer version; ROOT: an ext4 image with systemd
                                                 (setup.d/debian.bash)

Exit 0: all of it held. tests/host/inside is what runs there."""

import shutil
import sys

import paths
from guest import Guest, acceleration
from image import Image
from kernel import Kernel
from nested import Outer
from run import exit_on_signals, new_folder
from wait import TimedOut, wait_for

# Virtual machine in virtual machine, both emulated: four minutes on two cores
# that have nothing else to do, and much longer on busy ones.
SECONDS = 840
MEMORY_MIB = 2560

# PID 1 until systemd: the kernel's modules and the folder that is shared come from the lab.
_INIT = """#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r path needs; do
    case $path in
    /*) insmod "$path" || echo "host: cannot load $path" ;;
    esac
done </etc/guestlink/modules
mkdir -p /new
mount -t ext4 /dev/vda /new || echo "host: no root"
mount -t tmpfs -o mode=755 run /new/run
mkdir -p /new/lab /new/lib/modules /new/boot /new/run/kernel /new/run/systemd/system
mount -t virtiofs lab /new/lab || echo "host: no folder of the lab"
mount -t virtiofs -o ro kernel /new/run/kernel || echo "host: no kernel"
mount -o bind /new/run/kernel/lib/modules /new/lib/modules
mount -o bind /new/run/kernel/boot /new/boot
cat >/new/run/systemd/system/lab.service <<END
[Unit]
After=multi-user.target
[Service]
ExecStart=/bin/sh -c '/lab/inside >/lab/output 2>&1; echo \\$\\$? >/lab/status'
ExecStopPost=/bin/sh -c 'journalctl --no-pager >/lab/journal; systemctl poweroff --no-block'
END
mkdir -p /new/run/systemd/system/multi-user.target.wants
ln -s ../lab.service /new/run/systemd/system/multi-user.target.wants/lab.service
exec switch_root /new /sbin/init
"""


class Host(Outer):
    """The virtual machine; what it is to see lies in its folder of results, there called /lab."""

    def __init__(self, folder, debs, newer, root):
        super().__init__(folder, "true", {})
        self._root = root
        shutil.copytree(debs, self._results / "debs")
        shutil.copytree(newer, self._results / "newer")
        shutil.copy(paths.ROOT / "tests/host/inside", self._results)
        shutil.copy(paths.ROOT / "README.md", self._results)

    def start(self):
        # The larger one has 9P, too.
        kernel = Kernel("full" if (paths.LAB / "kernel/full/complete").exists() else "cloud")
        image = Image(kernel, ["virtio_blk", "ext4"])
        image.add_script("/sbin/host", _INIT)
        image.write(self._sockets / "image")
        devices = self._serve("lab", self._results) + self._serve("kernel", kernel.folder)
        # Emulation offers SVM, but a KVM on top of that is slower than emulation once more.
        without = "module_blacklist=kvm_amd,kvm_intel" if "tcg" in acceleration() else ""
        disk = ["-drive", f"if=virtio,format=raw,snapshot=on,file={self._root}"]
        self.guest = Guest(self.folder, self._sockets, kernel, self._sockets / "image",
                           f"lab_exec=/sbin/host quiet {without}", memory_mib=MEMORY_MIB,
                           vsock_device=False, extra=["-smp", "2", *devices, *disk])
        self.guest.start()
        return self


def main():
    exit_on_signals()
    folder = new_folder()
    host = Host(folder, *sys.argv[1:4]).start()
    shown = 0

    def ended():
        nonlocal shown
        text = host.output()
        sys.stdout.write(text[shown:])
        sys.stdout.flush()
        shown = len(text)
        return not host.guest.process.alive()

    try:
        wait_for("the end of the host's machine", SECONDS, ended, step=0.2)
    except TimedOut as error:
        print(f"{error}; its console is in {host.guest.console_file}")
        return 1
    ended()
    status, words = host.wait(1)
    print(f"logs: {folder}")
    if status != 0:
        failures = [line for line in words.splitlines() if "FAILED" in line]
        print(failures[0].strip() if failures else f"it ended with status {status}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
