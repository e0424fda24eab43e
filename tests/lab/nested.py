"""The lab inside an outer guest, whose kernel has vhost-vsock: there the inner guests' calls arrive
on real AF_VSOCK on the host's side too.

The outer guest's root is this machine's, read-only through virtiofs, with a tmpfs over it; one
folder of the run is shared for writing, and what the command left in it is the result."""

import os
import pathlib
import shutil
import sys
import tempfile

import newer
import paths
from guest import NESTED_CPU, Guest, acceleration
from hostd import virtiofsd
from image import Image
from kernel import Kernel
from process import Process
from wait import TimedOut, patient, wait_for

# The latter two for network namespaces (network.py).
_MODULES = ["overlay", "vhost_vsock", "bridge", "tun"]
# PID 1 of an outer guest, its beginning.
INIT_HEAD = """#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r path needs; do
    case $path in
    /*) insmod "$path" || echo "outer: cannot load $path" ;;
    esac
done </etc/guestlink/modules
"""
_INIT = INIT_HEAD + """\
mkdir -p /lower /rw /new
mount -t virtiofs -o ro root /lower || echo "outer: no root"
mount -t tmpfs -o mode=755 rw /rw
mkdir /rw/upper /rw/work
mount -t overlay -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work root /new
for folder in proc sys dev; do mount -o move "/$folder" "/new/$folder"; done
mount -t tmpfs -o mode=755 run /new/run
mkdir -p /new/dev/shm /new{results}
mount -t tmpfs shm /new/dev/shm
mount -t virtiofs results /new{results} || echo "outer: no results"
ifconfig lo 127.0.0.1 up
chroot /new /bin/sh {results}/command >/new{results}/output 2>&1
echo $? >/new{results}/status
umount /new{results}
echo "outer: done"
poweroff -f
"""
MEMORY_MIB = 2048
# What a QEMU 10 runs on. The emulation of its own is right about cmpxchg16b (guest.py).
_NEWER_CPU = NESTED_CPU.removesuffix(",-cx16") + ",+cx16,+ssse3,+sse4.1,+sse4.2,+popcnt"


class Outer:
    """Runs a command in an outer guest; folder is shared with it under the same path."""

    def __init__(self, folder, command, environment, newer_qemu=False):
        """newer_qemu: inside, the next Debian's is to run, so it is the outer one's, too."""
        self.folder = folder
        self._qemu = {"qemu": newer.qemu()} if newer_qemu and newer.qemu() else {}
        folder.mkdir(parents=True, exist_ok=True)
        self._results = folder / "results"
        self._results.mkdir(exist_ok=True)
        self._sockets = pathlib.Path(tempfile.mkdtemp(prefix="glab."))
        exports = "".join(f"export {key}='{value}'\n" for key, value in environment.items())
        (self._results / "command").write_text(
            "export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root\n" + exports +
            f"cd '{paths.ROOT}' && exec {command}\n")
        self.guest = None

    def start(self):
        kernel = Kernel(os.environ.get("LAB_OUTER", "cloud"))
        image = Image(kernel, _MODULES)
        image.add_script("/sbin/outer", _INIT.replace("{results}", str(self._results)))
        image.write(self._sockets / "image")
        devices = self._serve("root", "/") + self._serve("results", self._results)
        self.guest = Guest(self.folder, self._sockets, kernel, self._sockets / "image",
                           "lab_exec=/sbin/outer quiet", memory_mib=MEMORY_MIB,
                           extra=["-smp", "2", *devices, *self._processor()],
                           vsock_device=False, nested=True, **self._qemu)
        self.guest.start()
        return self

    def _processor(self):
        return ["-cpu", _NEWER_CPU] if self._qemu and acceleration()[1] == "tcg" else []

    def _serve(self, tag, path):
        socket = self._sockets / f"{tag}.sock"
        program = virtiofsd()
        # A sandbox of its own would have to pivot_root away from /, which cannot be done to /.
        if "qemu" in program:
            argv = [program, f"--socket-path={socket}", "-o", f"source={path}",
                    "-o", "sandbox=chroot", "-o", "cache=always"]
        else:
            argv = [program, f"--socket-path={socket}", "--shared-dir", path,
                    "--sandbox", "chroot", "--cache", "always",
                    # An overlay takes no folder below which the kernel would mount something.
                    "--no-announce-submounts"]
        Process("virtiofsd", argv, self.folder / f"{tag}.log")
        wait_for(f"virtiofsd's socket for {path}", patient(10), socket.exists)
        return ["-chardev", f"socket,id={tag},path={socket}",
                "-device", f"vhost-user-fs-pci,chardev={tag},tag={tag}"]

    def show(self, seconds):
        """Shows the command's words as they come, until the machine is off; returns the command's
        status and all its words."""
        shown = 0

        def ended():
            nonlocal shown
            off = not self.guest.process.alive()
            text = self._output()
            sys.stdout.write(text[shown:])
            sys.stdout.flush()
            shown = len(text)
            return off

        try:
            wait_for(f"the end of the outer guest, whose console is in {self.guest.console_file},",
                     seconds, ended, step=0.2)
        finally:
            self.guest.process.kill()
            shutil.rmtree(self._sockets, ignore_errors=True)
        status = self._results / "status"
        if not status.exists():
            raise RuntimeError(f"the outer guest ended without a result; its console is in "
                               f"{self.guest.console_file}")
        return int(status.read_text()), self._output()

    def _output(self):
        output = self._results / "output"
        return output.read_text(errors="replace") if output.exists() else ""


def repeat(command, folder, seconds, newer_qemu=False):
    """Runs command in an outer guest with its run folder in ours; shows its words as they come and
    returns its status."""
    print("  No vsock device for guests is to be had on this machine itself: this goes on in a VM\n"
          "  inside a VM, which takes about a minute longer.", flush=True)
    passed = ("LAB_HOSTD_WRAPPER", "ASAN_OPTIONS", "UBSAN_OPTIONS")
    outer = Outer(folder, command, {
        **{name: os.environ[name] for name in passed if name in os.environ},
        "LAB_VSOCK": "vhost", "LAB_NESTED": "1", "LAB_BUILD": str(paths.BUILD),
        "LAB_RUN": str(folder / "results" / "run")}, newer_qemu).start()
    try:
        return outer.show(seconds)[0]
    except (TimedOut, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
