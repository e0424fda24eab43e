"""libvirt of the next Debian, with its QEMU, in the root that the set-up's step `libvirt` unpacks."""

import paths
from libvirt import COVERED, Libvirt

ROOT = paths.LAB / "libvirt/root"
# $1: the scenario's folder; $2: "none" covers /dev/kvm; $3: the root; $4: what it shares with the
# machine, the scenario's folder of sockets.
_ENTER = """set -e
for name in dev proc sys; do mount --rbind "/$name" "$3/$name"; done
mount -t tmpfs -o mode=1777 none "$3/tmp"
mkdir -p "$3$4"
mount --bind "$4" "$3$4"
for name in passwd group; do mount --bind "/etc/$name" "$3/etc/$name"; done
""" + "".join(f'mount --bind "$1/{name}" "$3{path}"\n' for name, path in COVERED.items()) + """\
[ "$2" != none ] || [ ! -e /dev/kvm ] || mount --bind "$1/empty" "$3/dev/kvm"
root=$3
shift 4
exec chroot "$root" "$@"
"""


def here(lab):
    """One that runs; skips the scenario where it could not be fetched."""
    if not (paths.LAB / "libvirt/complete").exists():
        lab.skip("libvirt of the next Debian could not be fetched")
    return Newer(lab.folder, lab.sockets).start().told(lab)


class Newer(Libvirt):
    def enter(self):
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", _ENTER, "sh", self.place,
                self._kvm, ROOT, self.place.parent]
