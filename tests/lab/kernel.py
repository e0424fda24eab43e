"""A distribution's kernel, as tests/lab/setup unpacked it: its image and its modules."""

import gzip
import lzma
import pathlib
import subprocess

from paths import LAB

# What the handshake needs, and what a guest may need after it. A name that this kernel does not
# have as a module is built in, or not there at all.
HANDSHAKE = ["virtio_pci", "vmw_vsock_virtio_transport"]
AFTERWARDS = ["virtiofs", "virtio_net", "overlay", "9p", "9pnet_fd"]


def module_name(path):
    """`kernel/fs/fuse/virtio-fs.ko.xz` is virtio_fs to modprobe, and to guestlink."""
    return pathlib.PurePath(path).name.split(".ko")[0].replace("-", "_")


class Kernel:
    def __init__(self, kind="cloud"):
        self.folder = LAB / "kernel" / kind
        if not (self.folder / "complete").exists():
            raise FileNotFoundError(f"{self.folder} has no kernel: run tests/lab/setup first")
        (modules,) = (self.folder / "lib/modules").iterdir()
        self.release = modules.name
        self.image = self.folder / f"boot/vmlinuz-{self.release}"
        self._modules = modules
        self._depends = self._read_depends()

    def _read_depends(self):
        depends = {}
        for line in (self._modules / "modules.dep").read_text().splitlines():
            path, _, needs = line.partition(":")
            depends[module_name(path)] = (path, [module_name(need) for need in needs.split()])
        return depends

    def closure(self, names):
        """The modules that names need, themselves included, each after what it needs."""
        order = []

        def visit(name):
            if name in self._depends and name not in order:
                for need in self._depends[name][1]:
                    visit(need)
                order.append(name)

        for name in names:
            visit(name)
        return order

    def has(self, name):
        return name in self._depends

    def module_path(self, name):
        """Where a module is in a guest's root: uncompressed, whatever it is on the host."""
        path = self._depends[name][0].partition(".ko")[0] + ".ko"
        return f"/lib/modules/{self.release}/{path}"

    def module_needs(self, name):
        return self._depends[name][1]

    def module_bytes(self, name):
        path = self._modules / self._depends[name][0]
        content = path.read_bytes()
        if path.suffix == ".xz":
            return lzma.decompress(content)
        if path.suffix == ".gz":
            return gzip.decompress(content)
        if path.suffix == ".zst":
            return subprocess.run(["zstd", "-dcq"], input=content, stdout=subprocess.PIPE,
                                  check=True).stdout
        return content
