"""libvirtd is killed thirty times under I/O, with shares and an adapter coming and going, and guestlink-libvirt too: no I/O error, nothing lost, nothing twice."""

import os
import random

import domain as domains
import libvirt
import payload
import process
from hostd import adapter, share, vm_settings
from scenarios.kill_hostd_at_random import WORKING
from show import need
from wait import TimedOut, wait_for

# The same LAB_SEED kills at the same moments after each start.
KILLS = int(os.environ.get("LAB_KILLS", "30"))
LONGEST = 1.5


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
    domain.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    lab.wait_counting("dev")
    boot = hostd.events("GuestReady")[0]["boot_id"]
    first = (helper(lab, host), domain.pid())

    for number in range(1, KILLS + 1):
        change(lab, vm, number)
        hostd.reload()
        lab.pause(chance.uniform(0, LONGEST))
        host.kill()
        if number % 3 == 0:
            lab.wait_counting("dev")  # without a libvirtd
        host.start()
        if number % 5 == 0:
            settled(lab, hostd, host, domain, vm)
            lab.say(f"{number} kills: served, as configured")
    helpers_end(lab, hostd, host, domain, vm, chance)

    need(domain.pid() == first[1], "QEMU is another one")
    need(helper(lab, host) != first[0], "guestlink-libvirt is still the first one")
    need("cannot write" not in domain.console(), "the guest saw an I/O error")
    need({event["boot_id"] for event in hostd.events("GuestReady")} == {boot}, "another boot")
    for name, of in (("AddVirtioFsShare", {"tag": "c"}), ("AddNetAdapter", {"id": "eth0"})):
        need(len(hostd.events(name, created=True, **of)) == 1, f"{name} {of} made twice")
    # What came or went in that moment may have failed once.
    failed = [event for event in hostd.failures() if event["device"] in ("c", "eth0")]
    need(not failed, f"told of devices that lived on: {failed}")
    lab.shut_down(hostd, domain, "dev")


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
