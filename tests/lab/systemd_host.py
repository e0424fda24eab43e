"""A host with a real systemd: a virtual machine whose userland is Debian installs the packages, runs
a guest by the units over the kernel's own vhost-vsock, and is looked at as an operator does.

    tests/lab/systemd_host.py WALK DEBS NEWER ROOT README
        WALK: what runs there: tests/host/inside or tests/host/upgrade
        DEBS, NEWER: folders with the packages, and of a newer version
        ROOT: an ext4 image with systemd (setup.d/debian.bash)
        README: whose five minutes are walked through

Exit 0: all of it held."""

import shutil
import sys
import xml.etree.ElementTree as xml

import domain
import paths
from guest import NESTED, NESTED_CPU, Guest, acceleration
from image import Image
from kernel import Kernel
from nested import INIT_HEAD, Outer
from run import exit_on_signals, new_folder
from wait import TimedOut

# Virtual machine in virtual machine, both emulated: three or four minutes on two cores that have
# nothing else to do, and much longer on busy ones.
SECONDS = 1740
MEMORY_MIB = 2560

# PID 1 until systemd: the kernel's modules and the folder that is shared come from the lab.
_INIT = INIT_HEAD + """\
mkdir -p /new
mount -t ext4 /dev/vda /new || echo "host: no root"
mount -t tmpfs -o mode=755 run /new/run
mkdir -p /new/lab /new/lib/modules /new/boot /new/run/kernel /new/run/systemd/system
mount -t virtiofs lab /new/lab || echo "host: no folder of the lab"
mount -t virtiofs -o ro kernel /new/run/kernel || echo "host: no kernel"
mount -o bind /new/run/kernel/lib/modules /new/lib/modules
mount -o bind /new/lab/boot /new/boot
cat >/new/run/systemd/system/lab.service <<END
[Unit]
After=multi-user.target
[Service]
ExecStart=/bin/sh -c '/lab/walk >/lab/output 2>&1; echo \\$\\$? >/lab/status'
ExecStopPost=/bin/sh -c 'journalctl --no-pager >/lab/journal; systemctl poweroff --no-block'
END
mkdir -p /new/run/systemd/system/multi-user.target.wants
ln -s ../lab.service /new/run/systemd/system/multi-user.target.wants/lab.service
exec switch_root /new /sbin/init
"""


class Host(Outer):
    """The virtual machine; what it is to see lies in its folder of results, there called /lab."""

    def __init__(self, folder, walk, debs, newer, root, readme):
        super().__init__(folder, "true", {})
        self._root = root
        self._emulated = "tcg" in acceleration()
        shutil.copytree(debs, self._results / "debs")
        shutil.copytree(newer, self._results / "newer")
        shutil.copy(walk, self._results / "walk")
        shutil.copy(readme, self._results / "README.md")
        for file in ("tests/host/inside.bash", "tests/host/hostile", "hostd/fleet.md"):
            shutil.copy(paths.ROOT / file, self._results)
        (self._results / "cmdline").write_text(f"quiet {NESTED}\n")
        (self._results / "accel").write_text("tcg\n" if self._emulated else "kvm\n")
        (self._results / "qemu-args").write_text(
            f"-cpu {NESTED_CPU}\n" if self._emulated else "\n")
        (self._results / "domain.xml").write_text(self._domain())
        frame = (paths.ROOT / "tests/vectors/y_capabilities_published.hex").read_text()
        (self._results / "capabilities").write_bytes(
            bytes.fromhex("".join(line.split("#")[0] for line in frame.splitlines())))

    def _domain(self):
        """The manual page's, which has a vsock device here; the other VM has the CID that it names."""
        top = xml.fromstring(domain.example())
        if self._emulated:
            domain.emulated(top, nested=True)
        top.find("name").text = "virt"
        top.find("devices/vsock/cid").set("address", "6")
        top.find("devices").remove(top.find("devices/channel"))
        top.find("os/cmdline").text = f"{top.find('os/cmdline').text} {NESTED}"
        return xml.tostring(top, encoding="unicode") + "\n"

    def start(self):
        # The larger one has 9P, too.
        kernel = Kernel("full" if (paths.LAB / "kernel/full/complete").exists() else "cloud")
        # The guest in this guest boots it, too.
        boot = self._results / "boot"
        boot.mkdir()
        kernel.image = kernel.uncompressed(boot / kernel.image.name)
        image = Image(kernel, ["virtio_blk", "ext4"])
        image.add_script("/sbin/host", _INIT)
        image.write(self._sockets / "image")
        devices = self._serve("lab", self._results) + self._serve("kernel", kernel.folder)
        # Emulation offers SVM, but a KVM on top of that is slower than emulation once more.
        without = "module_blacklist=kvm_amd,kvm_intel" if self._emulated else ""
        disk = ["-drive", f"if=virtio,format=raw,snapshot=on,file={self._root}"]
        self.guest = Guest(self.folder, self._sockets, kernel, self._sockets / "image",
                           f"lab_exec=/sbin/host quiet {without}", memory_mib=MEMORY_MIB,
                           vsock_device=False, extra=["-smp", "2", *devices, *disk], nested=True)
        self.guest.start()
        return self


def main():
    exit_on_signals()
    folder = new_folder()
    try:
        status, words = Host(folder, *sys.argv[1:6]).start().show(SECONDS)
    except (TimedOut, RuntimeError) as error:
        print(error)
        return 1
    print(f"logs: {folder}")
    if status != 0:
        failures = [line for line in words.splitlines() if "FAILED" in line]
        print(failures[0].strip() if failures else f"it ended with status {status}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
