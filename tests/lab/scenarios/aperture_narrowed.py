"""Without udmabuf an aperture is narrowed, and told so; a spy that cheats finds the secret then, and `require` refuses the share."""

import contextlib
import os

import newer
import spy
from network import Namespace, what_is_missing
from scenarios.kill_virtiofsd import Share
from show import need

NEEDS = "virtiofsd unpacking newer"
UDMABUF = False


def play(lab):
    if os.path.exists("/dev/udmabuf"):
        if "LAB_NESTED" not in os.environ:
            lab.skip("this kernel has udmabuf: tests/run aperture-narrowed goes into a VM")
        os.unlink("/dev/udmabuf")  # the VM's own
    with contextlib.ExitStack() as stack:
        namespace = None
        if newer.qemu() and not what_is_missing():
            namespace = stack.enter_context(Namespace(f"guestlink-{os.getpid()}", "10.0.9.2/24"))
        narrowed(lab, namespace)
    refused(lab)


def narrowed(lab, namespace):
    """namespace: for an adapter that passt serves, or None."""
    spied = spy.Spied(lab, "narrow", namespace)
    kind = None
    for kind in spy.programs():
        report = spied.look(kind)
        lab.say(report.text)
        size = spied.aperture(kind, "narrowed")
        need("later/whole" in report.found, f"a spy that cheats finds nothing: {report.found}")
        if kind == "Rust":  # the other one maps all that lies before the pool, too
            need("later/whole" in report.granted, f"granted: {report.granted}")
            need(report.told == size and "later/told" not in report.found,
                 f"what it was told of holds the secret, or more than {size}: {report.text}")
    if namespace:
        report = spied.look_from_passt()
        lab.say(report.text)
        spied.aperture_of_passt("narrowed")
        need("later/whole" in report.found, f"a spy that cheats finds nothing: {report.found}")
    # Once for a VM, by whichever device is the first; and again where a device has more rings.
    reasons = {event["reason"] for event in spied.hostd.events("DeviceAperture")}
    need(len(reasons) == 1 and "udmabuf" in min(reasons), f"{reasons}")
    lab.say(f"narrowed: {min(reasons)}")
    another_comes(lab, spied, kind)
    spied.end()


def another_comes(lab, spied, kind):
    """In place of the one in Rust, under QEMU 10 if it is there, which waits for what it acknowledges."""
    share = Share(lab, spied.hostd, str(spied.folder(kind)))
    share.killed("virtiofsd", lambda: share.pids, "killed by signal 9 (Killed)")
    spied.comes_back(kind)


def refused(lab):
    spied = spy.Spied(lab, "shut", aperture="require")
    for kind in spy.programs():
        status, words, folder = spied.add(kind)
        need(status != 0 and "udmabuf" in words, f"share add: {status}: {words}")
        need("secret" not in "".join(os.listdir(folder)), "it is served all the same")
        lab.say(f"refused: {words}")
    spied.end()
