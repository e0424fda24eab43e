"""A share over 9P, on a vsock connection of its own, that outlives hostd, in a guest whose kernel has 9P."""

import shutil

from hostd import share
from kernel import Kernel
from show import need

NEEDS = "9p"


def play(lab):
    if not shutil.which("diod"):
        lab.skip("diod is missing, which serves 9P")
    kind = "cloud" if Kernel("cloud").has("9p") else "full"
    guest = lab.guest("lab", "failed", kernel=kind)
    settings = lab.counting_vm(
        guest, network=[],
        shares=[share("c", lab.share_folder("lab"), "/mnt/c", transport="9p")])
    hostd = lab.hostd([settings]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(90))
    lab.wait_counting()
    status, words = lab.run_in_guest(hostd, "lab", "cat", "/mnt/c/from-host.txt")
    expected = (lab.folder / "shares/lab/from-host.txt").read_text()
    need((status, words) == (0, expected), f"the guest read {status}: {words!r}")
    status, words = lab.run_in_guest(hostd, "lab", "grep", "/mnt/c", "/proc/mounts")
    need(" 9p " in words and "trans=fd" in words and "msize=65536" in words,
         f"not mounted over 9P as PROTOCOL.md says: {words!r}")
    lab.say(words.strip())

    # The guest's root asks the host for one of its devices.
    status, words = lab.run_in_guest(hostd, "lab", "mknod", "/mnt/c/zero", "c", "1", "5")
    need(status != 0 and not (lab.folder / "shares/lab/zero").exists(),
         f"a device node on the host: {status}: {words!r}")

    hostd.process.kill()
    hostd.process.wait()
    lab.say("hostd killed")
    lab.wait_counting()
    hostd.start()
    hostd.wait_event("GuestReady", lab.seconds(60), count=2)
    lab.wait_counting()
    status, words = lab.run_in_guest(hostd, "lab", "grep", "-c", "/mnt/c", "/proc/mounts")
    need(words.strip() == "1", f"mounted {words!r} times after hostd's restart")
    need("cannot write" not in guest.console(), "the payload saw an I/O error")
    need(not hostd.failures(), f"{hostd.failures()}")
    lab.say("the share lives on without a hostd, and with the next")
    lab.shut_down(hostd, guest)
