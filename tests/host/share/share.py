"""A folder with secrets around it, served as the daemon serves it, and what must be true of both
whatever a guest does."""

import os
import pathlib
import secrets
import select
import shutil
import stat
import subprocess
import time

from fuse import Fuse
from vhost_user import Gone

SECRET = f"secret {secrets.token_hex(8)}"


def need(condition, text):
    if not condition:
        raise AssertionError(text)


class Scene:
    """BASE/share is served. BASE/outside is beside it and holds what nobody may have."""

    def __init__(self, base, build):
        self.base, self.build = pathlib.Path(base), pathlib.Path(build).resolve()
        self.share, self.outside = self.base / "share", self.base / "outside"
        self.count = 0

    def make(self):
        """The folders, as if nobody had been there yet."""
        for folder in (self.share, self.outside):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        (self.outside / "canary").write_text(SECRET)
        (self.outside / "canary").chmod(0o600)
        (self.base / "canary").write_text(SECRET)
        (self.share / "dir").mkdir()
        (self.share / "dir/inner").write_text("inner")
        (self.share / "file").write_text("file")
        # As another guest with this share, or who owns the folder, may have left them.
        os.mknod(self.share / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
        os.mknod(self.share / "disk", stat.S_IFBLK | 0o666, os.stat(self.base).st_dev)
        os.mkfifo(self.share / "fifo")
        (self.share / "absolute").symlink_to(self.outside)
        (self.share / "relative").symlink_to("../outside")
        (self.share / "to-file").symlink_to(self.outside / "canary")
        (self.share / "proc").symlink_to("/proc/1/root")
        self.before = self.facts(self.outside)

    def facts(self, folder):
        """All that can be changed of what stands there, times of reading included."""
        found = {}
        for path in [folder, *sorted(folder.rglob("*"))]:
            info = path.lstat()
            text, read_at = b"", 0
            if stat.S_ISREG(info.st_mode):
                text, read_at = path.read_bytes(), info.st_atime_ns
                # This reading must not be taken for the guest's.
                os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
            found[str(path)] = (info.st_ino, info.st_mode, info.st_uid, info.st_gid, info.st_size,
                                info.st_nlink, info.st_mtime_ns, read_at,
                                tuple(os.listxattr(path, follow_symlinks=False)), text)
        return found

    def inodes(self):
        return {path.lstat().st_ino for path in [self.share, *self.share.rglob("*")]}

    def check(self):
        """Nothing outside was changed, or read."""
        need(self.facts(self.outside) == self.before, "what is outside of the share was touched")
        need((self.base / "canary").read_text() == SECRET, "the file beside the share was changed")

    def serve(self, program, read_only=False, path=None, within=(), device=("", "off")):
        """@param within  a command that runs the daemon's part
        @param device  its option string, and what aperture it gets"""
        self.count += 1
        return Server(self, f"s{self.count}", within,
                      [path or self.share, "ro" if read_only else "rw", *device, program])

    def lend(self, user):
        """Has an ordinary user own the share, and be able to run the daemon's part and its relay."""
        programs = self.base / "programs"
        shutil.rmtree(programs, ignore_errors=True)
        shutil.rmtree(self.base / "run", ignore_errors=True)
        for path in (programs, self.base / "run"):
            path.mkdir()
        for name in ("hostd/guestlink-virtiofs-relay", "tests/host/share/serve_share"):
            shutil.copy(self.build / name, programs)
        self.base.chmod(0o755)
        for path in (self.base / "run", self.share, self.share / "file"):
            os.chown(path, user, user)
        return programs


class Server:
    """One virtiofsd behind its relay, started by the daemon's code."""

    def __init__(self, scene, name, within, words):
        self.scene = scene
        relay = str(scene.build / "hostd")
        self.process = subprocess.Popen(
            [*(within or [scene.build / "tests/host/share/serve_share"]), scene.base / "run", name,
             *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, PATH=f"{relay}:{os.environ['PATH']}"))
        self.socket = self.line()
        need(self.socket.endswith(".sock"), f"{words[-1]} does not serve {words[0]}: {self.socket}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.stop()
        except AssertionError:
            if not kind:
                raise

    def line(self, seconds=60):
        need(select.select([self.process.stdout], [], [], seconds)[0], "the server says nothing")
        return self.process.stdout.readline().strip()

    def fuse(self, seconds=60):
        """A guest, with the device's driver started. @param seconds  that it waits for an answer"""
        guest = Guest(self.scene, self.socket)
        try:
            guest.begin()
        except Gone as error:
            raise AssertionError(f"the share is not served: {self.line()}") from error
        guest.front.be_patient(seconds)
        return guest

    def stop(self):
        """Nobody is left of it."""
        processes = descendants(self.process.pid)
        self.process.stdin.close()
        need(self.process.wait(60) == 0, f"the daemon's part ended: {self.process.returncode}")
        self.process.stdout.close()
        end = time.monotonic() + 60
        while any(map(is_alive, processes)):
            need(time.monotonic() < end, f"of {processes} some outlive their share")
            time.sleep(0.01)

    def has_ended(self):
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def worker(self):
        """The process that reads what the guest says."""
        found = [pid for pid in descendants(self.process.pid) if not children(pid)]
        need(len(found) == 1, f"{len(found)} processes might be virtiofsd's worker: {found}")
        return found[0]


class Guest(Fuse):
    """A FUSE client that never may see a secret."""

    def __init__(self, scene, path):
        super().__init__(path)
        self.scene = scene

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, name, node, *parts, **words):
        answer = super().ask(name, node, *parts, **words)
        need(SECRET.encode() not in answer, f"{name} of node {node} gave the secret away")
        return answer

    def entry(self, answer):
        entry = super().entry(answer)
        need(entry[1] in self.scene.inodes(), f"inode {entry[1]} is not in the share")
        return entry

    def entry_unchecked(self, node, name):
        """While the folder changes under it."""
        return super().entry(self.ask("LOOKUP", node, name + b"\0"))

    def still_serves(self):
        node = self.lookup(1, b"file")[0]
        handle = self.open(node)
        need(self.read(node, handle) == b"file", "the share's file is not what it was")
        self.release(node, handle)


def children(pid):
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            text = pathlib.Path(f"/proc/{pid}/task/{thread}/children").read_text()
            found += [int(child) for child in text.split()]
    except OSError:
        pass
    return found


def descendants(pid):
    return [one for child in children(pid) for one in [child, *descendants(child)]]


def is_alive(pid):
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
