"""PID 1 at rest has at most 1 MiB of memory of its own; READY has the time of each step, in order."""

import re

import paths
from image import libraries
from show import need


def play(lab):
    if any("asan" in library for library in libraries(paths.program("guestlink-init"))):
        lab.skip("a sanitizer's own memory is many times PID 1's: nothing to measure")
    guest, hostd = lab.serve()
    status, words = lab.run_in_guest(hostd, "lab", "/bin/cat", "/proc/1/status")
    need(status == 0, f"{status}: {words}")
    own = int(re.search(r"RssAnon:\s+(\d+) kB", words)[1])
    whole = int(re.search(r"VmRSS:\s+(\d+) kB", words)[1])
    lab.say(f"PID 1: {own} KiB of its own, {whole} KiB with the pages of its file")
    need(own <= 1024, f"{own} KiB")
    times = hostd.events("GuestReady")[0]
    steps = ["started", "modules", "connected", "sent", "welcomed", "mounted", "payload", "ready"]
    for before, after in zip(steps, steps[1:]):
        need(0 < times[f"{before}_ns"] <= times[f"{after}_ns"], f"{before}, {after}: {times}")
    need(times["welcomed_ns"] < times["network_ns"] < times["ready_ns"], f"network: {times}")
    lab.say(", ".join(f"{step} {times[step + '_ns'] / 1e6:.1f} ms" for step in steps))
    lab.shut_down(hostd, guest)
