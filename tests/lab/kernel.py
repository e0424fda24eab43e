"""A distribution's kernel, as tests/lab/setup unpacked it: its image and its modules."""

from paths import LAB


class Kernel:
    def __init__(self, kind="cloud"):
        self.folder = LAB / "kernel" / kind
        if not (self.folder / "complete").exists():
            raise FileNotFoundError(f"{self.folder} has no kernel: run tests/lab/setup first")
        (modules,) = (self.folder / "lib/modules").iterdir()
        self.release = modules.name
        self.image = self.folder / f"boot/vmlinuz-{self.release}"
        self._modules = modules

    def has(self, name):
        """True if it has this as a module."""
        return f"/{name}.ko" in (self._modules / "modules.dep").read_text()
