"""virtiofsd is killed under a running guest: told at once, guest and hostd live on, the share comes back."""

import process
from show import need
from wait import wait_for


def play(lab):
    guest, hostd = lab.serve()
    lab.wait_counting()

    folder = str(lab.folder / "shares" / "lab")
    pids = process.pids_with(folder)
    need(pids, f"no virtiofsd serves {folder}")
    for pid in pids:
        process.kill_pid(pid)
    lab.say(f"virtiofsd killed: {pids}")
    event = hostd.wait_failure(lab.seconds(10), "share")
    need("virtiofsd" in event["text"] and "9" in event["text"],
         f"telemetry does not say what happened to virtiofsd: {event}")
    lab.say(f"telemetry: {event['text']}")
    lab.need_alive(hostd)

    # The device is taken away or made again; in neither case may anything in the guest hang on it.
    def settled():
        _, words = lab.run_in_guest(hostd, "lab", "/bin/grep", "/mnt/c", "/proc/mounts")
        return "gone" if not words else "again" if process.pids_with(folder) else None
    state = wait_for("the share to be taken away or made again", lab.seconds(20), settled, 0.2)
    lab.say(f"the share is {state}")
    if state == "gone":
        status, words = lab.control(hostd, "share", "remove", "lab", "c")
        lab.say(f"share remove: {status}: {words.strip()}")
        status, words = lab.control(hostd, "share", "add", "lab", "c", folder, "/mnt/c")
        need(status == 0, f"share add: {status}: {words}")
    lab.wait_counting()
    lab.say("the payload counts on its share again")
    lab.shut_down(hostd, guest)
