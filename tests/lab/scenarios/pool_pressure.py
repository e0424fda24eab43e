"""A bounce pool that runs dry is told by name, with counts and advice, and can be looked at."""

import re

from show import need
from wait import wait_for

# 256 slots of 2 KiB: what a virtio-net adapter keeps posted to receive alone takes them all.
TINY = "swiotlb=256,force"


def play(lab):
    guest, hostd = lab.serve("published", TINY)
    lab.run_in_guest(hostd, "lab", "/bin/sh", "-c",
                     f"dd if=/dev/zero bs=64k count=64 | nc -w 2 10.0.2.2 {lab.listener.port}")
    event = hostd.wait_event("SwiotlbPoolExhausted", lab.seconds(30))
    lab.say(f"telemetry: {event}")
    need("swiotlb buffer is full" in guest.console(), "the kernel says nothing of it")
    need(event["count"] > 0 and event["total"] > 0 and "swiotlb" in event["advice"], "no figures")
    status, words = lab.control(hostd, "show", "lab")
    lab.say(words)
    need(status == 0, f"guestlinkctl show: {status}")
    wait_for("every line of the kernel's to be counted", lab.seconds(20),
             lambda: counted(lab, hostd) == guest.console().count("swiotlb buffer is full"), 0.5)
    events = len(hostd.events("SwiotlbPoolExhausted"))
    lab.say(f"the kernel said so {counted(lab, hostd)} times, in {events} events")
    lab.need_alive(hostd)
    lab.shut_down(hostd, guest)


def counted(lab, hostd):
    _, words = lab.control(hostd, "show", "lab")
    return int(re.search(r"the pool was full (\d+) times", words)[1])
