"""What an aperture costs: a share of a guest that bounces it through its pool, beside one of a guest
without, the same kernel, in instructions (-icount): all that the guest's tasks did, the kernel's
threads included. What the relay, between QEMU and virtiofsd, and hostd did meanwhile; and what it
takes to boot until the share is mounted."""

import pathlib
import re
import statistics

from boots import ICOUNT
from guest import Guest, acceleration
from hostd import share
from paths import LAB
from run import WORDS
from show import need
from wait import wait_for

TITLE = "aperture: what bouncing through the pool costs a share"
KERNELS = ("cloud", "unpacking", "newest")
SETUPS = {"plain": "old", "aperture": "stock"}
# What is done, and to how many MiB. The least of a step is what a program's start and the
# reading of the clocks cost; it is taken off all others.
LEAST = "nothing"
STEPS = {
    LEAST: (0, "dd if=/dev/zero of=/dev/null bs=1M count=0"),
    "buffered write": (32, "dd if=/dev/zero of=file bs=1M count=32 conv=fsync,notrunc"),
    "buffered read": (32, "dd if=file of=/dev/null bs=1M"),
    "O_DIRECT 1 MiB read": (32, "dd if=file of=/dev/null bs=1M iflag=direct"),
    "O_DIRECT 128 KiB read": (32, "dd if=file of=/dev/null bs=128k iflag=direct"),
    "O_DIRECT 128 KiB write": (32, "dd if=/dev/zero of=file bs=128k count=256 oflag=direct"
                                   " conv=notrunc"),
    "O_DIRECT 4 KiB read": (8, "dd if=file of=/dev/null bs=4k count=2048 iflag=direct"),
}
MOVING = [step for step in STEPS if step != LEAST]
# A real processor copies 32 bytes or more with one instruction of `rep movsb`, an emulated one
# counts an instruction for each: without these the kernel copies by words.
CPU = "max,-erms,-fsrm,-cx16"
# What its tasks ran, in nanoseconds (the third from the end), which every kernel tells: without the
# interrupts that found it idle.
BUSY = "now() { sed -n \"s|^cpu0|$1|p\" /proc/schedstat; }"
MOUNTED = f"{BUSY}; now mounted >/mnt/c/mounted"


def script(rounds, steps):
    """A first round is left out of the figures: the guest is still busy with its boot."""
    lines = [BUSY]
    for number in range(rounds + 1):
        for step, (_, command) in steps.items():
            lines += ["echo 3 >/proc/sys/vm/drop_caches", f"now '{number}/{step}/began'",
                      f"{{ {command}; }} 2>/dev/null || echo failed: {step}",
                      f"now '{number}/{step}/ended'"]
    return "\n".join(lines)


def busy(text):
    """{label: nanoseconds} of what now() printed."""
    return {label: int(ns) for label, ns in re.findall(r"^(\S.*?)(?: \d+){6} (\d+) \d+ \d+$", text,
                                                       re.M)}


def per_mib(text, rounds, steps):
    """{step: million instructions for a MiB}, the median of the rounds."""
    at = busy(text)
    took = {step: [(at[f"{number}/{step}/ended"] - at[f"{number}/{step}/began"]) / 1e6
                   for number in range(1, rounds + 1)] for step in steps}
    return {step: round(statistics.median(
        (all_of_it - least) / mib for all_of_it, least in zip(took[step], took[LEAST])), 3)
        for step, (mib, _) in steps.items() if step != LEAST}


class Ran:
    """What processes ran of their own, in all: how often, and for how long."""

    def __init__(self, pids):
        self._pids = pids
        self._before = self._now()

    def _now(self):
        words = [pathlib.Path(f"/proc/{pid}/schedstat").read_text().split() for pid in self._pids]
        return sum(int(ns) for ns, *_ in words), sum(int(times) for *_, times in words)

    def since(self):
        (ns_before, times_before), (ns, times) = self._before, self._now()
        return {"times": times - times_before, "ms": round((ns - ns_before) / 1e6, 2)}


def relays_of(pid):
    """The processes below that one that are a relay, its keeper included."""
    below = [int(child) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
             for child in (task / "children").read_text().split()]
    return [found for child in below
            for found in [*([child] if is_relay(child) else []), *relays_of(child)]]


def is_relay(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("guestlink-virti")


def begin(lab, kernel, setup):
    """Boots a guest until its share is mounted; returns it and its hostd."""
    name, kind = f"{kernel}-{setup}", SETUPS[setup]
    linux, image = lab.image(kernel)
    guest = Guest(lab.folder / name, lab.sockets / name, linux, image,
                  f"quiet lab_kind={kind} {WORDS[kind] if kind == 'stock' else ''}",
                  extra=["-cpu", CPU, *ICOUNT])
    hostd = lab.hostd([lab.usual_vm(guest, name, network=[],
                                    shares=[share("c", lab.share_folder(name), "/mnt/c")],
                                    payload=["/bin/sh", "-c", MOUNTED])])
    hostd.config["state_dir"] = str(lab.sockets / name / "state")
    hostd.telemetry_file = lab.folder / name / "telemetry.jsonl"
    hostd.config["telemetry"]["file"] = str(hostd.telemetry_file)
    hostd.start()
    guest.start()
    hostd.wait_event("ChildExit", lab.seconds(120), vm=name)
    (added,) = hostd.events("AddVirtioFsShare", vm=name)
    need(added["iommu_platform"] == (setup == "aperture"), f"{name}: {added}")
    return guest, hostd


def one_guest(lab, kernel, setup, rounds):
    guest, hostd = begin(lab, kernel, setup)
    name = f"{kernel}-{setup}"
    folder = lab.share_folder(name)
    # It begins with the host's word and ends with one to it, in the share, so that hostd has nothing
    # to do in between.
    (folder / "script").write_text("cd /mnt/c\nuntil [ -e go ]; do sleep 0.1; done\n"
                                   + script(rounds, STEPS) + "\ntouch done\n")
    status, words = lab.control(hostd, "exec", name, "--", "/bin/sh", "-c",
                                "sh /mnt/c/script >/run/said 2>&1 </dev/null &", seconds=60)
    need(status == 0, f"{name}: {words}")
    relays = relays_of(hostd.process.pid)
    need(relays, f"{name}: no relay was found")
    ran = {"relay": Ran(relays), "hostd": Ran([hostd.process.pid])}
    (folder / "go").touch()
    wait_for(f"{name} to have moved its files", lab.seconds(600), (folder / "done").exists, 0.5)
    ran = {who: did.since() for who, did in ran.items()}
    status, words = lab.control(hostd, "exec", name, "--", "cat", "/run/said", seconds=60)
    need(status == 0 and "failed" not in words, f"{name}: {words}")
    lab.shut_down(hostd, guest, name)
    hostd.process.stop(10)
    return {"million_instructions_per_mib": per_mib(words, rounds, STEPS), "ran": ran,
            "million_instructions_to_mount":
            round(busy((folder / "mounted").read_text())["mounted"] / 1e6, 1)}


def measure(run, count, kernels=KERNELS):
    found = {}
    for kernel in kernels if acceleration()[1] == "tcg" else ():
        if not (LAB / "kernel" / kernel / "complete").exists():
            continue
        rows = {}
        for setup in SETUPS:
            print(f"aperture: {kernel}, {setup}", flush=True)
            rows[setup] = one_guest(run, kernel, setup, count)
        plain, pool = (rows[setup]["million_instructions_per_mib"] for setup in SETUPS)
        to_mount = [rows[setup]["million_instructions_to_mount"] for setup in SETUPS]
        found[run.image(kernel)[0].release] = rows | {
            "ratio": {step: round(pool[step] / plain[step], 3) for step in MOVING},
            "mount_ratio": round(to_mount[1] / to_mount[0], 4)}
    return {"rounds": count, "mib": (count + 1) * sum(mib for mib, _ in STEPS.values()),
            "kernels": found}


def table(result):
    yield (f"10^6 instructions of the guest's for a MiB, without a pool, and through one (ratio); "
           f"medians of {result['rounds']} rounds")
    for release, rows in result["kernels"].items():
        yield release
        both = [rows[setup] for setup in SETUPS]
        for step in MOVING:
            plain, pool = (row["million_instructions_per_mib"][step] for row in both)
            yield f"  {step:24} {plain:8.2f} {pool:8.2f} ({rows['ratio'][step]:5.2f}x)"
        plain, pool = (row["million_instructions_to_mount"] for row in both)
        yield f"  {'boot until mounted':24} {plain:8.1f} {pool:8.1f} ({rows['mount_ratio']:5.3f}x)"
        for who in ("relay", "hostd"):
            plain, pool = (row["ran"][who] for row in both)
            yield (f"  {who} ran, for {result['mib']} MiB: {plain['times']} times, "
                   f"{plain['ms']} ms; {pool['times']} times, {pool['ms']} ms")
