"""QEMU is killed: hostd says so, lets go of the devices, and serves the VM when it comes again."""

import process
from show import need
from wait import wait_for


def play(lab):
    guest = lab.guest("lab")
    hostd = lab.hostd([lab.counting_vm(guest)]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    lab.wait_counting()

    guest.process.kill()
    guest.process.wait()
    lab.say("QEMU killed")
    event = hostd.wait_event("GuestDisconnected", lab.seconds(20))
    lab.say(f"telemetry: GuestDisconnected: {event.get('reason') or event.get('text')}")
    folder = str(lab.folder / "shares" / "lab")
    wait_for("the end of virtiofsd", lab.seconds(20), lambda: not process.pids_with(folder))
    lab.say("virtiofsd ended")
    need(hostd.process.alive(), "hostd ended")

    guest.start_again()
    hostd.wait_event("GuestReady", lab.seconds(60), count=2)
    lab.wait_counting()
    lab.say("a new QEMU for the same VM was served")
    lab.shut_down(hostd, guest)
