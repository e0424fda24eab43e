"""How a guest gets an AF_VSOCK device, and where its calls arrive on this side.

    vhost   the host kernel's own vhost-vsock: calls arrive on AF_VSOCK
    user    vhost-device-vsock: a guest's call of port P arrives on the Unix socket `….sock_P`
    nested  neither is to be had: the lab runs in an outer guest that has vhost (nested.py)

LAB_VSOCK=vhost|user|nested overrides what the machine suggests."""

import fcntl
import itertools
import os
import shutil

import paths
from process import Process
from wait import patient, wait_for

PORT = 50000
# Of two runs at once, no two guests have the same.
_next_cid = itertools.count(1000 + os.getpid() * 16)
_host = []


def user_program():
    fetched = paths.LAB / "sid/usr/bin/vhost-device-vsock"
    return str(fetched) if fetched.exists() else shutil.which("vhost-device-vsock")


def provider():
    """The name of the way that guests get their vsock here."""
    asked = os.environ.get("LAB_VSOCK")
    if asked:
        if asked not in ("vhost", "user", "nested"):
            raise ValueError(f"LAB_VSOCK={asked}: expected vhost, user or nested")
        return asked
    if os.access("/dev/vhost-vsock", os.R_OK | os.W_OK):
        return "vhost"
    return "user" if user_program() else "nested"


def take_host():
    """The ports of this machine's own vsock are there once: until this process ends no other run
    gets on."""
    if provider() == "vhost" and not _host:
        paths.LAB.mkdir(parents=True, exist_ok=True)
        _host.append(open(paths.LAB / "vsock.lock", "w", encoding="utf-8"))
        fcntl.flock(_host[0], fcntl.LOCK_EX)


class NoVsock:
    """For a guest that is to have none."""

    peer = {}
    qemu = []

    def start(self):
        pass


class VhostVsock:
    """The kernel's: nothing to start."""

    listen = [f"vsock::{PORT}"]

    def __init__(self):
        self.cid = next(_next_cid)
        self.peer = {"cid": self.cid}
        self.qemu = ["-device", f"vhost-vsock-pci,guest-cid={self.cid}"]
        self.process = None

    def start(self):
        pass

    def stop(self):
        pass


class UserVsock:
    """vhost-device-vsock: one process per guest."""

    listen = []

    def __init__(self, folder, sockets):
        self.cid = 4
        self._folder = folder
        self._device = sockets / "vhost.sock"
        self._calls = sockets / "vm.sock"
        self.socket = sockets / f"vm.sock_{PORT}"
        self.peer = {"socket": str(self.socket)}
        self.qemu = ["-chardev", f"socket,id=vsock,path={self._device}",
                     "-device", "vhost-user-vsock-pci,chardev=vsock"]
        self.process = None

    def start(self):
        self.stop()
        for stale in (self._device, self._calls):
            stale.unlink(missing_ok=True)
        self.process = Process(
            "vhost-device-vsock",
            [user_program(), "--guest-cid", self.cid, "--socket", self._device,
             "--uds-path", self._calls], self._folder / "vsock.log")
        wait_for("vhost-device-vsock's socket", patient(10),
                 lambda: self._device.exists() or self._ended())

    def stop(self):
        """It waits for the next QEMU when one ends: it has to be told."""
        if self.process:
            self.process.kill()
            self.process.wait(patient(5))

    def _ended(self):
        if not self.process.alive():
            raise RuntimeError(f"vhost-device-vsock ended with status {self.process.status()}: "
                               f"{self.process.words()}")


def make(folder, sockets):
    """The device of one guest; its log goes to folder, its sockets to sockets."""
    take_host()
    return VhostVsock() if provider() == "vhost" else UserVsock(folder, sockets)
