"""A share's back end never answers, or libvirtd itself does not: the daemon says so in time, serves what it can meanwhile, and all is whole again."""

import errno
import os
import signal
import time

import domain as domains
import libvirt
from hostd import share, vm_settings
from show import need
from wait import wait_for

DEVICE_MS = 4000


def play(lab):
    host = libvirt.here(lab)
    silent = lab.sockets / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 3600\n")
    silent.chmod(0o755)
    stuck, other = (domains.of_lab(lab, host, name) for name in ("stuck", "other"))
    vms = [vm_settings(stuck, "stuck", shares=[share("c", lab.share_folder("stuck"), "/mnt/c")],
                       device_host=stuck.device_host(virtiofsd=str(silent),
                                                     timeout_ms=DEVICE_MS)),
           vm_settings(other, "other", shares=[share("c", lab.share_folder("other"), "/mnt/c")],
                       device_host=other.device_host(timeout_ms=DEVICE_MS))]
    hostd = lab.hostd(vms).start()
    other.start()
    hostd.wait_event("GuestReady", lab.seconds(60), vm="other")
    stuck.start()
    hostd.wait_event("ApplyGuestCapabilities", lab.seconds(60), vm="stuck")
    began = time.monotonic()
    before = meanwhile(lab, hostd, vms[1], other)
    need(lab.run_in_guest(hostd, "other", "true")[0] == 0, "the other one is not served")
    event = hostd.wait_event("DeviceFailed", lab.seconds(20), vm="stuck", count=before + 1)
    took = time.monotonic() - began
    need(event["device"] == "c" and event["error"] == errno.ETIMEDOUT, f"{event}")
    # Only where the machine is not so slow that nothing can be said of it.
    need(took < DEVICE_MS / 1000 + lab.seconds(2), f"{took:.1f} s: {event}")
    lab.say(f"after {took:.1f} s: {event['text']}")

    began = time.monotonic()
    need(stuck.state() == "running", stuck.state())
    need(time.monotonic() - began < lab.seconds(2), "libvirt holds the domain's lock still")
    need(stuck.aliases() == [], f"left in the domain: {stuck.aliases()}")
    ready = hostd.wait_event("GuestReady", lab.seconds(60), vm="stuck")
    need(lab.run_in_guest(hostd, "stuck", "true")[0] == 0, "the guest of the stuck one is not served")
    lab.say(f"its guest is served all the same: {ready['host_ready_ms']} ms")

    del vms[0]["device_host"]["virtiofsd"]
    hostd.reload()
    hostd.wait_event("MountShare", lab.seconds(60), vm="stuck", error=0)
    status, words = lab.run_in_guest(hostd, "stuck", "cat", "/mnt/c/from-host.txt")
    need(status == 0 and words == "written on the host for stuck\n", f"{status}: {words}")
    lab.say("with a sound back end it has its share")
    libvirtd_hangs(lab, hostd, host, vms[1], other)
    for name, domain in (("stuck", stuck), ("other", other)):
        lab.shut_down(hostd, domain, name)


def meanwhile(lab, hostd, vm, domain):
    """Another domain of the same libvirtd gets a share before libvirt is done with the stuck one.

    One try proves that. A busy machine may need longer for the share than libvirt waits for the
    stuck one, so there are three; if the other one had to wait its turn, none would pass.
    Returns how often the stuck one had failed before the try that proves it."""
    for name in ("more", "again", "last"):
        vm["shares"].append(share(name, lab.share_folder(name), f"/mnt/{name}"))
        failed = len(hostd.events("DeviceFailed", vm="stuck"))
        hostd.reload()  # tries the stuck share again, if libvirt was done with it
        event = hostd.wait_event("MountShare", lab.seconds(30), vm="other", tag=name, error=0)
        need(name in domain.tags(), f"{domain.tags()}")
        over = hostd.events("DeviceFailed", vm="stuck")[failed:]
        if not over or over[0]["ts"] > event["ts"]:
            lab.say(f"the other one got share {name} while the stuck one waited")
            return failed
        lab.say(f"share {name} was later than the stuck one's end: once more")
    need(False, "the other one had to wait for it")


def libvirtd_hangs(lab, hostd, host, vm, domain):
    """Stopped as it may be by a debugger, for longer than it is waited for."""
    vm["shares"].append(share("late", lab.share_folder("late"), "/mnt/late"))
    failed = len(hostd.events("DeviceFailed"))
    os.kill(host.pid, signal.SIGSTOP)
    try:
        hostd.reload()
        began = time.monotonic()
        status, words = lab.run_in_guest(hostd, "other", "cat", "/mnt/c/from-host.txt")
        need(status == 0, f"the guest is not served: {status}: {words}")
        need(time.monotonic() - began < lab.seconds(2), "the daemon waits for libvirtd")
        event = hostd.wait_event("DeviceFailed", lab.seconds(20), count=failed + 1)
        need(event["device"] == "late" and event["vm"] == "other", f"{event}")
        lab.say(f"libvirtd hangs: {event['text']}")
    finally:
        os.kill(host.pid, signal.SIGCONT)
    hostd.reload()
    hostd.wait_event("MountShare", lab.seconds(60), vm="other", tag="late", error=0)
    tags = domain.tags()
    need("late" in tags and len(tags) == len(set(tags)), f"{tags}")
    lab.say("it goes on, and the share is there, once")
