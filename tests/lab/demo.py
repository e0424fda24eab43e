"""The demo: a guest with a distribution's kernel, which bounces through its own pool; one where a
module stands in for WSL's kernel and publishes the pool; one without a pool: each from power-on to
power-off. `./tests/lab/demo` makes everything ready and starts this."""

import sys
import time

import nested
import paths
import payload
import vsock
from act import Act, play
from hostd import adapter, share, vm_settings
from listener import Listener
from run import Run, exit_on_signals, new_folder
from show import Show
from wait import patient


# A distribution's kernel says at level 6 where its pool is, and the console has what is below its own.
GUESTS = (("stock", "stock", 7), ("wsl", "published", 6), ("old", "old", 6))
HEADINGS = (
    "Guest “stock”: a distribution's kernel as it is, bouncing through its own pool",
    "Guest “wsl”: a module stands in for WSL's kernel, which publishes its pool in sysfs",
    "Guest “old”: its kernel has no pool to tell of",
)


def main():
    exit_on_signals()
    folder = new_folder()
    if vsock.provider() == "nested":
        return nested.repeat("/usr/bin/python3 tests/lab/demo.py", folder, patient(900))
    show = Show()
    run = Run(folder)
    began = time.monotonic()
    listener = Listener()
    guests = {name: run.guest(name, kind, f"loglevel={level}") for name, kind, level in GUESTS}
    vms = [vm_settings(guest, name, network=[adapter()],
                       shares=[share("c", run.share_folder(name), "/mnt/c")],
                       payload=["/bin/sh", "-c", payload.script(listener.port)])
           for name, guest in guests.items()]
    hostd = run.hostd(vms)
    show.heading("guestlink: a guest's PID 1 tells its host what the guest's kernel can do")
    try:
        hostd.start()
        for (name, kind, _), heading, vm in zip(GUESTS, HEADINGS, vms):
            show.heading(heading)
            play(Act(show, run, hostd, guests[name], vm, listener), kind)
    finally:
        run.end()
    return report(show, folder, time.monotonic() - began)


def report(show, folder, seconds):
    show.line()
    if show.failed:
        show.line(f"{len(show.failed)} of these did not show what they had to show:")
        for failed in show.failed:
            show.line(f"  {failed}")
        show.line(f"The guests' consoles, the daemon's log and the telemetry: {folder}")
        return 1
    show.line(f"All of it was checked. It took {seconds:.0f} s. Logs and telemetry: "
              f"{folder.relative_to(paths.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
