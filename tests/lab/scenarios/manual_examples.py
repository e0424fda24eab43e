"""The EXAMPLES of the manuals as they stand, and those of each `guestlinkctl COMMAND --help`, with guests."""

import json
import os
import re
import shutil
import subprocess

import paths
from guest import Guest, reconnecting
from hostd import vm_settings
from image import BUSYBOX, libraries
from kernel import Kernel
from show import need
from wait import wait_for

# A part of what each of guestlinkctl's examples has to print, in their order.
CTL_SAYS = ("ready", "token", "features", "swiotlb=", "guestlink-vm@web", "", "base-files", "", "80 of dev", "PGSQL",
            "HELLO",
            "GuestReady", '"event":"GuestReady"', "kernel until PID 1", "", "ok", "# TYPE", "", "")
# Serves until it is stopped; with ports and a /run that nobody else has.
FORWARD = """unshare -nm sh -euc 'ip link set lo up; mount -t tmpfs run /run; mkdir -p /run/user/1000
exec timeout --preserve-status -s INT 3 {}'"""


def examples(page):
    """Each literal block of a manual's EXAMPLES."""
    text = (paths.ROOT / page).read_text(encoding="utf-8")
    section = re.search(r"^\.S[Hh] EXAMPLES\n(.*?)^\.S[Hh] ", text, re.MULTILINE | re.DOTALL)[1]
    blocks = re.findall(r"^\.(?:EX|Bd).*?\n(.*?)^\.E[Ed]$", section, re.MULTILINE | re.DOTALL)
    need(blocks, f"{page} has no examples")
    return [block.replace("\\-", "-").replace("\\e", "\\").replace("\\(aq", "'") for block in blocks]


class Place:
    """A folder to run examples in, and programs in front of PATH that know where the lab has things."""

    def __init__(self, lab):
        self.lab, self.kernel = lab, Kernel()
        self.folder = lab.sockets / "examples"
        self.programs = lab.sockets / "programs"
        for folder in (self.folder, self.programs, self.folder / "vms"):
            folder.mkdir()
        if "LAB_NESTED" in os.environ:
            self.kernel.image = self.kernel.uncompressed(lab.sockets / "kernel")
        shutil.copy(BUSYBOX, self.folder / "app")
        self.script("uname", f"echo {self.kernel.release}")
        init = paths.program("guestlink-init")
        more = " ".join(f"--add {library}:{library}" for library in libraries(init))
        self.script("guestlink-mkinitramfs", f"exec {paths.program('guestlink-mkinitramfs')} --root "
                    f"{self.kernel.folder} --init {init} {more} \"$@\"")
        self.script("guestlink-hostd", f'exec {paths.program("guestlink-hostd")} "$@"')

    def script(self, name, line):
        (self.programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (self.programs / name).chmod(0o755)

    def use(self, hostd):
        """guestlinkctl speaks to that daemon; a new VM has the lab's kernel, and files of the place."""
        new = (f"--kernel {self.kernel.image} --initrd {self.folder}/guest.img --vms {self.folder}/vms "
               f"--config {self.folder}/new.json")
        self.script("guestlinkctl", f'[ "$1" != new ] || set -- "$@" {new}\n'
                    f'exec {paths.program("guestlinkctl")} --socket {hostd.control} "$@"')

    def run(self, block, says=""):
        ended = subprocess.run(["sh", "-euc", block], cwd=self.folder, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                               env={**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"},
                               timeout=self.lab.seconds(60))
        need(ended.returncode == 0 and says in ended.stdout, f"{block}: {ended}")
        self.lab.say(block.strip().replace("\\\n", "").replace("\n", "; "))

    def guest(self, name, cmdline, image="guest.img", **more):
        return Guest(self.lab.folder / name, self.lab.sockets / name, self.kernel,
                     self.folder / image, cmdline, **more)


def play(lab):
    place = Place(lab)
    for block in examples("init/guestlink-mkinitramfs.8"):
        place.run(block)
    usual, alone, port = (block.strip() for block in examples("init/guestlink-init.8"))
    for number, block in enumerate(examples("hostd/guestlink-hostd.json.5")):
        (place.folder / "example.json").write_text(block)
        place.run("guestlink-hostd --config example.json --check-config", "1 VM, no error")
        need(number > 0 or json.loads(block)["vms"][0]["name"] == "least", block)
    with_a_host(lab, place, usual)
    without_a_host(lab, place, alone)
    over_a_port(lab, place, port)


def with_a_host(lab, place, cmdline):
    guest = place.guest("dev", cmdline)
    hostd = lab.hostd([lab.usual_vm(guest, "dev", hostname="dev")]).start()
    place.use(hostd)
    guest.start()
    ready = hostd.wait_event("GuestReady", lab.seconds(60))
    need(hostd.events("ApplyGuestCapabilities")[0]["token"].startswith("swiotlb="), f"{ready}")
    (block,) = examples("hostd/ctl/guestlinkctl.1")
    lines = block.splitlines()
    need(len(lines) == len(CTL_SAYS), f"{len(lines)} examples")
    need_in_manual(lines)
    for line, says in zip(lines[:-1], CTL_SAYS):
        place.run(FORWARD.format(line) if " forward " in line else line, says)
    need((place.folder / "boot.svg").read_text().endswith("</svg>\n"), "boot.svg")
    (vm,) = json.loads((place.folder / "new.json").read_text())["vms"]
    need(vm["name"] == "web" and (place.folder / "vms/web.conf").exists(), f"{vm}")

    need(hostd.process.stop(lab.seconds(10)) == 0, hostd.log())
    (place.folder / "hostd.json").symlink_to(hostd.config_file)
    check, serve = examples("hostd/guestlink-hostd.8")
    place.run(check, "1 VM, no error")
    place.run(serve, "dev\n")
    need("reloaded " in (place.folder / "hostd.log").read_text(), "SIGHUP")
    hostd.start()
    wait_for("the guest", lab.seconds(20),
             lambda: lab.control(hostd, "capabilities", "dev", "--refresh")[0] == 0)
    place.run(lines[-1])
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    need(hostd.process.stop(lab.seconds(10)) == 0, hostd.log())


def need_in_manual(lines):
    """What each --help shows is among the manual's examples."""
    program = paths.program("guestlinkctl")
    names = subprocess.run([program, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for name in re.findall(r"^  ([a-z]+)", names, re.MULTILINE):
        text = subprocess.run([program, name, "--help"], stdout=subprocess.PIPE, text=True,
                              check=True).stdout
        shown = re.findall(r"^Example:\n  (.*)$", text, re.MULTILINE)
        need(shown and all(line in lines for line in shown), f"{name} --help: {shown}")


def without_a_host(lab, place, cmdline):
    guest = place.guest("alone", cmdline, vsock_device=False)
    guest.start()
    guest.wait_console(rf"^{re.escape(place.kernel.release)}$", lab.seconds(60))
    lab.say(cmdline)
    guest.process.kill()
    guest.process.wait()


def over_a_port(lab, place, cmdline):
    door = lab.sockets / "door"
    guest = place.guest("port", cmdline, "app.img", vsock_device=False,
                        extra=["-device", "virtio-serial-pci",
                               "-chardev", f"socket,id=port,path={door},server=off,{reconnecting()}",
                               "-device", "virtserialport,chardev=port,name=org.guestlink.0"])
    hostd = lab.hostd([vm_settings(guest, "port", socket=str(door),
                                   payload=["/usr/bin/app", "sleep", "1000"])]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60), vm="port")
    lab.say(cmdline)
    lab.shut_down(hostd, guest, "port")
