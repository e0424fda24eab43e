"""A distribution's kernel, as tests/lab/setup unpacked it: its image and its modules."""

import lzma
import struct

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

    def uncompressed(self, path):
        """Writes the image to path, without its compression if that is XZ, and returns path. QEMU
        boots it so, too; to unpack it takes a minute where an emulated machine emulates another."""
        image = self.image.read_bytes()
        # Linux' Documentation/x86/boot.rst: setup_sects, payload_offset, payload_length.
        offset, length = struct.unpack_from("<II", image, 0x248)
        start = (image[0x1f1] + 1) * 512 + offset
        payload = image[start:start + length]
        if payload.startswith(b"\xfd7zXZ\0"):
            image = lzma.LZMADecompressor().decompress(payload)
        path.write_bytes(image)
        return path
