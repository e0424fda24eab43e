"""A share whose folder is not there: told by name, everything else of that guest works."""

from hostd import share
from show import need


def play(lab):
    guest = lab.guest("lab")
    gone = lab.folder / "gone"
    settings = lab.counting_vm(guest)
    settings["shares"].append(share("gone", gone, "/mnt/gone"))
    gone.rmdir()
    hostd = lab.hostd([settings]).start()
    guest.start()
    event = hostd.wait_failure(lab.seconds(60))
    need(str(gone) in str(event), f"the event does not name {gone}: {event}")
    need(f"{gone} does not exist on the host (create it" in hostd.log(), "no next step in the log")
    lab.say(f"telemetry: {event}")
    hostd.wait_event("GuestReady", lab.seconds(60))
    lab.wait_counting()
    lab.say("the other share works")
    lab.shut_down(hostd, guest)
