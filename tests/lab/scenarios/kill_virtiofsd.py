"""virtiofsd is killed under a running guest: it is said at once, guest and hostd live on."""

import process
from show import need
from wait import wait_for


def play(lab):
    guest = lab.guest("lab")
    hostd = lab.hostd([lab.counting_vm(guest)]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    lab.wait_counting()

    folder = str(lab.folder / "shares" / "lab")
    pids = process.pids_with(folder)
    need(pids, f"no virtiofsd serves {folder}")
    for pid in pids:
        process.kill_pid(pid)
    lab.say(f"virtiofsd killed: {pids}")

    def told():
        return [event for event in hostd.events() if "virtiofsd" in str(event)] and hostd.log()
    wait_for("a word of hostd's about virtiofsd", lab.seconds(20), told)
    for event in hostd.events():
        if "virtiofsd" in str(event):
            lab.say(f"telemetry: {event['event']}: {event.get('text') or event.get('reason')}")
    status, words = lab.run_in_guest(hostd, "lab", "echo", "alive")
    need((status, words.strip()) == (0, "alive"), f"exec in the guest: {status}: {words}")
    lab.say("guest and hostd live on")
    lab.shut_down(hostd, guest)
