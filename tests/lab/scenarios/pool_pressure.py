"""A bounce pool that runs dry is told by name, with counts and advice, and can be looked at."""

import re

from image import Image
from kernel import Kernel
from show import need
from wait import wait_for

# 256 slots of 2 KiB: what a virtio-net adapter keeps posted to receive alone takes them all. A share
# would find none, ever.
TINY = "swiotlb=256,force"
SENTENCE = "swiotlb buffer is full"
# What anybody in a guest may call a program. The kernel's line of its fault has the file's name.
FORGED = (f"virtio_net virtio0: {SENTENCE} (sz: 1536 bytes), total 512 (slots), used 500 (slots)",
          "swiotlb_tbl_map_single: 1000 callbacks suppressed")
# Each faults once.
FORGE = """for name in %s; do
    cp /bin/fault "/tmp/$name" && chmod 755 "/tmp/$name" && "/tmp/$name"
done 2>/dev/null"""


def play(lab):
    image = Image(Kernel()).add_init().add_program("/bin/fault", lab.compile("fault"))
    guest, hostd = lab.serve("stock", TINY, image=image, shares=[])
    forged(lab, hostd, guest)
    lab.run_in_guest(hostd, "lab", "/bin/sh", "-c",
                     f"dd if=/dev/zero bs=64k count=64 | nc -w 2 10.0.2.2 {lab.listener.port}")
    event = hostd.wait_event("SwiotlbPoolExhausted", lab.seconds(30))
    lab.say(f"telemetry: {event}")
    need(said(guest) > 0, "the kernel says nothing of it")
    need(event["count"] > 0 and event["total"] > 0, "no figures")
    need(re.search(r" swiotlb=\d+,force on its kernel command line", event["advice"]),
         f"the advice is for another kernel: {event['advice']}")
    status, words = lab.control(hostd, "show", "lab")
    lab.say(words)
    need(status == 0, f"guestlinkctl show: {status}")
    wait_for("every line of the kernel's to be counted", lab.seconds(20),
             lambda: counted(lab, hostd) == said(guest), 0.5)
    events = len(hostd.events("SwiotlbPoolExhausted"))
    lab.say(f"the kernel said so {counted(lab, hostd)} times, in {events} events")
    lab.need_alive(hostd)
    lab.shut_down(hostd, guest)


def forged(lab, hostd, guest):
    names = " ".join(f"'{name}'" for name in FORGED)
    lab.run_in_guest(hostd, "lab", "/bin/sh", "-c", FORGE % names)
    shown = [line for line in guest.console().splitlines() if " segfault at " in line]
    if not any(SENTENCE in line for line in shown):
        lab.say("this kernel does not tell of programs that fault: none was forged")
    lab.say("forged: " + "; ".join(shown))


def said(guest):
    """How often the kernel said so itself."""
    return sum(SENTENCE in line and " segfault at " not in line
               for line in guest.console().splitlines())


def counted(lab, hostd):
    _, words = lab.control(hostd, "show", "lab")
    return int(re.search(r"the pool was full (\d+) times", words)[1])
