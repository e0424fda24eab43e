"""A domain of libvirt's: the one of guestlink-hostd.json(5), read out of that page. Only names and
paths are replaced, and what an emulated machine, or a host without vhost-vsock, cannot have."""

import html
import os
import pwd
import re
import shutil
import types
import uuid
import xml.etree.ElementTree as xml

import paths
from guest import acceleration
from image import Image
from kernel import Kernel
from process import command_of, pids_with
from run import WORDS
from wait import patient, wait_for

MANUAL = paths.ROOT / "hostd/guestlink-hostd.json.5"
PORT = "org.guestlink.0"  # as the page has it
CALL = f"guestlink.host=virtio-port:{PORT} guestlink.modules=" \
    "virtio_pci,virtio_console,virtiofs,virtio_net"


def example():
    """The page's own text."""
    found = re.search(r"^<domain .*?^</domain>$", MANUAL.read_text(encoding="utf-8"),
                      re.DOTALL | re.MULTILINE)
    text = found[0]
    for roff, plain in (("\\-", "-"), ("\\(aq", "'"), ("\\(dq", '"'), ("\\&", ""), ("\\e", "\\")):
        text = text.replace(roff, plain)
    return text


def emulated(top, nested=False):
    """Has a domain's document ask for no KVM; nested: what emulates it is emulated too (guest.py)."""
    top.set("type", "qemu")
    cpu = top.find("cpu")
    if not nested:
        cpu.set("mode", "maximum")
        return
    cpu.set("mode", "custom")
    xml.SubElement(cpu, "model").text = "qemu64"
    xml.SubElement(cpu, "feature", policy="require", name="rdrand")
    xml.SubElement(cpu, "feature", policy="disable", name="cx16")


def of_lab(lab, libvirt, name="dev", kind="stock", cmdline="", **more):
    """A domain with the lab's kernel and image, of one of the four kinds of guest; defined."""
    kernel, image = _image(lab)
    return Domain(libvirt, lab.folder / name, lab.sockets, kernel, image,
                  f"lab_kind={kind} {WORDS[kind]} {cmdline}", name, **more).define()


def _image(lab):
    """Made once."""
    path = lab.sockets / "image-libvirt"
    kernel = Kernel()
    if not path.exists():
        Image(kernel, ["virtio_console"]).add_init().write(path)
    return kernel.image, path


class Domain:
    def __init__(self, libvirt, folder, sockets, kernel, image, cmdline="", name="dev",
                 owner="libvirt-qemu"):
        """libvirt: who runs it; folder: for logs; sockets: a folder with a short path; kernel: a
        file, and image: the first root's, copied, for libvirt gives them to QEMU's user."""
        self.libvirt = libvirt
        self.name = name
        self.folder = folder
        self.place = sockets / name
        for path in (folder, self.place):
            path.mkdir(parents=True)
        self.place.chmod(0o711)
        self._owner = owner
        self.console_file = self.place / "console.log"
        self.socket = self.place / "port"
        # What hostd.vm_settings() reads of a guest.
        self.memory_mib = 512
        self.qmp = None
        self.vsock = types.SimpleNamespace(peer={"socket": str(self.socket)})
        self.uuid = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        shutil.copy(kernel, self.place / "kernel")
        shutil.copy(image, self.place / "image")
        self.cmdline = (f"console=ttyS0 panic=-1 no_timer_check {CALL} {cmdline}").strip()
        self.file = folder / "domain.xml"
        self.write()

    def document(self):
        """The example, as it can run here."""
        top = xml.fromstring(example())
        texts = {"name": self.name, "uuid": self.uuid, "os/kernel": self.place / "kernel",
                 "os/initrd": self.place / "image", "os/cmdline": self.cmdline}
        for path, text in texts.items():
            top.find(path).text = str(text)
        if "kvm" not in acceleration():
            emulated(top)
        top.find("devices/serial/source").set("path", str(self.console_file))
        top.find("devices/channel/source").set("path", str(self.socket))
        top.find("devices").remove(top.find("devices/vsock"))
        return top

    def write(self, change=None):
        """Writes its file; change: gets the document first."""
        top = self.document()
        if change:
            change(top)
        self.file.write_text(xml.tostring(top, encoding="unicode") + "\n")

    def device_host(self, **more):
        return {"type": "libvirt", "uri": self.libvirt.uri, "domain": self.name, **more}

    def define(self):
        self.libvirt.ask("define", "--validate", self.file)
        return self

    def start(self):
        self.libvirt.ask("start", self.name)
        return self

    def state(self):
        """As virsh says it: running, paused, shut off."""
        return self.libvirt.ask("domstate", self.name)

    def live(self):
        """The live XML."""
        return xml.fromstring(self.libvirt.ask("dumpxml", self.name))

    def aliases(self):
        """Those of guestlink's devices, in the live XML."""
        return sorted(alias.get("name") for alias in self.live().iter("alias")
                      if alias.get("name", "").startswith("ua-guestlink-"))

    def tags(self):
        """Of the shares in the live XML."""
        return sorted(one.get("dir") for one in self.live().iterfind(
            "devices/filesystem/target"))

    def macs(self):
        """Of the adapters in the live XML."""
        return sorted(one.get("address") for one in self.live().iterfind(
            "devices/interface/mac"))

    def pid(self):
        """QEMU's, or None."""
        found = [pid for pid in pids_with(f"guest={self.name},")
                 if str(self.place) in command_of(pid)]
        return found[0] if len(found) == 1 else None

    def console(self):
        try:
            return self.console_file.read_text(errors="replace").replace("\r", "")
        except FileNotFoundError:
            return ""

    def wait_console(self, pattern, seconds):
        return wait_for(f"/{pattern}/ on the guest's console", seconds,
                        lambda: re.search(pattern, self.console(), re.MULTILINE))

    def wait_off(self, seconds):
        """As Guest.wait_off(): there is no exit status to be had."""
        self.wait_state("shut off", seconds)
        return 0

    def wait_state(self, state, seconds):
        wait_for(f"domain {self.name} to be {state}", seconds, lambda: self.state() == state,
                 step=0.1)

    def let_in(self):
        """Gives the door that the guest calls at to QEMU's user."""
        user = pwd.getpwnam(self._owner)
        wait_for("the VM's socket", patient(10), self.socket.exists)
        os.chown(self.socket, user.pw_uid, user.pw_gid)
