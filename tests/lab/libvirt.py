"""A libvirtd and a virtlogd of a scenario's own: in a mount namespace in which their folders are the
scenario's and /run has nothing else, with no systemd, no control groups, and without /dev/kvm where it
must not be used. Whoever is outside reaches it by uri."""

import os
import pwd
import shutil
import subprocess

from guest import acceleration
from process import Process
from wait import patient, wait_for

PROGRAMS = ("libvirtd", "virtlogd", "virsh")
SYSTEM_USER = "libvirt-qemu"
# The folders that libvirt's programs have compiled in.
COVERED = {"run": "/run", "lib": "/var/lib/libvirt", "cache": "/var/cache/libvirt",
            "log": "/var/log/libvirt", "etc": "/etc/libvirt"}
# $1: the scenario's folder; $2: "none" covers /dev/kvm, which libvirt tries whatever a domain says.
_ENTER = "set -e\n" + "".join(f'mount --bind "$1/{name}" {path}\n'
                              for name, path in COVERED.items()) + """\
[ "$2" != none ] || [ ! -e /dev/kvm ] || mount --bind "$1/empty" /dev/kvm
shift 2
exec "$@"
"""
# No namespace of QEMU's, for that has a /dev of its own, with another kvm. No control groups: they
# are the machine's. Nobody's profile is written: it would be into the machine's /etc.
_QEMU_CONF = """\
namespaces = [ ]
cgroup_controllers = [ ]
security_driver = "none"
"""
_LIBVIRTD_CONF = """\
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_group = "root"
log_outputs = "2:stderr"
"""


def what_is_missing():
    """Why no libvirtd can run here, or None."""
    if os.geteuid() != 0:
        return "libvirtd of a scenario's own needs root"
    missing = [name for name in PROGRAMS if not shutil.which(name, path="/usr/sbin:/usr/bin")]
    if missing:
        return f"no {', '.join(missing)} (packages libvirt-daemon, libvirt-clients)"
    try:
        pwd.getpwnam("libvirt-qemu")
    except KeyError:
        return "no user libvirt-qemu (package libvirt-daemon-system)"
    return None


def here(lab, **more):
    """One that runs, for a scenario; skips the scenario where there can be none."""
    why = what_is_missing()
    if why:
        lab.skip(why)
    host = Libvirt(lab.folder, lab.sockets, **more).start()
    return host.told(lab)


class Libvirt:
    """Its folder is below sockets: paths of sockets are short."""

    def __init__(self, folder, sockets, within=()):
        """folder: for logs; sockets: a folder with a short path; within: a command that the daemons
        are started by, such as one that enters a network."""
        self._folder = folder
        self.place = sockets / "libvirt"
        self._within = list(within)
        self._kvm = "kvm" if "kvm" in acceleration() else "none"
        self.socket = self.place / "run/libvirt/libvirt-sock"
        self.uri = self.outside = f"qemu+unix:///system?socket={self.socket}"
        self._daemons = {}
        self._make()

    def enter(self):
        """The command that starts a program where libvirt's are."""
        return ["unshare", "-m", "sh", "-c", _ENTER, "sh", self.place, self._kvm]

    def _make(self):
        logs = self._folder / "libvirt-log"  # QEMU's own, too: they stay when the scenario is over
        logs.mkdir()
        self.place.mkdir()
        (self.place / "log").symlink_to(logs)
        for name in COVERED:
            (self.place / name).mkdir(exist_ok=True)
        (self.place / "empty").touch()
        (self.place / "etc/qemu.conf").write_text(_QEMU_CONF)
        (self.place / "etc/libvirtd.conf").write_text(_LIBVIRTD_CONF)
        # QEMU is another user's: it must get at what is below.
        for path in (self.place.parent, self.place):
            path.chmod(0o711)

    def start(self):
        """Both daemons, or those that do not run; waits until libvirtd answers."""
        for name in ("virtlogd", "libvirtd"):
            if name not in self._daemons or not self._daemons[name].alive():
                self._daemons[name] = Process(
                    name, [*self._within, *self.enter(), name], self._folder / f"{name}.log")
        wait_for("libvirtd's answer", patient(20),
                 lambda: self.virsh("uri", quiet=True)[0] == 0 or self._ended())
        return self

    def told(self, lab):
        """Says which it is."""
        lines = self.ask("version", "--daemon").splitlines()
        lab.say("; ".join(line.split(": ")[1] for line in lines if line.startswith("Running")))
        return self

    def _ended(self):
        for daemon in self._daemons.values():
            if not daemon.alive():
                raise RuntimeError(f"{daemon.name} ended with status {daemon.status()}: "
                                   f"{daemon.words()}")

    @property
    def pid(self):
        """libvirtd's."""
        return self._daemons["libvirtd"].pid

    def kill(self):
        """Kills libvirtd, which domains outlive."""
        self._daemons["libvirtd"].kill()
        self._daemons["libvirtd"].wait()

    def stop(self):
        """Ends it as systemd does; domains stay."""
        return self._daemons["libvirtd"].stop(patient(10))

    def virsh(self, *words, quiet=False, seconds=60):
        """Runs virsh; returns its status and words."""
        ended = subprocess.run(["virsh", "-c", self.outside, *map(str, words)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL if quiet else subprocess.STDOUT, text=True,
                               timeout=patient(seconds), check=False)
        return ended.returncode, ended.stdout.strip()

    def ask(self, *words):
        """As virsh(), of what must succeed; returns the words."""
        status, text = self.virsh(*words)
        if status != 0:
            raise RuntimeError(f"virsh {' '.join(map(str, words))}: {status}: {text}")
        return text
