"""A QEMU that its guest took over names another VM's virtiofsd, talks nonsense, and links its QMP socket to another VM's: daemon, other VM and share live on."""

import process
from hostd import share
from liar import Liar, link_instead
from show import need
from wait import wait_for

# Each ended the daemon of all VMs once, or is near to one that did.
EVENTS = ('{"event": null}', '{"event": 1, "data": null}',
          '{"event": "DEVICE_DELETED", "data": {"device": null}}')
ANSWERS = (("query-memdev", None), ("query-memdev", {}), ("query-memdev", [None]),
           ("qom-list", None), ("qom-list", [{"type": "child<pcie-root-port>"}]),
           ("qom-list", [{"name": None, "type": None}]))


def play(lab):
    taken, other = lab.guest("taken", "failed"), lab.guest("other", "failed")
    liar = Liar(lab.sockets / "liar", taken.qmp)
    settings = lab.counting_vm(taken, "taken")
    settings["device_host"]["qmp"] = str(liar.path)
    # First in the file: it is first to be connected to, too, where it leads to the other one.
    hostd = lab.hostd([settings, lab.counting_vm(other, "other")]).start()
    for guest in (taken, other):
        guest.start()
        hostd.wait_event("GuestReady", lab.seconds(120), vm=guest.folder.name)
    served = Served(lab, hostd)

    names_anothers_chardev(lab, hostd, liar, other)
    served.still()
    talks_nonsense(lab, hostd, liar)
    served.still()
    leads_to_another(lab, hostd, liar, other)
    served.still()
    lab.wait_counting("taken")
    lab.say("the VM whose QEMU lied is served again")
    lab.shut_down(hostd, taken, "taken")
    lab.shut_down(hostd, other, "other")


class Served:
    """The other VM, which nothing of this is to reach."""

    def __init__(self, lab, hostd):
        self.lab, self.hostd = lab, hostd
        self.pids = self._pids()
        need(self.pids, "nobody serves the other VM's share")

    def _pids(self):
        return sorted(process.pids_with(str(self.lab.folder / "shares" / "other")))

    def still(self):
        need(self.hostd.process.alive(), "the daemon ended")
        need(self._pids() == self.pids, f"{self.pids} served the share, now {self._pids()}")
        self.lab.wait_counting("other")
        status, words = self.lab.run_in_guest(self.hostd, "other", "true")
        need(status == 0, f"the other VM: exec: {status}: {words}")
        told = [event for event in self.hostd.failures() if event["vm"] == "other"]
        need(not told, f"told of the other VM: {told}")
        self.lab.say("the other VM lives, served by the same virtiofsd")


def names_anothers_chardev(lab, hostd, liar, other):
    """Told of such a chardev behind a device, the daemon ends what serves it."""
    chardev = [device["label"] for device in other.ask_qemu("query-chardev")
               if device["label"].startswith("guestlink-fs-")]
    need(len(chardev) == 1, f"chardevs of the other VM: {chardev}")
    liar.lie("chardev", chardev[0])
    hostd.process.kill()
    hostd.process.wait()
    hostd.start()
    event = wait_for("the device to be made anew", lab.seconds(60), lambda: hostd.events(
        "AddVirtioFsShare", vm="taken", created=True)[1:])[0]
    hostd.wait_event("GuestReady", lab.seconds(60), count=2, vm="other")
    lab.say(f"told that {chardev[0]} is behind the device: {event}")
    liar.leave()
    lab.wait_counting("taken")


def talks_nonsense(lab, hostd, liar):
    """Of answers a step fails, and says so; after an event the daemon connects anew."""
    folder = str(lab.folder / "shares" / "extra")
    share("x", folder, "/mnt/x")
    for question, answer in ANSWERS:
        liar.lie(question, answer)
        status, words = lab.control(hostd, "share", "add", "taken", "x", folder, "/mnt/x",
                                    seconds=60)
        need(status == 1 and f"QEMU's answer to {question} violates QMP" in words,
             f"{question} answered {answer}: {status}: {words}")
        liar.leave()
        lab.control(hostd, "share", "remove", "taken", "x", seconds=60)
    lab.say(f"{len(ANSWERS)} answers that are none: a step failed each time")
    for event in EVENTS:
        liar.say(event)
        wait_for("the daemon to be connected", lab.seconds(20), lambda: is_up(lab, hostd))
    lab.say(f"{len(EVENTS)} events that are none: the daemon connected anew")


def is_up(lab, hostd):
    status, words = lab.control(hostd, "--json", "show", "taken")
    return status == 0 and '"device_host_up":true' in words.replace(" ", "")


def leads_to_another(lab, hostd, liar, other):
    """A daemon that starts finds a link to the other VM's QMP socket."""
    hostd.process.kill()
    hostd.process.wait()
    undo = link_instead(liar.path, other.qmp)
    hostd.start()
    hostd.wait_event("GuestReady", lab.seconds(60), count=3, vm="other")
    told = wait_for("the link to be told of", lab.seconds(60), lambda: [
        event for event in hostd.failures("device-host") if "symbolic link" in event["text"]])
    lab.say(f"telemetry: {told}")
    need({event["vm"] for event in told} == {"taken"}, f"{told}")
    need(not is_up(lab, hostd), "the VM's QMP counts as up")
    undo()
    wait_for("the daemon to be connected", lab.seconds(60), lambda: is_up(lab, hostd))
