"""A guest that never calls: after the time that it was given, told with the phase's name."""

from guest import Guest
from image import Image
from kernel import Kernel
from show import need


def play(lab):
    kernel = Kernel()
    image = Image(kernel).add_script("/sbin/mute", "#!/bin/sh\nsleep 1000\n")
    guest = Guest(lab.folder / "lab", lab.sockets / "lab", kernel,
                  image.write(lab.sockets / "mute"), "lab_exec=/sbin/mute quiet")
    settings = lab.usual_vm(guest, timeouts_ms={"connect": 4000})
    hostd = lab.hostd([settings]).start()
    guest.start()
    event = hostd.wait_event("GuestTimeout", lab.seconds(30))
    lab.say(f"telemetry: {event}")
    need(event["phase"] == "connect" and event["timeout_ms"] == 4000, "wrong phase or time")
    need("connect" in hostd.log() and "lab" in hostd.log(), "the log says nothing of it")
    need(hostd.process.alive(), "hostd ended")
    need(hostd.process.stop(lab.seconds(10)) == 0, "hostd did not end with 0")
