"""libvirtd is killed thirty times under I/O, with shares and an adapter coming and going, and guestlink-libvirt too: no I/O error, nothing lost, nothing twice."""

import os
import random

import domain as domains
import libvirt
import process
from hostd import adapter, share, vm_settings
from scenarios.kill_hostd_at_random import WORKING
from show import Failed, need
from wait import TimedOut, wait_for

# The same LAB_SEED kills at the same moments after each start.
KILLS = int(os.environ.get("LAB_KILLS", "30"))
LONGEST = float(os.environ.get("LAB_LONGEST", "1.5"))  # s, from libvirtd's start to its end

# A libvirtd that was killed between a removal in QEMU and the note of it asks for the removal again,
# takes QEMU's "not found" for QEMU's failure, and ends the domain (seen with libvirt 9.0): "daemon
# decided to destroy domain during reconnection processing" is what it says as "reason=daemon".
ENDS_MAX = 3


class QemuEnded(Exception):
    pass


def play(lab):
    seed = int(os.environ.get("LAB_SEED", random.SystemRandom().randrange(1 << 32)))
    chance = random.Random(seed)
    lab.say(f"seed {seed} (LAB_SEED), {KILLS} kills (LAB_KILLS)")
    host = libvirt.here(lab)
    domain = domains.of_lab(lab, host)
    vm = vm_settings(domain, "dev", device_host=domain.device_host(), network=[adapter()],
                     shares=[share("c", lab.share_folder("dev"), "/mnt/c")],
                     payload=["/bin/sh", "-c", WORKING])
    hostd = lab.hostd([vm]).start()
    qemu, number, boots = start(lab, hostd, domain), 0, []
    first = helper(lab, host)
    while number < KILLS:
        number += 1
        try:
            kill(lab, hostd, host, domain, vm, chance.uniform(0, LONGEST), number)
            if domain.pid() != qemu:
                raise QemuEnded("QEMU is another one")
        except (Failed, QemuEnded, RuntimeError, TimedOut):
            boots.append(hostd.events("GuestReady")[-1]["boot_id"])
            if domain.pid() or not len(boots) == ended_by_libvirt(host, domain) <= ENDS_MAX:
                raise
            lab.say(f"libvirt itself ended the domain after kill {number}: it starts again")
            host.start()
            qemu, number = start(lab, hostd, domain), number - 1
    helpers_end(lab, hostd, host, domain, vm, chance)

    need(domain.pid() == qemu, "QEMU is another one")
    need(helper(lab, host) != first, "guestlink-libvirt is still the first one")
    need("cannot write" not in domain.console(), "the guest saw an I/O error")
    check(hostd, boots)
    lab.shut_down(hostd, domain, "dev")


def start(lab, hostd, domain):
    """Starts the domain; returns QEMU's pid once the guest works."""
    boots = len(hostd.events("GuestReady"))
    domain.start()
    hostd.wait_event("GuestReady", lab.seconds(60), count=boots + 1)
    lab.wait_counting("dev")
    return domain.pid()


def kill(lab, hostd, host, domain, vm, pause, number):
    change(lab, vm, number)
    hostd.reload()
    lab.pause(pause)
    host.kill()
    if number % 3 == 0:
        lab.wait_counting("dev")  # without a libvirtd
    host.start()
    if number % 5 == 0:
        settled(lab, hostd, host, domain, vm)
        lab.say(f"{number} kills: served, as configured")


def ended_by_libvirt(host, domain):
    """How often libvirt itself ended the domain, by the log that it keeps of the domain."""
    log = host.place / "log/qemu" / f"{domain.name}.log"
    return log.read_text(errors="replace").count("shutting down, reason=daemon")


def check(hostd, ended):
    """Nothing failed that lived on, nothing was made twice. ended: the boots that libvirt ended."""
    boots = {event["boot_id"] for event in hostd.events("GuestReady")}
    need(len(boots) == len(ended) + 1, "another boot")
    for boot in boots:
        for name, of in (("AddVirtioFsShare", {"tag": "c"}), ("AddNetAdapter", {"id": "eth0"})):
            need(len(hostd.events(name, created=True, boot_id=boot, **of)) == 1,
                 f"{name} {of} made twice")
    # What came or went in that moment may have failed once; a virtiofsd ends with its QEMU.
    failed = [event for event in hostd.failures() if event["device"] in ("c", "eth0") and
              (event["boot_id"] not in ended or event["phase"] != "serve")]
    need(not failed, f"told of devices that lived on: {failed}")


def change(lab, vm, number):
    """Every other time a share more and an adapter more, and then neither."""
    del vm["shares"][1:], vm["network"][1:]
    if number % 2:
        vm["shares"].append(share("more", lab.share_folder("more"), "/mnt/more"))
        vm["network"].append(adapter(id="eth1", mac="52:54:00:12:34:57", gateway=[], dns=[],
                                     address=["10.0.3.15/24"]))


def settled(lab, hostd, host, domain, vm):
    """What is configured is there once, in libvirt and in the guest; what is not is nowhere."""
    wanted = sorted([f"ua-guestlink-share-{one['tag']}" for one in vm["shares"]] +
                    [f"ua-guestlink-net-{one['id']}" for one in vm["network"]])
    try:
        wait_for(f"{wanted} in libvirt", lab.seconds(20), lambda: domain.aliases() == wanted, 0.2)
    except TimedOut as error:
        raise TimedOut(f"{error}, but {domain.aliases()}") from None
    targets = sorted(one["target"] for one in vm["shares"])

    def mounted():
        _, words = lab.run_in_guest(hostd, "dev", "cat", "/proc/mounts")
        return targets == sorted(line.split()[1] for line in words.splitlines()
                                 if " virtiofs " in line)
    wait_for(f"{targets} in the guest", lab.seconds(20), mounted, 0.2)
    lab.wait_counting("dev")
    need(hostd.process.alive(), hostd.log())


def helper(lab, host):
    """guestlink-libvirt's pid, once there is one."""
    return wait_for("one guestlink-libvirt", lab.seconds(20), lambda: len(
        found := [pid for pid in process.pids_with(str(host.socket))
                  if "guestlink-libvirt\0" in process.command_of(pid)]) == 1 and found)[0]


def helpers_end(lab, hostd, host, domain, vm, chance):
    for number in range(1, 6):
        change(lab, vm, number)
        pid = helper(lab, host)
        hostd.reload()
        lab.pause(chance.uniform(0, 0.3))
        process.kill_pid(pid)
        settled(lab, hostd, host, domain, vm)
    lab.say("guestlink-libvirt killed five times")
