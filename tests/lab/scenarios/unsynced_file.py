"""A file written and not synced right before the power-off is whole on the host."""

import hashlib
import subprocess

from show import need

SCRIPT = """dd if=/dev/urandom of=/mnt/c/big bs=64k count=128 2>/dev/null
sha256sum /mnt/c/big"""


def play(lab):
    guest, hostd = lab.serve()
    status, words = lab.run_in_guest(hostd, "lab", "/bin/sh", "-c", SCRIPT)
    need(status == 0, f"{status}: {words}")
    first = subprocess.Popen(hostd.ctl("shutdown", "lab"))
    second = subprocess.Popen(hostd.ctl("shutdown", "lab"))
    need(guest.wait_off(lab.seconds(30)) == 0, "QEMU did not end with status 0")
    need(first.wait(10) == 0, "the first request to shut down failed")
    second.wait(10)
    need(len(hostd.events("GuestFarewell")) == 1, "not one farewell")
    content = (lab.folder / "shares/lab/big").read_bytes()
    need(len(content) == 128 << 16, f"{len(content)} bytes on the host")
    need(hashlib.sha256(content).hexdigest() == words.split()[0], "other bytes on the host")
    lab.say(f"{len(content)} bytes are on the host as the guest wrote them")
