"""virtiofs and virtio-net in the guest, with and without what the token stands for: a device that
offers VIRTIO_F_ACCESS_PLATFORM (iommu_platform=on) in a guest that bounces (swiotlb=force)."""

import collections
import re
import socket
import statistics
import threading

from guest import Guest
from hostd import share
from show import need

TITLE = "throughput: virtiofs and virtio-net, bounced and not"
MIB = 32
ROUNDS = 2  # in one boot
# Who bounces: the words on the kernel's command line, and whether a pool is published (so that
# hostd makes a token, and with it the adapter's iommu_platform=on).
SETUPS = {
    "plain": ("old", ""),
    "force, no token": ("failed", "swiotlb=force"),
    "force, token": ("published", "swiotlb=force"),
}
NOW = "now() { read -r up idle </proc/uptime; echo at $up; }"
FILES = ("now; dd if=/dev/zero of=/mnt/c/file bs=1M count=$mib conv=fsync 2>&-; now;"
         "echo 3 >/proc/sys/vm/drop_caches; now; dd if=/mnt/c/file of=/dev/null bs=1M 2>&-; now")
SEND = "now; dd if=/dev/zero bs=1M count=$mib 2>&- | nc 10.0.2.2 $port; now"


class Sink:
    """Takes what a guest sends, and says how fast it came."""

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


def seconds(words):
    """How long each step took by the guest's clock (hundredths): BusyBox' dd does not say."""
    at = [float(value) for value in re.findall(r"^at ([0-9.]+)", words, re.MULTILINE)]
    need(at and len(at) % 2 == 0, f"a step did not end: {words}")
    return [max(end - begin, 0.01) for begin, end in zip(at[::2], at[1::2])]


def boot(lab, name, kind, words, sink, mib, rounds):
    """MiB a second, of each kind, over the rounds of one boot; and who is behind the IOMMU flag."""
    kernel, image = lab.image()
    guest = Guest(lab.folder / name, lab.sockets / name, kernel, image,
                  f"quiet lab_kind={kind} hv_pci_swiotlb=64M {words}")
    shares = [share("c", lab.share_folder(name), "/mnt/c")]
    hostd = lab.hostd([lab.usual_vm(guest, name, shares=shares)])
    hostd.folder = lab.folder / name
    hostd.telemetry_file = hostd.folder / "telemetry.jsonl"
    hostd.config["telemetry"]["file"] = str(hostd.telemetry_file)
    hostd.config["state_dir"] = str(lab.sockets / name / "state")
    hostd.start()
    guest.start()
    hostd.wait_event("GuestReady", 120)
    found = {"virtiofs write": [], "virtiofs read": [], "virtio-net send": []}
    for _ in range(rounds):
        taken = seconds(shell(lab, hostd, name, f"mib={mib}; port={sink.port}; {NOW}; {FILES}; "
                                                f"{SEND}"))
        for column, one in zip(found.values(), taken):
            column.append(mib / one)
    devices = shell(lab, hostd, name, "for d in /sys/bus/virtio/devices/*; do echo $(basename $("
                    "readlink $d/driver)) $(cut -c34 $d/features); done")
    tokens = [event["options"] for event in hostd.events("AddNetAdapter")]
    lab.shut_down(hostd, guest, name)
    hostd.process.stop(10)
    return found, {"access_platform": dict(line.split() for line in devices.splitlines()
                                           if len(line.split()) == 2),
                   "adapter_options": tokens[0] if tokens else None}


def shell(lab, hostd, name, script):
    status, words = lab.control(hostd, "exec", name, "--", "/bin/sh", "-c", script, seconds=60)
    need(status == 0, f"{script}: status {status}: {words}")
    return words


def measure(run, count, mib=MIB, rounds=ROUNDS):
    """count boots of each setup, in turns, so that a busy moment of the machine's meets all."""
    sink, result = Sink(), {"mib": mib, "boots": count, "rounds": rounds, "setups": {}}
    found = {label: collections.defaultdict(list) for label in SETUPS}
    for turn in range(count):
        for label, (kind, words) in SETUPS.items():
            speeds, about = boot(run, f"speed-{kind}-{turn}", kind, words, sink, mib,
                                 rounds)
            result["setups"][label] = about
            for key, values in speeds.items():
                found[label][key] += values
    for label, setup in result["setups"].items():
        setup["mib_per_s"] = {key: round(statistics.median(values), 2)
                              for key, values in found[label].items()}
        setup["to_plain"] = {key: round(statistics.median(values) /
                                        statistics.median(found["plain"][key]), 3)
                             for key, values in found[label].items()}
    return result


def table(result):
    yield (f"MiB/s, medians of {result['boots']} boots x {result['rounds']} times "
           f"{result['mib']} MiB; (x of plain)")
    kinds = list(next(iter(result["setups"].values()))["mib_per_s"])
    yield f"{'':16}" + "".join(f"{kind:>20}" for kind in kinds)
    for label, setup in result["setups"].items():
        yield f"{label:16}" + "".join(
            f"{setup['mib_per_s'][kind]:12.1f} ({setup['to_plain'][kind]:4.2f}x)" for kind in kinds)
    for label, setup in result["setups"].items():
        bounced = [driver for driver, bit in setup["access_platform"].items() if bit == "1"]
        yield f"{label:16} offers ACCESS_PLATFORM: {', '.join(bounced) or 'no device'}"
