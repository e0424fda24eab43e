"""A tag that is taken: refused in the configuration by line and key, and at run time by name."""

import subprocess

import paths
from hostd import share
from show import need


def play(lab):
    guest = lab.guest("lab")
    settings = lab.counting_vm(guest)
    twice = lab.counting_vm(guest)
    twice["shares"].append(share("c", lab.folder / "other", "/mnt/other"))
    hostd = lab.hostd([twice])
    hostd.write_config()
    checked = subprocess.run([paths.program("guestlink-hostd"), "--config", hostd.config_file,
                              "--check-config"], capture_output=True, text=True,
                             timeout=lab.seconds(20), check=False)
    lab.say(f"--check-config: {checked.returncode}: {checked.stderr.strip()}")
    need(checked.returncode == 2, f"--check-config ended with {checked.returncode}, not 2")
    need(str(hostd.config_file) in checked.stderr and "tag" in checked.stderr,
         "the message does not name file and key")

    hostd.config["vms"] = [settings]
    hostd.start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    status, words = lab.control(hostd, "share", "add", "lab", "c", str(lab.folder / "other"),
                                "/mnt/other")
    lab.say(f"guestlinkctl share add: {status}: {words.strip()}")
    need(status == 1, f"guestlinkctl ended with {status}, not 1")
    lab.wait_counting()
    status, words = lab.control(hostd, "share", "add", "lab", "d", str(lab.folder / "other"),
                                "/mnt/other")
    need(status == 0, f"a free tag: guestlinkctl ended with {status}: {words}")
    status, words = lab.control(hostd, "share", "remove", "lab", "d")
    need(status == 0, f"share remove: guestlinkctl ended with {status}: {words}")
    lab.shut_down(hostd, guest)
