"""A guest that slept, whoever noticed, or that was restored from a snapshot, has the right time again, and fresh randomness."""

import shutil
import subprocess
import time

from guest import reconnecting
from image import Image
from kernel import Kernel
from show import need
from wait import wait_for

HOST = "guestlink.host=virtio-port:guestlink guestlink.modules=virtio_pci,virtio_console"
SLEEP = 8  # seconds; less than the daemon takes for a lost guest
SECOND = 1_000_000_000


def play(lab):
    if not shutil.which("qemu-img"):
        lab.skip("qemu-img is not installed (qemu-utils)")
    door = lab.sockets / "port"
    disk = lab.folder / "snapshots.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"], check=True)
    guest = lab.guest("lab", cmdline=HOST, vsock_device=False,
                      image=Image(Kernel(), ["virtio_console"]).add_init(),
                      extra=["-rtc", "clock=vm", "-device", "virtio-serial-pci",
                             "-chardev", f"socket,id=port,path={door},{reconnecting()}",
                             "-device", "virtserialport,chardev=port,name=guestlink",
                             "-drive", f"if=none,id=snapshots,file={disk}"])
    hostd = lab.hostd([lab.usual_vm(guest, socket=str(door), shares=[], network=[])]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    wait_for("the right time", lab.seconds(20), lambda: abs(off_by(lab, hostd)) < 3)
    paused(lab, hostd, guest)
    restored(lab, hostd, guest)
    silent(lab, hostd, guest)
    left_alone(lab, hostd, guest)
    lab.shut_down(hostd, guest)


def off_by(lab, hostd):
    """Seconds that the guest's clock is behind the host's."""
    status, words = lab.run_in_guest(hostd, "lab", "date", "+%s")
    need(status == 0, f"date: {status}: {words}")
    return time.time() - int(words)


def set_right(lab, hostd, count):
    """It is told of the steps since, and none is missing."""
    off = off_by(lab, hostd)
    need(abs(off) < 3, f"the guest's clock is {off:.1f} s behind")
    events = hostd.events("ClockStepped")
    need(len(events) >= count, f"{events}")


def stepped(lab, hostd, before, least):
    """By so much in all since: what was sent while it slept is a step of its own."""
    def by():
        return sum(event["after"] - event["before"]
                   for event in hostd.events("ClockStepped")[before:]) / SECOND

    wait_for(f"steps of {least} s", lab.seconds(20), lambda: by() > least - 1.4)
    set_right(lab, hostd, before + 1)
    return by()


def sleep(guest, seconds=SLEEP):
    guest.ask_qemu("stop")
    time.sleep(seconds)
    guest.ask_qemu("cont")


def paused(lab, hostd, guest):
    """QEMU says that it goes on."""
    before = len(hostd.events("ClockStepped"))
    sleep(guest)
    by = stepped(lab, hostd, before, SLEEP)
    need(not hostd.events("GuestDisconnected"), "the connection was lost")
    lab.say(f"paused for {SLEEP} s: stepped by {by:.1f} s, on the same connection")


def restored(lab, hostd, guest):
    """QEMU's emulation lets the processor's clock go on meanwhile: how far it is behind says nothing."""
    words = guest.ask_qemu("human-monitor-command", **{"command-line": "savevm before"})
    need(not words, f"savevm: {words}")
    _, uuid = lab.run_in_guest(hostd, "lab", "cat", "/proc/sys/kernel/random/uuid")
    time.sleep(SLEEP)
    words = guest.ask_qemu("human-monitor-command", **{"command-line": "loadvm before"})
    need(not words, f"loadvm: {words}")
    wait_for("the right time", lab.seconds(20), lambda: abs(off_by(lab, hostd)) < 3)
    _, again = lab.run_in_guest(hostd, "lab", "cat", "/proc/sys/kernel/random/uuid")
    need(uuid != again, f"the twin's randomness: {uuid}")
    lab.say("restored from a snapshot: the right time, and other randomness")


def reload(lab, hostd):
    """A VM with another device host is another VM: its guest calls again."""
    connected = len(hostd.events("GuestConnected"))
    hostd.reload()
    hostd.wait_event("GuestConnected", lab.seconds(30), count=connected + 1)


def silent(lab, hostd, guest):
    """Nobody says so, and the daemon took the guest for lost: at the next connection."""
    vm = hostd.config["vms"][0]
    vm["device_host"] = {"type": "none"}
    vm["timeouts_ms"] = {"silence": 3000}
    reload(lab, hostd)
    lost = len(hostd.events("GuestDisconnected"))
    before = len(hostd.events("ClockStepped"))
    sleep(guest)
    need(len(hostd.events("GuestDisconnected")) > lost, "the silence was not noticed")
    by = stepped(lab, hostd, before, SLEEP)
    lab.say(f"silent for {SLEEP} s: stepped by {by:.1f} s when it was back")


def left_alone(lab, hostd, guest):
    hostd.config["vms"][0]["clock"] = "none"
    hostd.reload()  # nothing that a connection depends on
    before = len(hostd.events("ClockStepped"))
    connected = len(hostd.events("GuestConnected"))
    sleep(guest)
    hostd.wait_event("GuestConnected", lab.seconds(30), count=connected + 1)
    off = off_by(lab, hostd)
    need(off > SLEEP - 2 and len(hostd.events("ClockStepped")) == before,
         f"{off:.1f} s behind, and {hostd.events('ClockStepped')}")
    lab.say(f"\"clock\": \"none\": it stays {off:.0f} s behind")
