"""A virtiofsd that was taken over: the real one, linked with a library (spy/spy.h) that has it do
without its own filter, and look for a secret in all memory that it can get at."""

import hashlib
import os
import re
import secrets
import shutil
import subprocess

import paths
from hostd import vm_settings
from image import Image
from kernel import Kernel
from show import need
from wait import wait_for

LOG, ORDER, DONE = "spy.log", "spy.look", "spy.done"

# Names of attempts on whatever there is in any case.
ATTEMPTS = {f"later/{name}" for name in (
    "whole", "beyond", "read", "grow", "grow-beyond", "double", "move", "reopen", "udmabuf",
    "map-files", "processes", "pidfd-getfd-of-peer", "dev-mem", "dev-udmabuf", "kcore",
    "spy-made-mem")} | {"start/processes", "start/dev-mem", "start/kcore", "start/spy-made-mem"}


def programs():
    """Each kind of virtiofsd that is to be had here, by name."""
    known = {"C": ["/usr/lib/qemu/virtiofsd"],
             "Rust": ["/usr/libexec/virtiofsd", paths.LAB / "virtiofsd/virtiofsd"]}
    found = {}
    for name, places in known.items():
        for place in places:
            if name not in found and os.path.exists(place):
                found[name] = place
    return found


def library(folder, name="spy"):
    """Builds one of tests/lab's for virtiofsd."""
    path = folder / f"{name}.so"
    sources = sorted((paths.ROOT / "tests/lab" / name).glob("*.c"))
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-fPIC", "-shared", "-Wall",
                    "-Wextra", "-Werror", "-o", path, *sources], check=True)
    return path


def turn(program, folder, to, name="spy"):
    """Writes to the path `to` a copy of a virtiofsd that is the spy's, or another library's."""
    copy = folder / "virtiofsd-copy"
    shutil.copy(program, copy)
    subprocess.run(["patchelf", "--add-needed", library(folder, name), copy], check=True)
    copy.rename(to)
    return to


class Report:
    """What the spy said since the last time."""

    def __init__(self, share):
        """share: the folder that it serves."""
        self._share = share
        self.told, self.attempts, self.found, self.text = 0, {}, {}, ""

    def look(self, seconds):
        """Has it look; returns this, with all that it said since it began."""
        (self._share / DONE).unlink(missing_ok=True)
        (self._share / ORDER).touch()
        wait_for("the spy to have looked everywhere", seconds, (self._share / DONE).exists, 0.2)
        return self.read()

    def read(self):
        self.text = (self._share / LOG).read_text(errors="replace")
        self.told = max([int(size) for size in re.findall(r"^told (\d+)$", self.text, re.M)] + [0])
        self.found = dict(re.findall(r"^found (\S+): ([0-9a-f]+)$", self.text, re.M))
        self.attempts = {}
        for name, outcome, why in re.findall(r"^attempt (\S+): (granted|refused) \((.*)\)$",
                                             self.text, re.M):
            self.attempts.setdefault(name, set()).add(outcome)
        return self

    @property
    def granted(self):
        return sorted(name for name, outcomes in self.attempts.items() if "granted" in outcomes)


class Spied:
    """A guest that holds a secret, and shares that it uses and a spy serves: one for each kind of
    virtiofsd that there is."""

    def __init__(self, lab, name, kind="stock", **vm):
        """kind: the guest's (run.py), old: one that has no pool; vm: more of the VM's settings."""
        self.lab, self.name = lab, name
        self.secret = secrets.token_hex(16)
        self._program = lab.sockets / f"{name}-virtiofsd"
        image = Image(Kernel()).add_init().add_program("/bin/secret", lab.compile("secret"))
        self.guest = lab.guest(name, kind, image=image)
        settings = vm_settings(self.guest, name, networking="none", **vm)
        settings["device_host"]["virtiofsd"] = str(self._program)
        turn(list(programs().values())[0], lab.sockets, self._program)
        self.hostd = lab.hostd([settings]).start()
        self.guest.start()
        self.hostd.wait_event("GuestReady", lab.seconds(60), vm=name)
        self._in_guest(f"/bin/secret {self.secret} </dev/null >/run/held 2>&1 & "
                       "until grep -q held /run/held; do sleep 0.1; done")
        lab.say(f"{name}: a guest holds {self.secret}")

    def _in_guest(self, command):
        status, words = self.lab.run_in_guest(self.hostd, self.name, "/bin/sh", "-c", command)
        need(status == 0, f"{command}: {status}: {words}")
        return words

    def add(self, kind):
        """Has that kind's spy serve a share; returns status and words of guestlinkctl, and the
        folder."""
        turn(programs()[kind], self.lab.sockets, self._program)
        folder = self.lab.share_folder(f"{self.name}-{kind}")
        status, words = self.lab.control(self.hostd, "share", "add", self.name, kind, str(folder),
                                         f"/mnt/{kind}", seconds=60)
        return status, words, folder

    def look(self, kind):
        """Adds such a share, sees that it works, and returns what its spy has found."""
        status, words, folder = self.add(kind)
        need(status == 0, f"share add: {status}: {words}")
        self._works(kind, folder)
        report = Report(folder).look(self.lab.seconds(60))
        self._works(kind, folder)
        self.lab.say(f"{self.name}: the spy in virtiofsd ({kind}) was told {report.told} bytes, was "
                     f"granted {' '.join(report.granted) or 'nothing'}, and found the secret by "
                     f"{' '.join(report.found) or 'nothing'}")
        need(set(report.found.values()) <= {self.secret}, f"another secret: {report.found}")
        return report

    def aperture(self, tag, kind):
        """How many bytes the daemon says that the share's virtiofsd can reach."""
        event = self.hostd.wait_event("AddVirtioFsShare", self.lab.seconds(5), vm=self.name, tag=tag)
        need(event["aperture"] == kind, f"{event}")
        return event["apertureBytes"]

    def _works(self, kind, folder):
        """A MiB there and back, and a file of the host's."""
        words = self._in_guest(
            f"cd /mnt/{kind} && dd if=/dev/urandom of=/tmp/data bs=64k count=16 2>/dev/null && "
            "cp /tmp/data data && sync && cat from-host.txt && md5sum </tmp/data")
        need("written on the host" in words, f"the share's file: {words}")
        digest = hashlib.md5((folder / "data").read_bytes()).hexdigest()
        need(digest in words, f"the share's file is not what the guest wrote: {words}")

    def end(self):
        self.lab.shut_down(self.hostd, self.guest, self.name)
        self.lab.stop_daemons()
