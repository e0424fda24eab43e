"""A user of the guest calls the daemon without end: a full pool, the end of a command and the farewell are told all the same."""

from image import Image
from kernel import Kernel
from show import need

TINY = "swiotlb=256,force"  # as pool_pressure has it
# What the daemon may say of one VM at once, and in a second; hostd/vm/allowance.c.
LINES, LINES_PER_S = 600, 60


def play(lab):
    image = Image(Kernel()).add_init().add_program("/bin/strangers", lab.compile("strangers"))
    guest, hostd = lab.serve("published", TINY, image=image, shares=[])
    lab.need_alive(hostd)
    lab.run_in_guest(hostd, "lab", "/bin/sh", "-c", "/bin/strangers >/dev/null 2>&1 </dev/null &")
    dropped = hostd.wait_event("EventsDropped", lab.seconds(20))
    lab.say(f"nobody calls; dropped: {dropped['count']}, {dropped['reason']}")

    ended = len(hostd.events("ChildExit"))
    lab.run_in_guest(hostd, "lab", "/bin/sh", "-c",
                     f"dd if=/dev/zero bs=64k count=64 | nc -w 2 10.0.2.2 {lab.listener.port}")
    hostd.wait_event("ChildExit", lab.seconds(20), count=ended + 1)
    hostd.wait_event("SwiotlbPoolExhausted", lab.seconds(30))
    lab.need_alive(hostd)
    status, words = lab.run_in_guest(hostd, "lab", "/bin/sh", "-c", "pidof strangers")
    need(status == 0 and words.strip(), f"nobody calls any more: {words}")
    lab.shut_down(hostd, guest)
    for name in ("GuestFarewell", "GuestDisconnected"):
        hostd.wait_event(name, lab.seconds(20))
    lines = len(hostd.events()), len(hostd.log().splitlines())
    lab.say(f"{lines[0]} events, {lines[1]} lines of the log")
    need(max(lines) < LINES + LINES_PER_S * lab.seconds(60), f"too many lines: {lines}")
