"""9P2000.L, as a guest's root may speak it: no name, number or size is checked before it is sent.

https://github.com/chaos/diod/blob/master/protocol.md has the messages."""

import contextlib
import socket
import struct

NO_TAG, NO_FID, NO_UID = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
LERROR = 7
LOPEN, LCREATE, SYMLINK, MKNOD, RENAME, READLINK, GETATTR, SETATTR = range(12, 28, 2)
XATTRWALK, XATTRCREATE, READDIR, FSYNC, LOCK = 30, 32, 40, 50, 52
LINK, MKDIR, RENAMEAT, UNLINKAT = 70, 72, 74, 76
VERSION, AUTH, ATTACH, FLUSH, WALK, READ, WRITE, CLUNK = 100, 102, 104, 108, 110, 116, 118, 120
REMOVE = 122

RDONLY, WRONLY, RDWR, CREAT, TRUNC = 0, 1, 2, 0o100, 0o1000
SET_MODE, SET_UID, SET_SIZE = 1, 2, 8
GETATTR_BASIC = 0x7FF
REMOVEDIR = 0x200


class P9Error(Exception):
    """What the server answered instead; `errno` 0: it hung up."""

    def __init__(self, errno):
        super().__init__(f"9P error {errno}")
        self.errno = errno


def text(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<H", len(raw)) + raw


class Client:
    """A connection. Every answer's bytes are kept in `heard`."""

    def __init__(self, path, wait=60.0, msize=65536):
        self.heard = b""
        self.fids = 0
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(wait)
        try:
            self.socket.connect(path)
            self.msize = struct.unpack_from("<I", self.call(
                VERSION, struct.pack("<I", msize) + text("9P2000.L"), tag=NO_TAG))[0]
        except (OSError, P9Error):
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, kind, payload, tag=1):
        self.send_bytes(struct.pack("<IBH", 7 + len(payload), kind, tag) + payload)

    def send_bytes(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise P9Error(0) from error

    def _bytes(self, size):
        data = b""
        while len(data) < size:
            try:
                part = self.socket.recv(size - len(data))
            except ConnectionResetError:
                part = b""
            if not part:
                raise P9Error(0)
            data += part
        return data

    def receive(self):
        """@return (type, tag, payload) of the next answer"""
        size, kind, tag = struct.unpack("<IBH", self._bytes(7))
        payload = self._bytes(size - 7)
        self.heard += payload
        return kind, tag, payload

    def call(self, kind, payload, tag=1):
        self.send(kind, payload, tag)
        answer, _, payload = self.receive()
        if answer == LERROR:
            raise P9Error(struct.unpack("<I", payload)[0])
        return payload

    def new_fid(self):
        self.fids += 1
        return self.fids

    def attach(self, aname, uid=0, afid=NO_FID):
        fid = self.new_fid()
        self.call(ATTACH, struct.pack("<II", fid, afid) + text("") + text(aname) +
                  struct.pack("<I", uid))
        return fid

    def walk(self, fid, *names):
        """@return a fid of what is there; ENOENT if only the first of them are"""
        new = self.new_fid()
        answer = self.call(WALK, struct.pack("<IIH", fid, new, len(names)) +
                           b"".join(text(name) for name in names))
        if struct.unpack_from("<H", answer)[0] != len(names):
            raise P9Error(2)
        return new

    def open(self, fid, flags=RDONLY):
        self.call(LOPEN, struct.pack("<II", fid, flags))
        return fid

    def read(self, fid, count=4096, offset=0):
        return self.call(READ, struct.pack("<IQI", fid, offset, count))[4:]

    def write(self, fid, data, offset=0):
        self.call(WRITE, struct.pack("<IQI", fid, offset, len(data)) + data)

    def create(self, fid, name, flags=RDWR | CREAT, mode=0o644, gid=0):
        """The fid of the directory becomes that of the file."""
        self.call(LCREATE, struct.pack("<I", fid) + text(name) + struct.pack("<III", flags, mode, gid))
        return fid

    def symlink(self, fid, name, target):
        self.call(SYMLINK, struct.pack("<I", fid) + text(name) + text(target) + struct.pack("<I", 0))

    def mknod(self, fid, name, mode, major=0, minor=0):
        self.call(MKNOD, struct.pack("<I", fid) + text(name) +
                  struct.pack("<IIII", mode, major, minor, 0))

    def mkdir(self, fid, name):
        self.call(MKDIR, struct.pack("<I", fid) + text(name) + struct.pack("<II", 0o755, 0))

    def rename(self, fid, directory, name):
        self.call(RENAME, struct.pack("<II", fid, directory) + text(name))

    def renameat(self, old, old_name, new, new_name):
        self.call(RENAMEAT, struct.pack("<I", old) + text(old_name) + struct.pack("<I", new) +
                  text(new_name))

    def unlinkat(self, fid, name, flags=0):
        self.call(UNLINKAT, struct.pack("<I", fid) + text(name) + struct.pack("<I", flags))

    def remove(self, fid):
        self.call(REMOVE, struct.pack("<I", fid))

    def link(self, directory, fid, name):
        self.call(LINK, struct.pack("<II", directory, fid) + text(name))

    def readlink(self, fid):
        return self.call(READLINK, struct.pack("<I", fid))

    def getattr(self, fid):
        """@return the mode"""
        return struct.unpack_from("<I", self.call(GETATTR, struct.pack("<IQ", fid, GETATTR_BASIC)),
                                  8 + 13)[0]

    def setattr(self, fid, valid, mode=0, uid=0, gid=0, size=0):
        self.call(SETATTR, struct.pack("<IIIIIQQQQQ", fid, valid, mode, uid, gid, size, 0, 0, 0, 0))

    def get_xattr(self, fid, name):
        new = self.new_fid()
        self.call(XATTRWALK, struct.pack("<II", fid, new) + text(name))
        return self.read(new)

    def set_xattr(self, fid, name, value):
        self.call(XATTRCREATE, struct.pack("<I", fid) + text(name) +
                  struct.pack("<QI", len(value), 0))
        self.write(fid, value)
        self.call(CLUNK, struct.pack("<I", fid))

    def names(self, fid):
        """What is in a directory that is open."""
        data, found = self.call(READDIR, struct.pack("<IQI", fid, 0, 8192))[4:], []
        while data:
            size = struct.unpack_from("<H", data, 22)[0]
            found.append(data[24 : 24 + size].decode())
            data = data[24 + size :]
        return found


@contextlib.contextmanager
def refused():
    """What is done here may be refused."""
    with contextlib.suppress(P9Error):
        yield
