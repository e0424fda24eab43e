"""One run of the lab: a folder for what is worth keeping (build/lab/runs/<time>), a short one for
sockets (a Unix socket's path has at most 107 bytes), and the end of all that was started."""

import atexit
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import paths
import process
from guest import Guest
from hostd import Hostd
from image import Image
from kernel import Kernel

KEPT_RUNS = 20
REPORT = re.compile("ERROR: (Address|Leak)Sanitizer|runtime error:|SUMMARY: [A-Za-z]+Sanitizer")


def new_folder():
    """A folder for this run; LAB_RUN names it, for a lab inside the lab."""
    asked = os.environ.get("LAB_RUN")
    if asked:
        folder = pathlib.Path(asked)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    paths.RUNS.mkdir(parents=True, exist_ok=True)
    base = paths.RUNS / time.strftime("%Y%m%d-%H%M%S")
    folder, number = base, 1
    while not _take(folder):
        number += 1
        folder = base.with_name(f"{base.name}.{number}")
    for old in sorted(paths.RUNS.iterdir())[:-KEPT_RUNS]:
        if _lock(old) is not None:
            shutil.rmtree(old, ignore_errors=True)
    return folder


def _take(folder):
    """Makes a folder that nobody has; it is this process' until its end."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return _lock(folder) is not None


def _lock(folder):
    """A descriptor that holds the folder's lock for as long as it is open, which is until this
    process ends; None if another run has the folder, or it is gone."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


POOL = 64 << 20  # bytes

# What each kind's kernel is told of the pool. Bouncing is forced where there is one: a stock
# kernel would have its default pool else, and be neither old nor failed.
FORCED = f"swiotlb={POOL // 2048},force iommu=soft hv_pci_swiotlb={POOL}"
WORDS = {
    "published": FORCED,
    "stock": FORCED,
    "old": f"hv_pci_swiotlb={POOL}",
    "failed": f"hv_pci_swiotlb={POOL}",
}


def _short(line):
    """A line as it is, but an event of telemetry without what is the same in each."""
    try:
        event = json.loads(line)
        return " ".join([event.pop("event")] + [f"{key}={value}" for key, value in event.items()
                                                if key not in ("vm_id", "boot_id")])
    except (ValueError, KeyError, AttributeError):
        return line.rstrip()


class Run:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.sockets = pathlib.Path(tempfile.mkdtemp(prefix="glab."))
        self._images = {}
        atexit.register(self.end)

    def image(self, kind="cloud"):
        """The usual image, made once."""
        if kind not in self._images:
            kernel = Kernel(kind)
            if "LAB_NESTED" in os.environ:
                kernel.image = kernel.uncompressed(self.sockets / f"kernel-{kind}")
            path = Image(kernel).add_init().write(self.sockets / f"image-{kind}")
            self._images[kind] = (kernel, path)
        return self._images[kind]

    def guest(self, name, kind="published", cmdline="", kernel="cloud", image=None, **more):
        """A guest of one of the four kinds (stage/stage.c), with the usual image or another."""
        kernel, image = self.image(kernel) if image is None else (image.kernel, self.write(image))
        return Guest(self.folder / name, self.sockets / name, kernel, image,
                     f"lab_kind={kind} {WORDS[kind]} {cmdline}", **more)

    def write(self, image):
        return image.write(self.sockets / f"image-{id(image)}")

    def compile(self, name):
        """A program of tests/lab/programs for guests: static."""
        program = self.sockets / name
        source = pathlib.Path(__file__).with_name("programs") / f"{name}.c"
        subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-static", "-Wall", "-Wextra",
                        "-Werror", "-o", program, source], check=True)
        return program

    def hostd(self, vms, **more):
        return Hostd(self.folder, self.sockets, vms, **more)

    def share_folder(self, name):
        """A folder of the host for a share, with a file to be read in the guest."""
        folder = self.folder / "shares" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "from-host.txt").write_text(f"written on the host for {name}\n")
        return folder

    def last_words(self, count=4):
        """What was seen last: of each daemon's telemetry, its log, and each guest's console."""
        for name in ("telemetry.jsonl", "hostd.log", "console.log"):
            for log in sorted(self.folder.rglob(name)):
                for line in log.read_text(errors="replace").splitlines()[-count:]:
                    yield f"{log.relative_to(self.folder)}: {_short(line)}"

    def reports(self):
        """Lines that sanitizers wrote into the logs: of the daemon, or on a guest's console."""
        return [line for log in sorted(self.folder.rglob("*.log"))
                for line in log.read_text(errors="replace").splitlines() if REPORT.search(line)]

    def end(self):
        """Ends all processes of this run, those that hostd left behind on purpose included."""
        process.stop_all()
        for place in (self.sockets, self.folder / "shares"):
            for pid in process.pids_with(str(place)):
                process.kill_pid(pid)
        shutil.rmtree(self.sockets, ignore_errors=True)


def exit_on_signals():
    """SIGTERM and SIGINT run what atexit knows, as any end does."""
    def stop(number, frame):
        del frame
        sys.exit(128 + number)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
