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
    vm["shares"].append(share("e", before[0]["path"], "/mnt/e"))
    hostd.reload()
    for tag in "de":
        hostd.wait_event("MountShare", lab.seconds(30), tag=tag, error=0)
    status, words = lab.run_in_guest(hostd, "lab", "cat", "/mnt/d/from-host.txt")
    need((status, words) == (0, "written on the host for more\n"), f"{status}: {words!r}")
    lab.say("a share that was added is mounted")
    need("guestlink-fs-d" in devices(guest) and "guestlink-fs-e" not in devices(guest),
         f"an equal share has a device of its own: {devices(guest)}")
    event = hostd.events("AddVirtioFsShare", share="e")[0]
    need(event["tag"] == "c" and not event["created"], f"{event}")
    status, words = lab.run_in_guest(hostd, "lab", "cat", "/mnt/e/from-host.txt")
    need((status, words) == (0, "written on the host for lab\n"), f"{status}: {words!r}")
    queues = guest.ask_qemu("qom-get", path="/machine/peripheral/guestlink-fs-d",
                            property="num-request-queues")
    need(queues == 1, f"a share's device has {queues} queues")
    lab.say("an equal one uses the first one's device; a device has one queue")

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
    need(not mounted(lab, hostd, "/mnt/e"), "the removed equal share is still mounted")
    need("guestlink-fs-c" in devices(guest) and "guestlink-fs-d" not in devices(guest),
         f"{devices(guest)}")
    lab.say("a share that was removed is unmounted and unplugged; the other was not touched")
    made = hostd.events("AddVirtioFsShare", tag="c", created=True)
    need(len(made) == 1 and not hostd.failures(), f"{made} {hostd.failures()}")
    lab.shut_down(hostd, guest)


def devices(guest):
    return [entry["name"] for entry in guest.ask_qemu("qom-list", path="/machine/peripheral")]


def mounted(lab, hostd, target):
    return lab.run_in_guest(hostd, "lab", "grep", "-q", f" {target} ", "/proc/mounts")[0] == 0
