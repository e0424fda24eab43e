"""The configuration is read again (SIGHUP): shares come and go in a running guest, a wrong file changes nothing."""

import copy

from hostd import share
from show import need
from wait import wait_for


def play(lab):
    guest, hostd = lab.serve()
    vm = hostd.config["vms"][0]
    before = copy.deepcopy(vm["shares"])
    vm["shares"].append(share("d", lab.share_folder("more"), "/mnt/d"))
    hostd.reload()
    hostd.wait_event("MountShare", lab.seconds(30), tag="d", error=0)
    status, words = lab.run_in_guest(hostd, "lab", "cat", "/mnt/d/from-host.txt")
    need((status, words) == (0, "written on the host for more\n"), f"{status}: {words!r}")
    lab.say("a share that was added is mounted")

    vm["shares"][1]["path"] = "/bad;path"
    hostd.reload()
    wait_for("a word on the bad configuration", lab.seconds(10), lambda: "bad;path" in hostd.log())
    need(hostd.process.alive(), "hostd ended")
    need(mounted(lab, hostd, "/mnt/d"), "a refused configuration took a share away")
    lab.wait_counting()
    lab.say("a configuration with an error is refused whole")

    vm["shares"] = before
    hostd.reload()
    hostd.wait_event("RemoveVirtioFsShare", lab.seconds(30), tag="d")
    need(not mounted(lab, hostd, "/mnt/d"), "the removed share is still mounted")
    lab.wait_counting()
    devices = [entry["name"] for entry in guest.ask_qemu("qom-list", path="/machine/peripheral")]
    need("guestlink-fs-c" in devices and "guestlink-fs-d" not in devices, f"{devices}")
    lab.say("a share that was removed is unmounted and unplugged; the other was not touched")
    made = hostd.events("AddVirtioFsShare", tag="c")
    need(len(made) == 1 and not hostd.failures(), f"{made} {hostd.failures()}")
    lab.shut_down(hostd, guest)


def mounted(lab, hostd, target):
    return lab.run_in_guest(hostd, "lab", "grep", "-q", f" {target} ", "/proc/mounts")[0] == 0
