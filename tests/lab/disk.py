"""A disk with a GUID partition table, whose one partition holds a given filesystem."""

import binascii
import struct
import subprocess
import uuid

BLOCK = 512
FIRST = 2048  # where everybody's first partition begins, in blocks
_LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
_ENTRIES, _ENTRY = 128, 128


def make_gpt(filesystem, path, part_uuid, label):
    """Writes the disk; part_uuid and label name its partition (PARTUUID=, PARTLABEL=)."""
    last = FIRST + filesystem.stat().st_size // BLOCK - 1
    blocks = last + 1 + 33
    entry = struct.pack("<16s16sQQQ72s", _LINUX.bytes_le, uuid.UUID(part_uuid).bytes_le, FIRST, last,
                        0, label.encode("utf-16-le"))
    entries = entry.ljust(_ENTRIES * _ENTRY, b"\0")

    def header(own, other, table):
        fixed = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, own, other, 34,
                            last, uuid.uuid5(uuid.UUID(part_uuid), "disk").bytes_le, table,
                            _ENTRIES, _ENTRY, binascii.crc32(entries))
        return fixed[:16] + struct.pack("<I", binascii.crc32(fixed)) + fixed[20:]

    protective = b"\0" * 446 + struct.pack("<8BII", 0, 0, 2, 0, 0xee, 255, 255, 255, 1, blocks - 1)
    with open(path, "wb") as disk:
        disk.write(protective.ljust(510, b"\0") + b"\x55\xaa")
        disk.write(header(1, blocks - 1, 2).ljust(BLOCK, b"\0") + entries)
        disk.seek((last + 1) * BLOCK)
        disk.write(entries + header(blocks - 1, 1, blocks - 33).ljust(BLOCK, b"\0"))
    subprocess.run(["dd", f"if={filesystem}", f"of={path}", "bs=1M", "oflag=seek_bytes",
                    f"seek={FIRST * BLOCK}", "conv=notrunc,sparse", "status=none"], check=True)
    return path
