"""What a hostile guest asks of a share's files: each must end in the share, or in an error."""

import errno
import fcntl
import os
import stat
import struct
import threading

from fuse import FILE_SIZE, GID, MODE, OPS, ROOT, UID, Refused, device
from share import need
from vhost_user import Gone

O_TRUNC, O_CREAT, O_EXCL, O_DIRECTORY = 0o1000, 0o100, 0o200, 0o200000
SPECIAL = (b"zero", b"disk", b"fifo")
LINKS = (b"absolute", b"relative", b"to-file", b"proc")


def refused(call, *arguments, **words):
    """@return the error's number; AssertionError if there is none"""
    try:
        answer = call(*arguments, **words)
    except Refused as error:
        return error.errno
    raise AssertionError(f"{getattr(call, '__name__', call)}{arguments} was done: {answer}")


def either(call, *arguments, **words):
    """Done or refused: what comes of it is looked at elsewhere. @return the answer or None"""
    try:
        return call(*arguments, **words)
    except Refused:
        return None


def names_that_climb(guest, scene):
    """`..`, `/` and others in names: LOOKUP and all that makes, moves and removes"""
    inner = guest.lookup(ROOT, b"dir")[0]
    climbing = (b"..", b".", b"../outside", b"../canary", b"dir/../../canary", b"../outside/canary",
                b"/etc/passwd", str(scene.outside / "canary").encode(), b"dir/..", b"", b"/",
                b"absolute/canary", b"to-file/", b"proc/etc/passwd")
    for node in (ROOT, inner):
        for name in climbing:
            entry = either(guest.lookup, node, name)
            if entry and stat.S_ISREG(entry[2]):
                either(guest.read, entry[0], either(guest.open, entry[0]) or 0)
    # The Rust virtiofsd takes such names as its root lets it: what is above the share is the share.
    for name in (b"../made", b"../outside/made", b"absolute/made", str(scene.base / "made").encode()):
        for node in (ROOT, inner):
            file = guest.lookup(ROOT, b"file")[0]
            either(guest.mkdir, node, name)
            either(guest.create, node, name, os.O_RDWR)
            either(guest.symlink, node, name, b"x")
            either(guest.mknod, node, name, stat.S_IFREG | 0o644)
            either(guest.link, file, node, name)
            either(guest.rename, ROOT, b"to-file", node, name)
    for name in (b"../outside/canary", b"absolute/canary", b"../canary"):
        refused(guest.unlink, ROOT, name)
        refused(guest.rename, ROOT, name, ROOT, b"taken")
    refused(guest.rmdir, ROOT, b"../outside")
    refused(guest.rename, ROOT, b"..", ROOT, b"up")
    need(not os.path.lexists(scene.base / "made"), "something was made outside of the share")


def links_that_point_outside(guest, scene):
    """Symbolic links, absolute and relative: nothing is reached through them"""
    either(guest.symlink, ROOT, b"own", str(scene.outside).encode())
    either(guest.symlink, ROOT, b"own-file", b"../outside/canary")
    for name in (*LINKS, b"own", b"own-file"):
        node, _, mode, _ = guest.lookup(ROOT, name)
        need(stat.S_ISLNK(mode), f"{name}: a link was followed")
        guest.readlink(node)
        refused(guest.lookup, node, b"canary")
        for flags in (os.O_RDONLY, os.O_RDWR, os.O_RDWR | O_TRUNC, 0o10000000):
            refused(guest.open, node, flags)
            refused(guest.open, node, flags | O_DIRECTORY, "OPENDIR")
            refused(guest.create, ROOT, name, flags)
            refused(guest.create, ROOT, name, flags | O_CREAT | O_EXCL)
        for valid in (FILE_SIZE, MODE, UID | GID):
            either(guest.set_attributes, node, valid, size=1, mode=0o666, uid=12345, gid=12345)
        refused(guest.create, node, b"made", os.O_RDWR)
        refused(guest.mkdir, node, b"made")
        either(guest.get_xattr, node, b"user.x")
        either(guest.ask, "STATFS", node)
        either(guest.ask, "ACCESS", node, struct.pack("<II", 4, 0))
        hard = either(guest.link, node, ROOT, b"hard-" + name)
        need(not hard or stat.S_ISLNK(hard[2]), f"{name}: a hard link to what it points to")


def folder_that_becomes_a_link(guest, scene):
    """A directory is held, moved away, and a link put in its place; then while somebody swaps them"""
    held = guest.mkdir(ROOT, b"held")[0]
    guest.rename(ROOT, b"held", ROOT, b"moved")
    guest.symlink(ROOT, b"held", str(scene.outside).encode())
    refused(guest.lookup, held, b"canary")
    guest.create(held, b"mine", os.O_RDWR)
    need((scene.share / "moved/mine").exists(), "a held directory is not the one it was")
    refused(guest.lookup, guest.lookup(ROOT, b"held")[0], b"canary")
    swap_while_it_looks(guest, scene)


def swap_while_it_looks(guest, scene):
    (scene.share / "swap").mkdir()
    (scene.share / "swap/canary").write_text("harmless")
    (scene.share / "other").symlink_to(scene.outside)
    one, two, done = scene.share / "swap", scene.share / "other", threading.Event()

    def swap():
        spare = scene.share / "spare"
        while not done.is_set():
            one.rename(spare)
            two.rename(one)
            spare.rename(two)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(500):
            entry = either(guest.entry_unchecked, ROOT, b"swap")
            inner = entry and either(guest.entry_unchecked, entry[0], b"canary")
            if inner:
                need(inner[1] != (scene.outside / "canary").stat().st_ino, "a swapped link was followed")
                handle = either(guest.open, inner[0])
                if handle is not None:
                    guest.read(inner[0], handle)
    finally:
        done.set()
        thread.join()


def devices(guest, scene):
    """Device nodes cannot be made, and those that are there open nothing of the host's"""
    for name, mode, number in ((b"made-disk", stat.S_IFBLK, device(254, 0)),
                               (b"made-kmsg", stat.S_IFCHR, device(1, 11)),
                               (b"made-mem", stat.S_IFCHR, device(1, 1))):
        error = refused(guest.mknod, ROOT, name, mode | 0o666, number)
        need(error == errno.EPERM, f"MKNOD of {name}: {errno.errorcode[error]}")
        need(not os.path.lexists(scene.share / name.decode()), f"{name} is there")
    # What overlayfs in a guest needs is no device.
    guest.mknod(ROOT, b"whiteout", stat.S_IFCHR, 0)
    guest.mknod(ROOT, b"own-fifo", stat.S_IFIFO | 0o666)
    guest.mknod(ROOT, b"own-socket", stat.S_IFSOCK | 0o666)
    for name in (*SPECIAL, b"own-fifo", b"own-socket", b"whiteout"):
        node = guest.lookup(ROOT, name)[0]
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_NONBLOCK, O_TRUNC):
            refused(guest.open, node, flags)
            refused(guest.create, ROOT, name, flags)
        refused(guest.open, node, O_DIRECTORY, "OPENDIR")
        refused(guest.set_attributes, node, FILE_SIZE, size=0)
        for handle in (0, 1, node):
            refused(guest.read, node, handle)
            refused(guest.write, node, handle, b"x")
        renamed = b"again-" + name
        guest.link(node, ROOT, renamed)
        refused(guest.open, guest.lookup(ROOT, renamed)[0])


def handles_and_nodes_that_were_never_given(guest, scene):
    """Guessed nodes, handles and inode numbers"""
    inode = (scene.outside / "canary").stat().st_ino
    guesses = (0, 2, 3, 7, 100, 4096, inode, 1 << 31, 1 << 32, 1 << 63, (1 << 64) - 1)
    known = guest.lookup(ROOT, b"file")[0]
    for guess in guesses:
        attributes = either(guest.attributes, guess)
        need(not attributes or attributes[0] in scene.inodes(), f"node {guess} is not in the share")
        for name in (b"canary", b"..", b"etc"):
            either(guest.lookup, guess, name)
        handle = either(guest.open, guess)
        if handle is not None:
            guest.read(guess, handle)
        number = (guess + 100) % (1 << 64)
        for node in (known, guess):
            refused(guest.read, node, number)
            refused(guest.read, node, number, name="READDIR")
            refused(guest.write, node, number, b"x")
            refused(guest.fallocate, node, number, 1)
            for name in ("RELEASE", "RELEASEDIR", "FLUSH", "FSYNC", "FSYNCDIR", "LSEEK", "GETLK",
                         "SETLK", "COPY_FILE_RANGE", "READDIRPLUS"):
                either(guest.ask, name, node, struct.pack("<QQQQQQQ", *[number] * 7))
        either(guest.link, guess, ROOT, b"linked")
        either(guest.rename, guess, b"canary", ROOT, b"renamed")


def attributes_of_more_than_the_share(guest, scene):
    """Extended attributes that the host's kernel heeds; who a new file belongs to"""
    node = guest.lookup(ROOT, b"file")[0]
    capability = struct.pack("<IIIII", 0x02000001, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0)
    for name, value in ((b"security.capability", capability), (b"trusted.overlay.opaque", b"y"),
                        (b"security.selinux", b"x"), (b"system.posix_acl_access", b"\2\0\0\0"),
                        (b"user.x", b"x"), (b"../x", b"x"), (b"", b"x")):
        refused(guest.set_xattr, node, name, value)
        refused(guest.get_xattr, node, name)
        refused(guest.ask, "REMOVEXATTR", node, name + b"\0")
    need(not os.listxattr(scene.share / "file"), "the file has extended attributes")
    guest.user = (12345, 12345)
    try:
        either(guest.set_attributes, ROOT, MODE, mode=0o777)
        made = either(guest.create, ROOT, b"set-uid", os.O_RDWR, 0o6755)
    finally:
        guest.user = (0, 0)
    need(made, "a user who may write cannot make a file")
    info = (scene.share / "set-uid").stat()
    need((info.st_uid, info.st_gid) == (12345, 12345), f"made for {info.st_uid}:{info.st_gid}")


def odd_requests(guest, scene):
    """Everything else that FUSE has, and what it has not, with numbers of all sizes"""
    node = guest.lookup(ROOT, b"file")[0]
    for command in (0x40086602, 0xC0189436, 0x4004662D, 0x5451):
        refused(guest.ask, "IOCTL", node, struct.pack("<QIIQII", 0, 0, command, 0, 8, 64), b"\xff" * 8)
    for offset in (0, 1 << 40, (1 << 64) - 4096):
        refused(guest.ask, "SETUPMAPPING", node, struct.pack("<QQQQQ", 0, offset, 1 << 40, 3, offset))
        refused(guest.ask, "REMOVEMAPPING", node, struct.pack("<IQQ", 1, offset, 1 << 40))
    for opcode in (0, 19, 52, 0xFFFFFFFF, OPS["BMAP"], OPS["POLL"], OPS["TMPFILE"]):
        refused(guest.ask, opcode, node, b"\0" * 56)
    either(guest.ask, "SYNCFS", ROOT, b"\0" * 8)
    either(guest.ask, "STATFS", ROOT)


def locks_and_long_waits(guest, scene):
    """A lock that somebody else has holds nobody else's request up"""
    node = guest.lookup(ROOT, b"file")[0]
    with open(scene.share / "file", "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX)
        handle = guest.open(node, os.O_RDWR)
        for name, flags in (("SETLK", 0), ("SETLKW", 0), ("SETLKW", 1)):
            refused(guest.ask, name, node, struct.pack("<QQQQIIII", handle, 1, 0, 1 << 62, 1, 1,
                                                       flags, 0))
        guest.release(node, handle)


def writes_to_what_is_read_only(guest, scene):
    """Every request that changes something"""
    file, folder = guest.lookup(ROOT, b"file")[0], guest.lookup(ROOT, b"dir")[0]
    before = scene.facts(scene.share)
    refused(guest.create, ROOT, b"made", os.O_RDWR)
    refused(guest.mkdir, ROOT, b"made")
    refused(guest.mknod, ROOT, b"made", stat.S_IFREG | 0o644)
    refused(guest.mknod, ROOT, b"made", stat.S_IFIFO | 0o644)
    refused(guest.symlink, ROOT, b"made", b"x")
    refused(guest.link, file, ROOT, b"made")
    refused(guest.unlink, ROOT, b"file")
    refused(guest.unlink, folder, b"inner")
    refused(guest.rmdir, ROOT, b"dir")
    refused(guest.rename, ROOT, b"file", ROOT, b"made")
    refused(guest.ask, "RENAME2", ROOT, struct.pack("<QII", ROOT, 2, 0), b"file\0dir\0")
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDWR | O_TRUNC, os.O_WRONLY | os.O_APPEND, O_TRUNC):
        refused(guest.open, file, flags)
        refused(guest.create, ROOT, b"file", flags & ~3 | os.O_RDWR)
    handle = guest.open(file)
    for number in (handle, 0, 1, 12345):
        refused(guest.write, file, number, b"changed")
        refused(guest.fallocate, file, number, 1 << 20)
        refused(guest.set_attributes, file, FILE_SIZE | 64, size=0, handle=number)
    refused(guest.ask, "COPY_FILE_RANGE", file, struct.pack("<QQQQQQQ", handle, 0, file, handle, 2, 2, 0))
    for valid in (FILE_SIZE, MODE, UID, GID, 16, 32, 16 | 128, 32 | 256):
        refused(guest.set_attributes, file, valid, size=0, mode=0o777, uid=1, gid=1)
    refused(guest.set_xattr, file, b"user.x", b"x")
    refused(guest.ask, "REMOVEXATTR", file, b"user.x\0")
    need(guest.read(file, handle) == b"file", "a file of a read-only share cannot be read")
    for key, was in before.items():
        now = scene.facts(scene.share)[key]
        # That it was read may be seen.
        need(now[:7] + now[8:] == was[:7] + was[8:], f"{key} was changed: {was} -> {now}")
    need(len(scene.facts(scene.share)) == len(before), "something was made")


def name_with_a_nul(guest, scene):
    """A NUL in a name, a name without an end, one that is too long: virtiofsd may end, that is all"""
    for name in (b"file\0x\0", b"..\0canary\0", b"x" * 300 + b"\0", b"file", b"y" * 5000, b"\0"):
        for opcode in ("LOOKUP", "UNLINK", "SYMLINK", "RENAME", "LINK"):
            try:
                either(guest.ask, opcode, ROOT, name)
            except (Gone, TimeoutError):
                return


def goodbye_and_after(guest, scene):
    """CUSE_INIT, INIT once more, DESTROY, and requests behind them: only this guest loses its share"""
    for opcode in (4096, "INIT", "DESTROY", "LOOKUP", "INIT", "LOOKUP"):
        try:
            either(guest.ask, opcode, ROOT, b"..\0" if opcode == "LOOKUP" else b"\7" + b"\0" * 55)
        except (Gone, TimeoutError):
            return


WRITABLE = (names_that_climb, links_that_point_outside, folder_that_becomes_a_link, devices,
            handles_and_nodes_that_were_never_given, attributes_of_more_than_the_share, odd_requests,
            locks_and_long_waits)
READ_ONLY = (writes_to_what_is_read_only,)
MAY_END_IT = (name_with_a_nul, goodbye_and_after)
