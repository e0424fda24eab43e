"""A guest's first root: init, the modules that it loads, BusyBox for the payload."""

import subprocess

import paths
from cpio import Archive
from kernel import AFTERWARDS, HANDSHAKE

BUSYBOX = "/bin/busybox"


def module_list(kernel, handshake, afterwards):
    """The text of /etc/guestlink/modules, and the names on it."""
    first = kernel.closure(handshake)
    rest = [name for name in kernel.closure(afterwards) if name not in first]

    def line(name):
        return " ".join([kernel.module_path(name), *kernel.module_needs(name)])

    lines = [line(name) for name in first] + ["-"] + [line(name) for name in rest]
    return "\n".join(lines) + "\n", first + rest


class Image:
    """Content is added, then write() makes the file."""

    def __init__(self, kernel, handshake=None, afterwards=None):
        self.archive = Archive()
        self.kernel = kernel
        for folder in ("dev", "etc", "mnt", "proc", "root", "run", "sys", "tmp"):
            self.archive.add_directory(folder)
        self._add_modules(HANDSHAKE if handshake is None else handshake,
                          AFTERWARDS if afterwards is None else afterwards)
        self._add_busybox()
        self.add_program("/init", paths.LAB / "stage")
        pool = paths.LAB / "pool" / kernel.release / "pool.ko"
        if pool.exists():
            self.archive.add_file("/lab/pool.ko", pool.read_bytes())

    def _add_modules(self, handshake, afterwards):
        text, names = module_list(self.kernel, handshake, afterwards)
        self.archive.add_file("/etc/guestlink/modules", text.encode())
        for name in names:
            self.archive.add_file(self.kernel.module_path(name), self.kernel.module_bytes(name))

    def _add_busybox(self):
        self.add_program("/bin/busybox", BUSYBOX)
        applets = subprocess.run([BUSYBOX, "--list"], stdout=subprocess.PIPE, text=True,
                                 check=True).stdout.split()
        for applet in applets:
            if applet not in ("busybox", "init"):
                self.archive.add_link(f"/bin/{applet}", "busybox")

    def add_init(self):
        self.add_program("/sbin/guestlink-init", paths.program("guestlink-init"))
        return self

    def add_program(self, path, source):
        with open(source, "rb") as file:
            self.archive.add_file(path, file.read(), 0o755)
        return self

    def add_script(self, path, text):
        self.archive.add_file(path, text.encode(), 0o755)
        return self

    def write(self, path):
        with open(path, "wb") as out:
            self.archive.write(out)
        return path
