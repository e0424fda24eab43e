"""Who takes the CID of a VM that is down is not served: before its QEMU answers, nor after its end."""

from hostd import vm_settings
from show import need

SECRET = "SECRET=of-the-operator"

KERNELS_VSOCK = True


def play(lab):
    guest = lab.guest("lab", "old")
    # Time enough for who is served, and short for who is not.
    hostd = lab.hostd([vm_settings(guest, networking="none", payload={
        "argv": ["/bin/sleep", "100000"], "environment": [SECRET]})],
        timeouts_ms={"connect": 300000, "capabilities": 8000, "payload": 150000}).start()
    # All that it takes is /dev/vhost-vsock: the QMP socket of this QEMU is not the VM's.
    expected, guest.qmp = guest.qmp, guest.qmp.with_name("elsewhere")
    is_not_served(lab, hostd, guest, 1)
    guest.qmp.rename(expected)  # now it is
    hostd.wait_event("GuestReady", lab.seconds(60))
    status, words = lab.run_in_guest(hostd, "lab", "/bin/sh", "-c",
                                     "tr '\\0' '\\n' </proc/$(pidof sleep)/environ")
    need(status == 0 and SECRET in words, f"the VM's own guest has no {SECRET}: {words}")
    lab.say("served when its QMP answers")
    hostd.process.stop(lab.seconds(20))
    hostd.start()
    hostd.wait_event("GuestConnected", lab.seconds(60), count=2)
    lab.need_alive(hostd)
    guest.process.kill()
    guest.process.wait()
    hostd.wait_event("GuestDisconnected", lab.seconds(20))
    is_not_served(lab, hostd, guest, 2)


def is_not_served(lab, hostd, taker, times):
    """It boots, with PID 1 of ours, which calls from a privileged port: nothing else is wrong."""
    before = len(hostd.events("GuestConnected"))
    taker.start_again()
    event = hostd.wait_event("HandshakeTimeout", lab.seconds(90), count=times, vm="lab",
                             phase="device-host")
    need("cannot serve the guest with CID" in hostd.log(), f"the log does not say so: {hostd.log()}")
    need(len(hostd.events("GuestConnected")) == before, "a guest counts as connected")
    need("welcomed" not in taker.console() and SECRET not in taker.console(), taker.console())
    lab.say(f"not served: {event}")
