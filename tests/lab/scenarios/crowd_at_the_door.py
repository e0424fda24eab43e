"""An ordinary program of a guest calls its hybrid socket without end: PID 1 is not kept out."""

import signal

import vsock
from image import Image
from kernel import Kernel
from show import need
from wait import wait_for

NOBODY = 1000
LOST, WELCOMED = "; will retry in about", "host: welcomed as lab"


def play(lab):
    if vsock.provider() != "user":
        lab.skip("on AF_VSOCK such a program has no privileged port, and is refused as a stranger")
    image = Image(Kernel()).add_init().add_program("/bin/crowd", lab.compile("crowd"))
    guest = lab.guest("lab", "old", image=image)
    hostd = lab.hostd([lab.usual_vm(guest, network=[], networking="none", shares=[], payload={
        "argv": ["/bin/crowd"], "uid": NOBODY, "gid": NOBODY})]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    hostd.wait_event("ProtocolError", lab.seconds(60), reason="silent-while-another-calls")
    lab.say("they are so many that the oldest have to go")
    comes_back(lab, guest, hostd, signal.SIGTERM)
    # Here the crowd is in place before PID 1 calls, which gives up a host that is silent.
    comes_back(lab, guest, hostd, signal.SIGSTOP)
    need(hostd.process.alive(), "hostd ended")


def comes_back(lab, guest, hostd, how):
    """PID 1's connection is lost, by the daemon's end or its silence; its calls are heard again."""
    lost, welcomed = (guest.console().count(word) for word in (LOST, WELCOMED))
    hostd.process.kill(how)
    wait_for("PID 1 to give up the host", lab.seconds(60),
             lambda: guest.console().count(LOST) > lost)
    if how == signal.SIGSTOP:
        hostd.process.kill(signal.SIGCONT)
    else:
        hostd.process.wait(lab.seconds(20))
        hostd.start()
    wait_for("PID 1 to be let in", lab.seconds(40),
             lambda: guest.console().count(WELCOMED) > welcomed)
    lab.say("PID 1 was let in")
    lab.need_alive(hostd)
