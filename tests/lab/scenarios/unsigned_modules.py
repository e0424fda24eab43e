"""Modules without signatures: loaded, which taints; where a kernel wants some, PID 1 says so."""

import plain_host as ph
from image import Image
from kernel import Kernel
from show import need
from wait import wait_for

UNSIGNED = 1 << 13  # TAINT_UNSIGNED_MODULE
# What makes a kernel demand signatures, and what PID 1 says then.
DEMANDS = {
    "module.sig_enforce=1": "not signed with a key of this kernel, which requires it "
                            "(module.sig_enforce; --strip-signatures); continuing without it",
    "lockdown=integrity": "forbidden (lockdown= requires signed modules: --strip-signatures? or "
                          "kernel.modules_disabled); continuing without it",
}


def play(lab):
    image = Image(Kernel(), options=["--strip-signatures"]).add_init()
    guests = {demand: lab.guest(demand.split("=")[0], "old", demand, image=image)
              for demand in DEMANDS}
    loaded(lab, image)
    for guest in guests.values():
        guest.start()
    for demand, guest in guests.items():
        refused(lab, guest, demand)


def loaded(lab, image):
    """The kernel takes them: those of the handshake, and those behind it."""
    guest = lab.guest("taken", "old", image=image)
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    wait_for("virtiofs to be loaded", lab.seconds(20), lambda: "virtiofs" in taints(host))
    found = taints(host)
    need(all(taint == "E" for taint in found.values()) and "vsock" in found, f"taints: {found}")
    _, words = host.shell("cat /proc/sys/kernel/tainted")
    need(int(words) & UNSIGNED, f"tainted: {words.strip()}, expected {UNSIGNED}")
    lab.say(f"{len(found)} modules without a signature are loaded; tainted: {words.strip()}")
    need(host.do(ph.SHUT_DOWN, ph.shut_down())[0] == 0, "shut-down")
    host.wait("FAREWELL", lambda: host.farewell)
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    host.close()


def taints(host):
    """What each loaded module did to the kernel: {name: letters}."""
    _, words = host.shell("cd /sys/module && for file in */taint; do echo $file:$(cat $file); done")
    return dict(line.split("/taint:") for line in words.splitlines())


def refused(lab, guest, demand):
    """The kernel refuses the first one already, and PID 1 says why. No host is ever reached."""
    said = guest.wait_console(r"cannot load module virtio .*; continuing without it$", lab.seconds(60))[0]
    need(said.endswith(DEMANDS[demand]), said)
    guest.process.kill()
    guest.process.wait()
    lab.say(f"{demand}: {said}")
