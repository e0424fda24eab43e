"""A FUSE client without a kernel: raw requests on the rings of a vhost-user-fs device. What a kernel
would check in a guest (names, nodes, handles, modes) goes out as it is."""

import errno
import struct

from vhost_user import Frontend

ROOT = 1
OPS = {name: number for number, name in [
    (1, "LOOKUP"), (2, "FORGET"), (3, "GETATTR"), (4, "SETATTR"), (5, "READLINK"), (6, "SYMLINK"),
    (8, "MKNOD"), (9, "MKDIR"), (10, "UNLINK"), (11, "RMDIR"), (12, "RENAME"), (13, "LINK"),
    (14, "OPEN"), (15, "READ"), (16, "WRITE"), (17, "STATFS"), (18, "RELEASE"), (20, "FSYNC"),
    (21, "SETXATTR"), (22, "GETXATTR"), (23, "LISTXATTR"), (24, "REMOVEXATTR"), (25, "FLUSH"),
    (26, "INIT"), (27, "OPENDIR"), (28, "READDIR"), (29, "RELEASEDIR"), (30, "FSYNCDIR"),
    (31, "GETLK"), (32, "SETLK"), (33, "SETLKW"), (34, "ACCESS"), (35, "CREATE"),
    (36, "INTERRUPT"), (37, "BMAP"), (38, "DESTROY"), (39, "IOCTL"), (40, "POLL"),
    (42, "BATCH_FORGET"), (43, "FALLOCATE"), (44, "READDIRPLUS"), (45, "RENAME2"), (46, "LSEEK"),
    (47, "COPY_FILE_RANGE"), (48, "SETUPMAPPING"), (49, "REMOVEMAPPING"), (50, "SYNCFS"),
    (51, "TMPFILE")]}

HEADER, ANSWER, ENTRY, OPENED = 40, 16, 128, 16
MODE, UID, GID, FILE_SIZE = 1, 2, 4, 8  # of SETATTR's valid


class Refused(OSError):
    """The server's answer is an error."""


class Fuse:
    """The requests, each with its own words; answers as bytes. An error is Refused."""

    def __init__(self, path):
        self.front = Frontend(path)
        self.user = (0, 0)
        self.unique = 0

    def begin(self):
        """@return INIT's answer"""
        self.front.set_up()
        answer = self.ask("INIT", 0, struct.pack("<IIII", 7, 31, 1 << 17, 0xFFFFFFFF & ~(1 << 30)))
        if struct.unpack_from("<I", answer)[0] != 7:
            raise Refused(errno.EPROTO, "INIT")
        return answer

    def close(self):
        self.front.close()

    def ask(self, name, node, *parts, room=4096, length=None):
        """@param length  of the request, as the header says; None: the truth"""
        opcode = OPS.get(name, name)
        self.unique += 2
        body = b"".join(parts)
        header = struct.pack("<IIQQIIIHH", HEADER + len(body) if length is None else length, opcode,
                             self.unique, node, *self.user, 1, 0, 0)
        answer = self.front.exchange([header, *[part for part in parts if part]],
                                     [ANSWER, room] if room else [ANSWER])
        if answer is None:
            raise TimeoutError(f"{name}: no answer")
        size, error, unique = struct.unpack_from("<IiQ", answer)
        if unique != self.unique:
            raise Refused(errno.EPROTO, f"{name}: an answer to {unique}, not to {self.unique}")
        if error:
            raise Refused(-error, f"{name}: {errno.errorcode.get(-error, error)}")
        return answer[ANSWER:max(size, ANSWER)]

    def entry(self, answer):
        """@return node, inode, mode, rdev"""
        return (struct.unpack_from("<Q", answer)[0], struct.unpack_from("<Q", answer, 40)[0],
                struct.unpack_from("<I", answer, 100)[0], struct.unpack_from("<I", answer, 116)[0])

    def lookup(self, node, name):
        return self.entry(self.ask("LOOKUP", node, name + b"\0"))

    def attributes(self, node):
        """@return inode, size, mode"""
        answer = self.ask("GETATTR", node, struct.pack("<IIQ", 0, 0, 0))
        return (*struct.unpack_from("<QQ", answer, 16), struct.unpack_from("<I", answer, 76)[0])

    def set_attributes(self, node, valid, size=0, mode=0, uid=0, gid=0, handle=0):
        return self.ask("SETATTR", node, struct.pack("<IIQQQQQQIIIIIIII", valid, 0, handle, size, 0,
                                                     0, 0, 0, 0, 0, 0, mode, 0, uid, gid, 0))

    def readlink(self, node):
        return self.ask("READLINK", node)

    def symlink(self, node, name, target):
        return self.entry(self.ask("SYMLINK", node, name + b"\0" + target + b"\0"))

    def mknod(self, node, name, mode, device=0):
        return self.entry(self.ask("MKNOD", node, struct.pack("<IIII", mode, device, 0, 0),
                                   name + b"\0"))

    def mkdir(self, node, name, mode=0o755):
        return self.entry(self.ask("MKDIR", node, struct.pack("<II", mode, 0), name + b"\0"))

    def unlink(self, node, name):
        return self.ask("UNLINK", node, name + b"\0")

    def rmdir(self, node, name):
        return self.ask("RMDIR", node, name + b"\0")

    def rename(self, node, name, new_node, new_name):
        return self.ask("RENAME", node, struct.pack("<Q", new_node), name + b"\0" + new_name + b"\0")

    def link(self, old, node, name):
        return self.entry(self.ask("LINK", node, struct.pack("<Q", old), name + b"\0"))

    def open(self, node, flags=0, name="OPEN"):
        return struct.unpack_from("<Q", self.ask(name, node, struct.pack("<II", flags, 0)))[0]

    def create(self, node, name, flags=0, mode=0o644):
        """@return node, handle"""
        answer = self.ask("CREATE", node, struct.pack("<IIII", flags, mode, 0, 0), name + b"\0")
        return struct.unpack_from("<Q", answer)[0], struct.unpack_from("<Q", answer, ENTRY)[0]

    def read(self, node, handle, size=4096, offset=0, name="READ"):
        return self.ask(name, node, struct.pack("<QQIIQII", handle, offset, size, 0, 0, 0, 0),
                        room=size)

    def write(self, node, handle, data, offset=0):
        return self.ask("WRITE", node, struct.pack("<QQIIQII", handle, offset, len(data), 0, 0, 0,
                                                   0), data)

    def release(self, node, handle, name="RELEASE"):
        return self.ask(name, node, struct.pack("<QIIQ", handle, 0, 0, 0))

    def set_xattr(self, node, name, value):
        return self.ask("SETXATTR", node, struct.pack("<II", len(value), 0), name + b"\0" + value)

    def get_xattr(self, node, name, size=256):
        return self.ask("GETXATTR", node, struct.pack("<II", size, 0), name + b"\0")

    def fallocate(self, node, handle, length, mode=0):
        return self.ask("FALLOCATE", node, struct.pack("<QQQII", handle, 0, length, mode, 0))

    def names(self, node):
        """What a directory has: name, inode."""
        handle = self.open(node, 0o200000, "OPENDIR")
        data = self.read(node, handle, 4096, 0, "READDIR")
        found, at = {}, 0
        while at + 24 <= len(data):
            inode, _, length, _ = struct.unpack_from("<QQII", data, at)
            found[data[at + 24:at + 24 + length]] = inode
            at += (24 + length + 7) // 8 * 8
        self.release(node, handle, "RELEASEDIR")
        return found


def device(major, minor):
    """As the kernel writes a number of a device for user space (new_encode_dev)."""
    return (minor & 0xFF) | major << 8 | (minor & ~0xFF) << 12
