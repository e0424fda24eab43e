"""The archive that a kernel unpacks as its first root: cpio's "newc" form.

The same content gives the same bytes: sorted, owned by root, without times."""

import stat


class Archive:
    def __init__(self):
        self._entries = {}

    def add_directory(self, path, mode=0o755):
        self._add(path, stat.S_IFDIR | mode, b"")

    def add_file(self, path, content, mode=0o644):
        self._add(path, stat.S_IFREG | mode, content)

    def add_link(self, path, target):
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def _add(self, path, mode, content):
        path = path.strip("/")
        parent = path.rpartition("/")[0]
        if parent and parent not in self._entries:
            self.add_directory(parent)
        self._entries[path] = (mode, content)

    def write(self, out):
        # A folder's name is a prefix of what is in it, so that sorting puts it first.
        for number, path in enumerate(sorted(self._entries), 1):
            mode, content = self._entries[path]
            _write_entry(out, number, path, mode, content)
        _write_entry(out, 0, "TRAILER!!!", 0, b"")


def _write_entry(out, inode, path, mode, content):
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = [inode, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name), 0]
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    out.write(_padded(header + name))
    out.write(_padded(content))


def _padded(data):
    return data + b"\0" * (-len(data) % 4)
