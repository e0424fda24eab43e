"""A guest's first root: what guestlink-mkinitramfs makes, and BusyBox for payloads laid over it."""

import hashlib
import os
import subprocess

import paths
from cpio import Archive

BUSYBOX = "/bin/busybox"


def libraries(program):
    """What a dynamic program needs, its loader included: guestlink-init with sanitizers is one. The
    usual one is static and needs nothing."""
    listed = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True, check=False).stdout
    return [word for word in listed.split() if word.startswith("/")]


class Image:
    """Content is added, then write() makes the file.

    modules: names of modules that the guest needs besides the usual ones; options: of
    guestlink-mkinitramfs, besides."""

    def __init__(self, kernel, modules=(), options=()):
        self.archive = Archive()
        self.kernel = kernel
        self._options = [word for name in modules for word in ("--module", name)] + list(options)
        self._add_busybox()
        pool = paths.LAB / "pool" / kernel.release / "pool.ko"
        if pool.exists():
            self.archive.add_file("/lab/pool.ko", pool.read_bytes())

    def _base(self):
        """The image as a user would make it, with the stage as /init; made once and kept."""
        maker = paths.program("guestlink-mkinitramfs")
        stage = paths.LAB / "stage"
        key = hashlib.sha256(maker.read_bytes() + stage.read_bytes() +
                             " ".join([self.kernel.release, *self._options]).encode())
        base = paths.LAB / "images" / key.hexdigest()[:16]
        if not base.exists():
            base.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([maker, "--init", stage, "--root", self.kernel.folder, *self._options,
                            self.kernel.release, f"{base}.{os.getpid()}"], check=True)
            os.rename(f"{base}.{os.getpid()}", base)
        return base

    def _add_busybox(self):
        self.add_program("/bin/busybox", BUSYBOX)
        applets = subprocess.run([BUSYBOX, "--list"], stdout=subprocess.PIPE, text=True,
                                 check=True).stdout.split()
        for applet in applets:
            if applet not in ("busybox", "init"):
                self.archive.add_link(f"/bin/{applet}", "busybox")

    def add_init(self):
        program = paths.program("guestlink-init")
        self.add_program("/sbin/guestlink-init", program)
        for library in libraries(program):
            self.add_program(library, library)
        return self

    def add_program(self, path, source):
        with open(source, "rb") as file:
            self.archive.add_file(path, file.read(), 0o755)
        return self

    def add_script(self, path, text):
        self.archive.add_file(path, text.encode(), 0o755)
        return self

    def write(self, path):
        base = self._base().read_bytes()
        with open(path, "wb") as out:
            # One archive behind another, at a multiple of 4: the later one's files win.
            out.write(base + b"\0" * (-len(base) % 4))
            self.archive.write(out)
        return path
