"""An ordinary user of the host: what runs as such a user, and what shares must be to one."""

import os
import pathlib

import paths
from show import need

USER = 12345
# $1: the checkout, which such a user may not reach below a folder of root's, whose top is $2.
_ENTER = """mount --bind "$1" /mnt
mount -t tmpfs -o mode=755 none "$2"
mkdir -p "$1"
mount --bind /mnt "$1"
shift 2
"""


def enter(first=""):
    """The words before a command that make it the user's, in mounts of which `first` adds some."""
    become = (f"exec setpriv --reuid={USER} --regid={USER} --clear-groups --inh-caps=-all "
              '--bounding-set=-all "$@"')
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", f"set -e\n{first}{_ENTER}{become}",
            "sh", str(paths.ROOT), str(pathlib.Path(*paths.ROOT.parts[:2]))]


def give(*tops):
    for top in tops:
        for path in (top, *top.rglob("*")):
            os.chown(path, USER, USER, follow_symlinks=False)


def use_shares(lab, hostd, name, folder):
    """Reads and writes the share of `folder` at /mnt/rw in the guest, and fails to write at /mnt/ro."""
    need(not hostd.failures(), f"{name}: {hostd.failures()}")
    status, words = lab.run_in_guest(hostd, name, "sh", "-c",
                                     "cat /mnt/ro/from-host.txt && echo written >/mnt/rw/back")
    need((status, words) == (0, f"written on the host for {name}\n"), f"{name}: {status}: {words}")
    need((folder / "back").stat().st_uid == USER, f"owner {(folder / 'back').stat().st_uid}")
    status, words = lab.run_in_guest(hostd, name, "sh", "-c",
                                     "mount -o remount,rw /mnt/ro; touch /mnt/ro/new")
    need(status != 0 and not (folder / "new").exists(), f"{name}: {status}: {words}")
