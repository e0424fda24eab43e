"""A share's aperture through what happens to it: virtiofsd killed, a new daemon, another "aperture"; told each time, and never wider."""

import json
import os

import process
from show import need
from wait import wait_for

# What this machine's kernel can.
BEST = "enforced" if os.path.exists("/dev/udmabuf") else "narrowed"


def play(lab):
    guest, hostd = lab.serve("stock")
    life = Life(lab, hostd)
    size = life.added(BEST)
    life.warned(BEST == "narrowed")

    for pid in process.pids_with(str(lab.folder / "shares" / "lab")):
        process.kill_pid(pid)
    need(life.added(BEST) == size, "another size after virtiofsd's end")
    lab.wait_counting()

    hostd.process.kill()
    hostd.process.wait()
    hostd.start()
    hostd.wait_event("GuestReady", lab.seconds(30), count=2)
    need(life.added(BEST, created=False) == size, "the next daemon says another size")
    need(life.shown()["aperture_bytes"] == size, f"{life.shown()}")
    lab.wait_counting()

    life.configure("off")
    need(life.added("none") == 0, "bytes without an aperture")
    lab.wait_counting()
    life.configure("require")
    if BEST == "enforced":
        life.added(BEST)
    else:
        event = hostd.wait_event("DeviceFailed", lab.seconds(30), phase="device")
        need("udmabuf" in event["text"], f"{event}")
        wait_for("the share to be refused", lab.seconds(20),
                 lambda: life.shown()["state"] == "failed")
        need(life.shown()["aperture"] == "" and not life.shown()["device"], f"{life.shown()}")
        need(not process.pids_with(str(lab.folder / "shares" / "lab")), "it is served all the same")
        lab.say(f"refused: {event['text']}")
    life.configure("auto")
    life.added(BEST)
    lab.wait_counting()
    lab.shut_down(hostd, guest)


class Life:
    def __init__(self, lab, hostd):
        self.lab, self.hostd, self.seen = lab, hostd, 0

    def added(self, kind, **fields):
        """Waits until the share is added once more; returns how much its virtiofsd can reach."""
        self.seen += 1
        event = self.hostd.wait_event("AddVirtioFsShare", self.lab.seconds(30), count=self.seen)
        need(event["aperture"] == kind, f"{event}")
        need(event["iommu_platform"] == (kind != "none"), f"{event}")
        need(all(event[name] == value for name, value in fields.items()), f"{event}")
        self.lab.say(f"added: {kind}, {event['apertureBytes']} bytes")
        return event["apertureBytes"]

    def warned(self, is_due):
        events = self.hostd.events("DeviceAperture")
        need(len(events) == is_due and all("udmabuf" in event["reason"] for event in events),
             f"{events}")

    def shown(self):
        status, words = self.lab.control(self.hostd, "--json", "show", "lab")
        need(status == 0, words)
        return json.loads(words)["shares"][0]

    def configure(self, mode):
        self.hostd.config["vms"][0]["aperture"] = mode
        self.hostd.reload()
        self.lab.say(f"\"aperture\": \"{mode}\"")
