"""hostd is killed at random moments under two guests at work: no I/O error, no share lost, nothing twice."""

import os
import random

import payload
import process
from show import need
from wait import wait_for

# LAB_KILLS=30 is the long form. The same LAB_SEED kills at the same moments after each start.
KILLS = int(os.environ.get("LAB_KILLS", "6"))
NAMES = ("left", "right")
# From the daemon's first steps, when it looks at what is there, to when all is served.
LONGEST = 2.5

WORKING = """n=0
while :; do
    n=$((n + 1))
    head -c 65536 /bin/busybox >/mnt/c/data && head -c 65536 /bin/busybox | cmp - /mnt/c/data &&
        echo $n >/mnt/c/counter || echo "payload: cannot write" >/dev/console
    sleep 0.1
done
"""

# PID 1's children that count; not the shell that looks for them.
PAYLOADS = """for stat in /proc/[0-9]*/stat; do
    read -r pid name _ parent _ <$stat && [ "$parent" = 1 ] &&
        grep -q 'count[e]r' ${stat%stat}cmdline && echo $pid
done 2>/dev/null
"""


def play(lab):
    seed = int(os.environ.get("LAB_SEED", random.SystemRandom().randrange(1 << 32)))
    chance = random.Random(seed)
    lab.say(f"seed {seed} (LAB_SEED), {KILLS} kills (LAB_KILLS)")
    guests = {name: lab.guest(name) for name in NAMES}
    vms = [lab.usual_vm(guest, name, payload=["/bin/sh", "-c", WORKING])
           for name, guest in guests.items()]
    hostd = lab.hostd(vms).start()
    for guest in guests.values():
        guest.start()

    # The first ones while the guests boot and their devices are made.
    for number in range(1, KILLS + 1):
        moment = chance.uniform(0, LONGEST)
        lab.pause(moment)
        need(hostd.process.alive(), f"hostd ended by itself: {hostd.log()}")
        hostd.process.kill()
        hostd.process.wait()
        lab.say(f"kill {number} after {moment:.2f} s")
        hostd.start()
        if number % 5 == 0:
            served(lab, hostd, guests)
    served(lab, hostd, guests)

    for name, guest in guests.items():
        need("cannot write" not in guest.console(), f"{name} saw an I/O error")
        same_devices(lab, hostd, guest, name)
    need(not hostd.failures(), f"{hostd.failures()}")
    for name, guest in guests.items():
        lab.shut_down(hostd, guest, name)


def served(lab, hostd, guests):
    """The daemon that runs now has each guest, and each guest its share."""
    for name in guests:
        wait_for(f"PID 1 of {name} to answer this daemon", lab.seconds(60),
                 lambda name=name: lab.run_in_guest(hostd, name, "/bin/true")[0] == 0, 0.2)
        wait_for(f"the payload of {name}", lab.seconds(60),
                 lambda name=name: payload.count(lab.folder / "shares" / name) > 0)
        lab.wait_counting(name)
    lab.say("both guests are served, and work")


def same_devices(lab, hostd, guest, name, boots=1):
    """Every device once: in QEMU, in the guest, on the host, and in what was told of each boot."""
    types = [entry["type"] for entry in guest.ask_qemu("qom-list", path="/machine/peripheral")]
    for kind in ("vhost-user-fs-pci", "virtio-net-pci"):
        need(types.count(f"child<{kind}>") == 1, f"{name}: {types.count(f'child<{kind}>')} {kind}")
    backends = [entry["label"] for entry in guest.ask_qemu("query-chardev")
                if entry["label"].startswith("guestlink")]
    need(len(backends) == 1, f"{name}: chardevs {backends}")
    _, mounts = lab.run_in_guest(hostd, name, "/bin/grep", " /mnt/c ", "/proc/mounts")
    need(mounts.count("\n") == 1, f"{name}: mounted {mounts!r}")
    _, payloads = lab.run_in_guest(hostd, name, "/bin/sh", "-c", PAYLOADS)
    need(payloads.count("\n") == 1, f"{name}: payloads {payloads!r}")
    servers = process.pids_with(str(lab.folder / "shares" / name))
    forked = [pid for server in servers for pid in process.children_of(server)]
    servers = [pid for pid in servers if pid not in forked]
    need(len(servers) == 1, f"{name}: virtiofsd {servers}")
    for event in ("AddVirtioFsShare", "AddNetAdapter"):
        made = hostd.events(event, vm=name, created=True)
        need(len(made) <= boots, f"{name}: {event} {len(made)} times")
    lab.say(f"{name}: one device, chardev, virtiofsd, mount and payload")
