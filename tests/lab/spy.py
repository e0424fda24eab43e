"""A virtiofsd or passt that was taken over: the real one, linked with a library (spy/spy.h) that has
it do without its own filter, and look for a secret in all memory that it can get at."""

import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import threading

import confined
import newer
import paths
from download import Server
from hostd import adapter, vm_settings
from image import Image
from kernel import Kernel
from show import need
from wait import wait_for

LOG, ORDER, DONE = "spy.log", "spy.look", "spy.done"
LOOK, FORGE = b"l", b"f"

# Names of attempts on whatever there is in any case.
ATTEMPTS = {f"later/{name}" for name in (
    "whole", "beyond", "read", "grow", "grow-beyond", "double", "move", "reopen", "udmabuf",
    "map-files", "back-channel", "processes", "pidfd-getfd-of-peer", "dev-mem", "dev-udmabuf", "kcore",
    "spy-made-mem")} | {"start/processes", "start/dev-mem", "start/kcore", "start/spy-made-mem"}
# And of passt's alone.
SOCKETS = {"start/socket-unix", "start/socket-vsock", "start/socket-packet"}


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


def library(folder, name, without, home):
    """Builds one of tests/lab's: without one of its files; home: see spy.h."""
    path = folder / f"{name}.so"
    sources = sorted(source for source in (paths.ROOT / "tests/lab" / name).glob("*.c")
                     if source.name != without)
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-fPIC", "-shared", "-Wall",
                    "-Wextra", "-Werror", f"-DSPY_HOME={home}", "-o", path, *sources], check=True)
    return path


def turn(program, folder, to, names=("spy",), home=0):
    """Writes to the path `to` a copy of a virtiofsd, or of a passt that knows its spy's home, that
    is the spy's, or other libraries'. Returns `to`."""
    own = folder / f"{to.name}-library"
    own.mkdir(exist_ok=True)
    copy = own / "copy"
    shutil.copy(program, copy)
    for name in names:
        subprocess.run(["patchelf", "--add-needed",
                        library(own, name, "virtiofsd.c" if home else "passt.c", home), copy],
                       check=True)
    copy.rename(to)
    return to


class Report:
    """What a spy said since it began."""

    def __init__(self, text):
        self.text = text
        self.told = max([int(size) for size in re.findall(r"^told (\d+)$", text, re.M)] + [0])
        self.found = dict(re.findall(r"^found (\S+): ([0-9a-f]+)$", text, re.M))
        self.attempts = {}
        for name, outcome, why in re.findall(r"^attempt (\S+): (granted|refused) \((.*)\)$",
                                             text, re.M):
            self.attempts.setdefault(name, set()).add(outcome)

    @property
    def granted(self):
        return sorted(name for name, outcomes in self.attempts.items() if "granted" in outcomes)


def look_in(share, seconds):
    """Has a virtiofsd's spy look, whose share's folder that is; returns its report."""
    (share / DONE).unlink(missing_ok=True)
    (share / ORDER).touch()
    wait_for("the spy to have looked everywhere", seconds, (share / DONE).exists, 0.2)
    return Report((share / LOG).read_text(errors="replace"))


class Home:
    """Where the spies in passts say what they see, one at a time."""

    def __init__(self, namespace):
        self._sock = namespace.call(socket.create_server, ("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]
        self._spy, self._said, self.came = None, b"", 0
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self):
        while True:
            self._spy, _ = self._sock.accept()
            self._said = b""
            self.came += 1
            while more := self._take():
                self._said += more

    def _take(self):
        try:
            return self._spy.recv(1 << 16)
        except ConnectionResetError:
            return b""

    def order(self, what=LOOK):
        self._spy.send(what)

    def said(self):
        return self._said.decode(errors="replace")

    def look(self, seconds):
        """Has the present one look; returns its report."""
        before = self.said().count("done\n")
        self.order()
        wait_for("the spy in passt to have looked everywhere", seconds,
                 lambda: self.said().count("done\n") > before, 0.2)
        return Report(self.said())


class Spied:
    """A guest that holds a secret, shares that it uses and a spy serves, one for each kind of
    virtiofsd that there is, and an adapter that one in passt serves."""

    def __init__(self, lab, name, namespace=None, backend="", **vm):
        """namespace: for passt (network.py), or None: no adapter; backend: words for the guest's
        memory; vm: more of the VM's settings."""
        self.lab, self.name, self.namespace = lab, name, namespace
        self.secret = secrets.token_hex(16)
        self._program = lab.sockets / f"{name}-virtiofsd"
        image = Image(Kernel()).add_init().add_program("/bin/secret", lab.compile("secret"))
        self.guest = lab.guest(name, "stock", "quiet", image=image, backend=backend, reboots=True,
                               **{"qemu": newer.qemu()} if namespace else {})
        settings = vm_settings(self.guest, name, **self._network(), **vm)
        settings["device_host"] |= {"virtiofsd": str(self._program), "passt": str(self._passt)}
        turn(list(programs().values())[0], lab.sockets, self._program)
        self.hostd = lab.hostd([settings], within=namespace.within if namespace else ()).start()
        self.guest.start()
        self._holds_secret(1)

    def _holds_secret(self, boot):
        """From now on in that boot."""
        self.hostd.wait_event("GuestReady", self.lab.seconds(90), count=boot, vm=self.name)
        self._in_guest(f"/bin/secret {self.secret} </dev/null >/run/held 2>&1 & "
                       "until grep -q held /run/held; do sleep 0.1; done")
        self.lab.say(f"{self.name}: a guest holds {self.secret}")

    def reboots(self):
        """The guest, in the same QEMU."""
        before = len(self.hostd.events("GuestReady", vm=self.name))
        status, words = self.lab.control(self.hostd, "shutdown", self.name, "--reboot")
        need(status == 0, f"shutdown --reboot: {status}: {words}")
        self._holds_secret(before + 1)

    def _network(self):
        """Settings, and what they take on the host."""
        self._passt = self.lab.sockets / f"{self.name}-passt"
        if not self.namespace:
            return {"networking": "none"}
        self._home = Home(self.namespace)
        self._server = self.namespace.call(Server, 1 << 20)
        turn(newer.PASST, self.lab.sockets, self._passt, home=self._home.port)
        return {"network": [adapter(id="net3", address=["10.0.3.15/24"], gateway="10.0.3.2", dns=[],
                                    backend="passt", host_loopback=True)]}

    def _in_guest(self, command):
        status, words = self.lab.run_in_guest(self.hostd, self.name, "/bin/sh", "-c", command)
        need(status == 0, f"{command}: {status}: {words}")
        return words

    def comes_back(self, kind):
        """The share, by itself."""
        wait_for(f"the share {kind} to be back", self.lab.seconds(20), lambda: self.lab.run_in_guest(
            self.hostd, self.name, "grep", "-q", "on the host", f"/mnt/{kind}/from-host.txt")[0] == 0)

    def bind_again(self, kind):
        confined.bind_again(self.guest, self._in_guest, kind)

    def add(self, kind):
        """Has that kind's spy serve a share; returns status and words of guestlinkctl, and the
        folder."""
        turn(programs()[kind], self.lab.sockets, self._program, ("spy", "told"))
        folder = self.lab.share_folder(f"{self.name}-{kind}")
        status, words = self.lab.control(self.hostd, "share", "add", self.name, kind, str(folder),
                                         f"/mnt/{kind}", seconds=60)
        return status, words, folder

    def folder(self, kind):
        return self.lab.folder / "shares" / f"{self.name}-{kind}"

    def look(self, kind):
        """Adds such a share, sees that it works, and returns what its spy has found."""
        status, words, _ = self.add(kind)
        need(status == 0, f"share add: {status}: {words}")
        return self.look_again(kind)

    def look_again(self, kind):
        folder = self.folder(kind)
        self._works(kind, folder)
        report = look_in(folder, self.lab.seconds(60))
        self._works(kind, folder)
        return self._judged(f"virtiofsd ({kind})", report)

    def look_from_passt(self):
        """Sees that the adapter works, and returns what the spy in its passt has found."""
        self.downloads()
        report = self._home.look(self.lab.seconds(60))
        self.downloads()
        return self._judged("passt", report)

    def _judged(self, what, report):
        self.lab.say(f"{self.name}: the spy in {what} was told {report.told} bytes, was "
                     f"granted {' '.join(report.granted) or 'nothing'}, and found the secret by "
                     f"{' '.join(report.found) or 'nothing'}")
        need(set(report.found.values()) <= {self.secret}, f"another secret: {report.found}")
        return report

    def forge(self):
        """The spy in passt sends up what nobody asked for: it ends, and another one serves."""
        came = self._home.came
        self._home.order(FORGE)
        wait_for("another passt in place of one that forges", self.lab.seconds(20),
                 lambda: self._home.came > came)
        self.downloads()
        return self.hostd.events("DeviceFailed", device="net3")[-1]["text"]

    def aperture(self, tag, kind):
        """How many bytes the daemon says that the share's virtiofsd can reach."""
        return self._bytes("shares", "tag", tag, kind)

    def aperture_of_passt(self, kind):
        return self._bytes("adapters", "id", "net3", kind)

    def _bytes(self, devices, key, name, kind):
        status, words = self.lab.control(self.hostd, "--json", "show", self.name)
        need(status == 0, words)
        (device,) = [one for one in json.loads(words)[devices] if one[key] == name]
        need(device["aperture"] == kind, f"{device}")
        return device["aperture_bytes"]

    def downloads(self):
        def download():
            """passt gives a connection up whose guest does not answer for seconds, as here at times."""
            status, words = self.lab.run_in_guest(
                self.hostd, self.name, "/bin/sh", "-c",
                f"wget -q -O /tmp/got {self._server.url('10.0.3.2')} && sha256sum </tmp/got")
            return status == 0 and words.split()
        words = wait_for("a whole download", self.lab.seconds(30), download)
        need(words[0] == self._server.digest, f"the download differs: {words}")

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
