"""The disk under telemetry and state is full: hostd serves on, counts what is lost, keeps whole files."""

import ctypes
import json
import os
import subprocess

from hostd import share
from show import need
from wait import wait_for

CLONE_NEWNS = 0x20000
LIMIT = "256k"


def play(lab):
    disk = small_disk(lab)
    guest = lab.guest("lab", "failed")
    hostd = lab.hostd([lab.counting_vm(guest)], state_dir=str(disk / "state"),
                      telemetry={"file": str(disk / "telemetry.jsonl"), "journal": False})
    hostd.telemetry_file = disk / "telemetry.jsonl"
    hostd.start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    lab.say("the guest is ready")
    (state,) = (disk / "state/vms").glob("*.json")
    wait_for("the state of a guest that is ready", lab.seconds(10),
             lambda: json.loads(state.read_text()).get("ready"))
    old = state.read_text()

    fill(disk)
    lab.say(f"the disk is full: {os.statvfs(disk).f_bfree} blocks are free")
    for number in range(1, 100):
        if "counting events as lost" in hostd.log():
            break
        need(lab.run_in_guest(hostd, "lab", "true")[0] == 0, "exec failed on a full disk")
    need("counting events as lost" in hostd.log(), f"hostd says nothing, {number} commands")
    added = share("d", lab.folder / "d", "/mnt/d")
    status, words = lab.control(hostd, "share", "add", "lab", "d", added["path"], "/mnt/d")
    need(status == 1 and "No space left" in words, f"share add on a full disk: {status}: {words}")
    wait_for("hostd to say that VM state was not saved", lab.seconds(10),
             lambda: "cannot save VM state" in hostd.log())
    need(state.read_text() == old, "the old state does not stand")
    whole_lines(hostd)
    lab.wait_counting()
    lab.need_alive(hostd)
    lab.say(f"hostd said so, and served on; share add: {words.strip()}")

    (disk / "fill").unlink()
    need(lab.run_in_guest(hostd, "lab", "true")[0] == 0, "exec with room again")
    hostd.wait_event("EventsDropped", lab.seconds(10))
    # More than one where a short line found room between two that did not.
    told = sum(event["count"] for event in hostd.events("EventsDropped"))
    lost = gaps(hostd)
    lab.say(f"telemetry: EventsDropped: {told}; missing: {lost}")
    need(told == lost > 0, f"{told} are said to be lost, {lost} are missing")
    status, words = lab.control(hostd, "share", "add", "lab", "d", added["path"], "/mnt/d")
    need(status == 0, f"share add with room again: {status}: {words}")
    wait_for("the state to be written again", lab.seconds(10), lambda: '"d"' in state.read_text())
    started_on_full_disk(lab, hostd, disk)
    lab.shut_down(hostd, guest)


def small_disk(lab):
    """A tmpfs that only this scenario sees, and what it starts."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        lab.skip(f"no mount namespace to be had: {os.strerror(ctypes.get_errno())}")
    disk = lab.folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={LIMIT}", "full", disk], check=True)
    return disk


def fill(disk):
    with open(disk / "fill", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def whole_lines(hostd):
    """Each line is one JSON object, and the last one is ended."""
    text = hostd.telemetry_file.read_text()
    need(text.endswith("\n"), f"half a line: {text[-80:]!r}")
    for line in text.splitlines():
        json.loads(line)


def gaps(hostd):
    """How many numbers are missing between the first and the last line."""
    numbers = [event["seq"] for event in hostd.events()]
    need(numbers == sorted(set(numbers)), "not in order")
    return numbers[-1] - numbers[0] + 1 - len(numbers)


def started_on_full_disk(lab, hostd, disk):
    """The next daemon finds no room from its start, and takes the guest over all the same."""
    fill(disk)
    hostd.process.kill()
    hostd.process.wait()
    hostd.start()
    wait_for("the guest to be ready again", lab.seconds(60),
             lambda: "ready" in lab.control(hostd, "list")[1])
    lab.wait_counting()
    whole_lines(hostd)
    (disk / "fill").unlink()
    lab.need_alive(hostd)
    lab.say("a daemon that was started on the full disk has the guest again")
