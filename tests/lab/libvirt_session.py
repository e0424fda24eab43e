"""An ordinary user's libvirt, qemu:///session, with folders below the scenario's."""

import os
import pathlib

import paths
from libvirt import Libvirt

USER = 12345
NAME = "lab-user"
# $1: the folder; $2: "none" covers /dev/kvm; $3: the checkout, which such a user may not reach below
# a folder of root's, whose top is $4.
_ENTER = f"""set -e
for name in passwd group; do mount --bind "$1/$name" /etc/$name; done
mount --bind "$1/libvirt/run" /run
[ "$2" != none ] || [ ! -e /dev/kvm ] || mount --bind "$1/libvirt/empty" /dev/kvm
mount --bind "$3" /mnt
mount -t tmpfs -o mode=755 none "$4"
mkdir -p "$3"
mount --bind /mnt "$3"
export HOME="$1/home" USER={NAME} LOGNAME={NAME} XDG_RUNTIME_DIR="$1/home/run"
unset XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME
shift 4
exec setpriv --reuid={USER} --regid={USER} --clear-groups --inh-caps=-all --bounding-set=-all "$@"
"""


class Session(Libvirt):
    """Whoever is started by enter() finds it as qemu:///session."""

    def __init__(self, folder, sockets, within=()):
        super().__init__(folder, sockets, within)
        self.socket = sockets / "home/run/libvirt/libvirt-sock"
        self.uri = "qemu:///session"
        self.outside = f"qemu+unix:///session?socket={self.socket}"

    def enter(self):
        top = self.place.parent
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", _ENTER, "sh", str(top),
                self._kvm, str(paths.ROOT), str(pathlib.Path(*paths.ROOT.parts[:2]))]

    def _make(self):
        super()._make()
        top = self.place.parent
        (top / "home/run").mkdir(parents=True)
        (top / "home/run").chmod(0o700)
        config = top / "home/.config/libvirt"
        config.mkdir(parents=True)
        for name in ("qemu.conf", "libvirtd.conf"):
            (config / name).write_text((self.place / "etc" / name).read_text())
        for name, line in (("passwd", f"{NAME}:x:{USER}:{USER}::{top / 'home'}:/bin/sh"),
                           ("group", f"{NAME}:x:{USER}:")):
            known = pathlib.Path("/etc", name).read_text(encoding="utf-8")
            (top / name).write_text(f"{known}{line}\n")
        give_to_user(top / "home")


def give_to_user(*tops):
    for top in tops:
        for path in (top, *top.rglob("*")):
            os.chown(path, USER, USER, follow_symlinks=False)
