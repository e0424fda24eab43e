"""virtiofs and virtio-net in the guest, with and without what the token stands for: a device that
offers VIRTIO_F_ACCESS_PLATFORM (iommu_platform=on) in a guest that bounces (swiotlb=force). All
guests run at once and take turns, so that a busy moment of the machine's meets all of them; what
counts is each one's share of `plain` in the same round, and what its processor did for a MiB."""

import re
import socket
import statistics
import threading

from boots import ICOUNT
from guest import Guest, acceleration
from hostd import share
from show import need

TITLE = "throughput: virtiofs and virtio-net, bounced and not"
MIB = 24            # a step of a round by the clock
ICOUNT_MIB = 64     # a step of a round by instructions: the guest's idle time has 10 ms' resolution
ICOUNT_ROUNDS = 2
# Who bounces: the words on the kernel's command line, and whether a pool is published (so that
# hostd makes a token, and with it the adapter's iommu_platform=on).
SETUPS = {
    "plain": ("old", ""),
    "force, no token": ("failed", "swiotlb=force"),
    "force, token": ("published", "swiotlb=32768,force iommu=soft"),
}
STEPS = ("virtiofs write", "virtiofs read", "virtio-net send")
NOW = "now() { read -r up idle </proc/uptime; echo at $up $idle; }"
FILES = ("now; dd if=/dev/zero of=/mnt/c/file bs=1M count=$mib conv=fsync 2>&-; now;"
         "echo 3 >/proc/sys/vm/drop_caches; now; dd if=/mnt/c/file of=/dev/null bs=1M 2>&-; now")
SEND = "now; dd if=/dev/zero bs=1M count=$mib 2>&- | nc 10.0.2.2 $port; now"
DEVICES = ("for d in /sys/bus/virtio/devices/*; do"
           " echo $(basename $(readlink $d/driver)) $(cut -c34 $d/features); done")


class Sink:
    """Takes what a guest sends."""

    def __init__(self):
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            peer, _ = self._sock.accept()
            with peer:
                while peer.recv(1 << 18):
                    pass


def shell(lab, hostd, name, script):
    status, words = lab.control(hostd, "exec", name, "--", "/bin/sh", "-c", script, seconds=120)
    need(status == 0, f"{script}: status {status}: {words}")
    return words


def one_round(lab, hostd, name, mib, port):
    """Seconds of each step by the guest's clock, and those in which its processor was not idle."""
    words = shell(lab, hostd, name, f"mib={mib}; port={port}; {NOW}; {FILES}; {SEND}")
    at = [(float(up), float(idle)) for up, idle in
          re.findall(r"^at ([0-9.]+) ([0-9.]+)", words, re.MULTILINE)]
    need(len(at) == 2 * len(STEPS), f"a step did not end: {words}")
    pairs = list(zip(at[::2], at[1::2]))
    return ([max(end[0] - begin[0], 0.01) for begin, end in pairs],
            [max(end[0] - begin[0] - end[1] + begin[1], 0.01) for begin, end in pairs])


def all_rounds(lab, label, mib, rounds, port, extra=()):
    """Boots a guest of each setup; returns {setup: {step: [(seconds, busy seconds) of a round]}},
    and what is known of their devices."""
    kernel, image = lab.image()
    names = {setup: f"{label}-{kind}" for setup, (kind, _) in SETUPS.items()}
    guests = {setup: Guest(lab.folder / names[setup], lab.sockets / names[setup], kernel, image,
                           f"quiet lab_kind={kind} hv_pci_swiotlb=64M {words}", extra=extra)
              for setup, (kind, words) in SETUPS.items()}
    hostd = lab.hostd([lab.usual_vm(guest, names[setup],
                                    shares=[share("c", lab.share_folder(names[setup]), "/mnt/c")])
                       for setup, guest in guests.items()])
    hostd.config["state_dir"] = str(lab.sockets / f"{label}-state")
    hostd.start()
    for setup, guest in guests.items():
        guest.start()
        hostd.wait_event("GuestReady", 120, vm=names[setup])
    found = {setup: {step: [] for step in STEPS} for setup in SETUPS}
    for number in range(rounds):
        print(f"throughput, {label}: round {number + 1} of {rounds}", flush=True)
        for setup, columns in found.items():
            for column, pair in zip(columns.values(),
                                    zip(*one_round(lab, hostd, names[setup], mib, port))):
                column.append(pair)
    about = {setup: devices(lab, hostd, names[setup]) for setup in SETUPS}
    for setup, guest in guests.items():
        lab.shut_down(hostd, guest, names[setup])
    hostd.process.stop(10)
    return found, about


def devices(lab, hostd, name):
    """Who offers VIRTIO_F_ACCESS_PLATFORM, and what the adapter's options are."""
    words = shell(lab, hostd, name, DEVICES)
    options = [event["options"] for event in hostd.events("AddNetAdapter", vm=name)]
    return {"access_platform": dict(line.split() for line in words.splitlines()
                                    if len(line.split()) == 2),
            "adapter_options": options[0] if options else None}


def medians(found, each, plain=None):
    """The median of each() over the rounds; with plain, of its ratio to plain's in that round."""
    return {step: round(statistics.median(
        each(*pair) / (each(*plain[step][at]) if plain else 1)
        for at, pair in enumerate(pairs)), 3) for step, pairs in found.items()}


def measure(run, count, mib=MIB, icount_mib=ICOUNT_MIB, icount_rounds=ICOUNT_ROUNDS):
    sink = Sink()
    found, about = all_rounds(run, "clock", mib, count, sink.port)
    result = {"mib": mib, "rounds": count, "setups": {}}
    for setup, columns in found.items():
        result["setups"][setup] = about[setup] | {
            "mib_per_s": medians(columns, lambda seconds, _: mib / seconds),
            "to_plain": medians(columns, lambda seconds, _: 1 / seconds, found["plain"])}
    if acceleration()[1] == "tcg":
        counted, _ = all_rounds(run, "icount", icount_mib, icount_rounds, sink.port, ICOUNT)
        for setup, columns in counted.items():
            result["setups"][setup] |= {
                "million_instructions_per_mib": medians(columns,
                                                        lambda _, busy: busy * 1e3 / icount_mib),
                "instructions_to_plain": medians(columns, lambda _, busy: busy, counted["plain"])}
    return result


def table(result):
    yield (f"medians of {result['rounds']} rounds of {result['mib']} MiB a step, the guests in "
           "turns (ratio to plain in the same round)")
    yield f"{'MiB/s':16}" + "".join(f"{step:>20}" for step in STEPS)
    for setup, row in result["setups"].items():
        yield f"{setup:16}" + "".join(
            f"{row['mib_per_s'][step]:12.1f} ({row['to_plain'][step]:4.2f}x)" for step in STEPS)
    yield "10^6 instructions of the guest's for a MiB (-icount)"
    for setup, row in result["setups"].items():
        if "instructions_to_plain" in row:
            yield f"{setup:16}" + "".join(
                f"{row['million_instructions_per_mib'][step]:12.2f} "
                f"({row['instructions_to_plain'][step]:4.2f}x)" for step in STEPS)
    for setup, row in result["setups"].items():
        bounced = [driver for driver, bit in row["access_platform"].items() if bit == "1"]
        yield f"{setup:16} offers ACCESS_PLATFORM: {', '.join(bounced) or 'no device'}"
