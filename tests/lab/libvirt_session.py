"""An ordinary user's libvirt, qemu:///session, with folders below the scenario's."""

import pathlib
import shlex

import user
from libvirt import Libvirt

NAME = "lab-user"


class Session(Libvirt):
    """Whoever is started by enter() finds it as qemu:///session."""

    def __init__(self, folder, sockets, within=()):
        super().__init__(folder, sockets, within)
        self.socket = sockets / "home/run/libvirt/libvirt-sock"
        self.uri = "qemu:///session"
        self.outside = f"qemu+unix:///session?socket={self.socket}"

    def enter(self):
        top = shlex.quote(str(self.place.parent))
        kvm = "" if self._kvm != "none" else (
            f"[ ! -e /dev/kvm ] || mount --bind {top}/libvirt/empty /dev/kvm\n")
        return user.enter(
            f"for name in passwd group; do mount --bind {top}/$name /etc/$name; done\n"
            f"mount --bind {top}/libvirt/run /run\n{kvm}"
            f"export HOME={top}/home USER={NAME} LOGNAME={NAME} XDG_RUNTIME_DIR={top}/home/run\n"
            "unset XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME\n")

    def _make(self):
        super()._make()
        top = self.place.parent
        (top / "home/run").mkdir(parents=True)
        (top / "home/run").chmod(0o700)
        config = top / "home/.config/libvirt"
        config.mkdir(parents=True)
        for name in ("qemu.conf", "libvirtd.conf"):
            (config / name).write_text((self.place / "etc" / name).read_text())
        for name, line in (("passwd", f"{NAME}:x:{user.USER}:{user.USER}::{top / 'home'}:/bin/sh"),
                           ("group", f"{NAME}:x:{user.USER}:")):
            known = pathlib.Path("/etc", name).read_text(encoding="utf-8")
            (top / name).write_text(f"{known}{line}\n")
        user.give(top / "home")
