"""Sizes: what is installed, what a guest boots from, what PID 1 and the daemon keep in memory."""

import re
import subprocess

import paths
import payload
from image import Image
from kernel import Kernel
from show import need
from wait import wait_for

TITLE = "sizes: programs (stripped), initramfs, resident memory"
PROGRAMS = ("guestlink-init", "guestlink-hostd", "guestlinkctl")
FIELDS = ("VmRSS", "RssAnon")
MEMORY = tuple(f"{name} {field}" for name in ("guestlink-init", "guestlink-hostd")
               for field in FIELDS)


def stripped_size(name, folder):
    copy = folder / f"{name}.stripped"
    subprocess.run(["strip", "-o", copy, paths.program(name)], check=True)
    return copy.stat().st_size


def initramfs_size(run):
    """As guestlink-mkinitramfs makes it for Debian's cloud kernel, with the stripped init."""
    kernel = Kernel("cloud")
    out = run.sockets / "initramfs"
    subprocess.run([paths.program("guestlink-mkinitramfs"), "--init",
                    run.sockets / "guestlink-init.stripped", "--root", kernel.folder,
                    kernel.release, out], check=True, stdout=subprocess.DEVNULL)
    return out.stat().st_size


def memory(run):
    """KiB of PID 1 in a guest at work with a share and an adapter, and of the daemon behind it."""
    lab = run
    image = Image(Kernel("cloud"))
    image.add_program("/sbin/guestlink-init", run.sockets / "guestlink-init.stripped")
    guest = lab.guest("sizes", "published", "quiet", image=image)
    hostd = lab.hostd([lab.usual_vm(guest, payload=["/bin/sh", "-c", payload.COUNTING])]).start()
    guest.start()
    hostd.wait_event("GuestReady", 120)
    status, words = wait_for("PID 1's status", 30, lambda: _exec(lab, hostd))
    need(status == 0, words)
    made = {f"guestlink-init {name}": _field(words, name) for name in FIELDS}
    with open(f"/proc/{hostd.process.pid}/status", encoding="utf-8") as file:
        text = file.read()
    made |= {f"guestlink-hostd {name}": _field(text, name) for name in FIELDS}
    lab.shut_down(hostd, guest)
    hostd.process.stop(10)
    return made


def _exec(lab, hostd):
    answer = lab.run_in_guest(hostd, "lab", "/bin/cat", "/proc/1/status")
    return answer if answer[0] == 0 else None


def _field(text, name):
    return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[1])


def measure(run, count):
    del count
    return {"bytes": {name: stripped_size(name, run.sockets) for name in PROGRAMS} |
            {"initramfs": initramfs_size(run)}, "resident_kib": memory(run)}


def table(result):
    for name, size in result["bytes"].items():
        yield f"{name:26} {size:10} bytes"
    for name, size in result["resident_kib"].items():
        yield f"{name:26} {size:10} KiB"
