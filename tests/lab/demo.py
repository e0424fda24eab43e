"""The demo: a guest whose kernel publishes a pool, then one with an old kernel, each from power-on
to power-off. `./tests/lab/demo` makes everything ready and starts this."""

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


def main():
    exit_on_signals()
    folder = new_folder()
    if vsock.provider() == "nested":
        return nested.repeat("/usr/bin/python3 tests/lab/demo.py", folder, patient(900))
    show = Show()
    run = Run(folder)
    began = time.monotonic()
    listener = Listener()
    guests = {name: run.guest(name, kind, "loglevel=6")
              for name, kind in (("dev", "published"), ("old", "old"))}
    vms = [vm_settings(guest, name, network=[adapter()],
                       shares=[share("c", run.share_folder(name), "/mnt/c")],
                       payload=["/bin/sh", "-c", payload.script(listener.port)])
           for name, guest in guests.items()]
    hostd = run.hostd(vms)
    show.heading("guestlink: a guest's PID 1 tells its host what the guest's kernel can do")
    try:
        hostd.start()
        show.heading("Guest “dev”: its kernel publishes a pool")
        play(Act(show, run, hostd, guests["dev"], vms[0], listener), "published")
        show.heading("Guest “old”: its kernel knows nothing of that")
        play(Act(show, run, hostd, guests["old"], vms[1], listener), "old")
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
