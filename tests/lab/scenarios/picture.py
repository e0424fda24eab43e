"""hostd/ctl/boot.svg, which README shows, has the form that `guestlinkctl timeline --svg` makes today."""

import os
import re

import paths
from show import need

PICTURE = paths.ROOT / "hostd/ctl/boot.svg"


def form(svg):
    """All but what differs from boot to boot: times, the widths that follow from them, the axis."""
    head = re.match(r'<svg .*?>\n<rect .*?>\n', svg, re.DOTALL)[0]
    title, *texts, foot = re.findall(r"<text ([^>]*)>([^<]*)</text>", svg)
    labels = [words for how, words in texts if 'text-anchor="end"' in how]
    bars = re.findall(r'<rect x=.* y="([\d.]+)" .* height="([\d.]+)" .* fill="(.*)"/>', svg)
    return {"head": head, "labels": labels, "bars": bars, "end": svg.endswith("</svg>\n"),
            "title": re.sub(r"boot [0-9a-f]{8}, \S+$", "boot, release", title[1]),
            "foot": re.sub(r"[\d.]+ ms|guestlink [\d.]+", "", foot[1])}


def play(lab):
    guest = lab.guest("dev", "stock")
    hostd = lab.hostd([lab.usual_vm(guest, "dev", payload=["/bin/sleep", "1000"])]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    made = lab.folder / "boot.svg"
    status, words = lab.control(hostd, "timeline", "dev", "--svg", str(made))
    need(status == 0, words)
    lab.shut_down(hostd, guest, "dev")
    if "LAB_PICTURE" in os.environ:
        PICTURE.write_text(made.read_text())
        lab.say(f"wrote {PICTURE}")
    today, committed = form(made.read_text()), form(PICTURE.read_text())
    need(len(today["labels"]) == len(today["bars"]) > 8 and today["end"], f"{today}")
    need(today == committed, f"tests/lab/picture makes it again: {committed} is {today} today")
