#!/usr/bin/python3
"""Runs one scenario: a file of tests/lab/scenarios with a function play(lab). Exit 0: it held; 1: it
did not, and the reason is the last line; 77: it cannot be tried here, likewise. The file may also say
NEEDS = "…": more than the usual set-up (tests/lab/setup run …); KERNELS_VSOCK = True: guests have
the kernel's own vhost-vsock; UDMABUF = True or False: a host with /dev/udmabuf, or without.

    tests/lab/scenario.py NAME      (build/lab/runs/<time> keeps the logs)"""

import importlib
import os
import subprocess
import sys
import time
import traceback

import nested
import paths
import payload
import vsock
from hostd import adapter, share, vm_settings
from listener import Listener
from run import Run, exit_on_signals, new_folder
from show import need
from wait import patient, wait_for


class Skipped(Exception):
    """Cannot be tried here; the message says why."""


class Lab(Run):
    """What a scenario gets: a run, and the usual things to put into one."""

    def __init__(self, folder):
        super().__init__(folder)
        self._began = time.monotonic()
        self._daemons = []
        self.listener = Listener()

    def say(self, text):
        """A line of the scenario's log."""
        print(f"{time.monotonic() - self._began:7.2f} s  {text}", flush=True)

    def pause(self, seconds):
        """Lets time go by, for a moment that a scenario chose."""
        time.sleep(seconds)

    def seconds(self, usual):
        """A limit for a wait, much longer than what it usually takes."""
        return patient(usual)

    def hostd(self, vms, **more):
        self._daemons.append(super().hostd(vms, **more))
        return self._daemons[-1]

    def stop_daemons(self):
        """Ends those that still run as systemd would; one with a sanitizer tells its leaks now."""
        for daemon in self._daemons:
            if daemon.process and daemon.process.alive():
                status = daemon.process.stop(self.seconds(20))
                need(status == 0, f"hostd ended with status {status} on SIGTERM: {daemon.log()}")

    def usual_vm(self, guest, name="lab", **more):
        """A VM with a share `c` on /mnt/c and an adapter."""
        settings = {"network": [adapter()],
                    "shares": [share("c", self.share_folder(name), "/mnt/c")]}
        settings.update(more)
        return vm_settings(guest, name, **settings)

    def counting_vm(self, guest, name="lab", **more):
        """The usual VM with a payload that counts on its share."""
        return self.usual_vm(guest, name, payload=["/bin/sh", "-c", payload.COUNTING], **more)

    def serve(self, kind="failed", cmdline="", image=None, **vm):
        """Boots a guest with the counting payload and waits until it is ready; more about the VM
        may be said. Returns the guest and its hostd."""
        guest = self.guest("lab", kind, cmdline, image=image)
        hostd = self.hostd([self.counting_vm(guest, **vm)]).start()
        guest.start()
        hostd.wait_event("GuestReady", self.seconds(60))
        self.say("the guest is ready")
        return guest, hostd

    def need_alive(self, hostd, name="lab"):
        """PID 1 answers, and it is not a new boot that does."""
        status, words = self.control(hostd, "capabilities", name, "--refresh")
        need(status == 0, f"PID 1 does not answer: {status}: {words}")
        boots = {event["boot_id"] for event in hostd.events("GuestConnected")}
        need(len(boots) == 1, f"it booted {len(boots)} times")
        self.say("PID 1 answers")

    def wait_counting(self, name="lab"):
        """Waits until the payload's number grows: the guest lives and so does its share."""
        folder = self.folder / "shares" / name
        before = payload.count(folder)
        wait_for(f"the payload of {name} to count on its share", self.seconds(20),
                 lambda: payload.count(folder) > before + 1)

    def run_in_guest(self, hostd, name, *words):
        """Runs a command in the guest by guestlinkctl; returns its status and words."""
        return self.control(hostd, "exec", name, "--", *words)

    def control(self, hostd, *words, seconds=20):
        """Runs guestlinkctl; returns its status and words."""
        ended = subprocess.run(hostd.ctl(*words), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               timeout=self.seconds(seconds), check=False)
        return ended.returncode, ended.stdout

    def shut_down(self, hostd, guest, name="lab"):
        """Asks for a power-off and sees the machine go off."""
        status, words = self.control(hostd, "shutdown", name)
        need(status == 0, f"guestlinkctl shutdown: {status}: {words}")
        need(guest.wait_off(self.seconds(20)) == 0, "QEMU did not end with status 0")

    def skip(self, why):
        raise Skipped(why)


def main():
    exit_on_signals()
    name = sys.argv[1]
    scenario = importlib.import_module("scenarios." + name.replace("-", "_"))
    if hasattr(scenario, "KERNELS_VSOCK"):
        os.environ["LAB_VSOCK"] = "vhost" if os.path.exists("/dev/vhost-vsock") else "nested"
    for step in getattr(scenario, "NEEDS", "").split() if "LAB_NESTED" not in os.environ else ():
        subprocess.run([paths.ROOT / "tests/lab/setup", "run", step], check=True)
    if "LAB_NESTED" not in os.environ and \
            getattr(scenario, "UDMABUF", os.path.exists("/dev/udmabuf")) != os.path.exists("/dev/udmabuf"):
        # Debian 12's usual kernel has none.
        later = scenario.UDMABUF and (paths.LAB / "kernel/unpacking/complete").exists()
        os.environ.update(LAB_VSOCK="nested", LAB_OUTER="unpacking" if later else "cloud")
    folder = new_folder()
    if vsock.provider() == "nested":
        return nested.repeat(f"/usr/bin/python3 tests/lab/scenario.py {name}", folder,
                             patient(900), "newer" in getattr(scenario, "NEEDS", "").split())
    lab = Lab(folder)
    try:
        scenario.play(lab)
        lab.stop_daemons()
        need(not (found := lab.reports()), f"a sanitizer had something to say: {found}")
    except Skipped as reason:
        print(reason)
        return 77
    except Exception as error:  # pylint: disable=broad-except # shown, whatever it is
        traceback.print_exc(file=sys.stdout)
        print("\n".join(lab.last_words()))
        print(f"logs: {folder}")
        print(f"{type(error).__name__}: {error}")
        return 1
    finally:
        lab.end()
    lab.say("held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
