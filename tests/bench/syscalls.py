"""The system calls of guestlink-init and of the least program, from execve(2) to the first frame:
is the yardstick honest? Told by strace, which traces PID 1 of a guest from a process of its own."""

import collections
import re

import agent
import first_frame
import paths
from guest import Guest
from listener import calls
from wait import wait_for

NAMES = ("least", "guestlink-init")
CALL = re.compile(r"^([a-z][a-z0-9_]*)\((.*)$", re.MULTILINE)


def trace(run, kernel, image, name):
    """Every call's name, in order, up to the one that sends the frame."""
    folder = run.sockets / f"strace-{name}"
    guest = Guest(folder, folder, kernel, image,
                  "quiet lab_kind=published swiotlb=8192,force iommu=soft hv_pci_swiotlb=16M "
                  f"lab_exec=/sbin/trace-{name}")
    with calls(guest):
        guest.start()
        try:
            text = wait_for(f"{name} to send its frame", 60, lambda: _until_frame(guest.console()))
        finally:
            guest.process.kill()
            guest.process.wait(10)
            guest.vsock.stop()
    return [call for call, _ in CALL.findall(text)]


def _until_frame(console):
    found = re.search(r'^(?:write|send|sendto|sendmsg)\(\d+, .*GLNK', console, re.MULTILINE)
    return console[:found.end()] if found else None


def measure(run):
    kernel, image, _ = first_frame.make_image(run, NAMES, trace_with(NAMES))
    return {name: trace(run, kernel, image, name) for name in NAMES}


def trace_with(names):
    """What an image needs besides, to trace those programs."""
    def lay_over(image):
        image.add_program("/usr/bin/strace", "/usr/bin/strace")
        for name, path in agent.libraries("/usr/bin/strace", paths.LAB).items():
            image.add_program(name if name.startswith("/") else f"/lib/x86_64-linux-gnu/{name}",
                              path)
        for name in names:
            # -D: strace is the child, and the traced program stays PID 1
            image.add_script(f"/sbin/trace-{name}",
                             f"#!/bin/sh\nexec /usr/bin/strace -D -s 8 /sbin/{name}\n")
    return lay_over


def table(result):
    counts = {name: collections.Counter(order) for name, order in result.items()}
    yield f"{'system calls up to the frame':28} " + "".join(f"{name:>16}" for name in NAMES)
    for call in sorted(set().union(*counts.values())):
        row = [counts[name][call] for name in NAMES]
        yield (f"{call:28} " + "".join(f"{count:16}" for count in row) +
               ("" if row[0] == row[1] else "  *"))
    yield f"{'in all':28} " + "".join(f"{len(result[name]):16}" for name in NAMES)
