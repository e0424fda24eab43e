"""Handshakes of hostd beside those of the least server (bare.c), with the same client (load.c) on
the same kind of sockets: how many a second, how long each, and what they cost the server."""

import json
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import uuid

import paths
from process import Process
from wait import wait_for

TITLE = "handshakes: connect, CAPABILITIES, WELCOME; hostd beside the least server"
GUESTS = (1, 10, 100, 1000)
HANDSHAKES = 6000   # of one measurement, by all guests together, rounded up


def compile_all(folder, *options):
    programs = {}
    for name in ("bare", "load"):
        programs[name] = folder / name
        subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror",
                        *options, "-o", programs[name], paths.ROOT / f"tests/bench/{name}.c"],
                       check=True)
    return programs


def hostd_config(folder, guests):
    """A configuration with so many VMs, each with a socket of its own: folder/0 and up. No line of
    telemetry is spared, however often a guest calls: all handshakes are the same work."""
    vms = [{"name": f"vm{number}", "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"vm{number}")),
            "socket": f"{folder}/{number}", "memory": "512M", "kernel": "custom", "swiotlb": "off",
            "networking": "none", "hostname": f"vm{number}", "device_host": {"type": "none"}}
           for number in range(guests)]
    return {"listen": [], "control": f"{folder}/control.sock", "state_dir": f"{folder}/state",
            "telemetry": {"file": f"{folder}/telemetry.jsonl", "journal": False},
            "limits": {"guest_events_per_s": 100000, "guest_events_burst": 1000000}, "vms": vms}


class Server:
    """Either server, on the sockets FOLDER/0 and up."""

    def __init__(self, name, folder, guests, programs):
        folder.mkdir(parents=True)
        self.folder = folder
        argv = self._hostd(guests) if name == "hostd" else [programs["bare"], folder, str(guests)]
        self._process = Process(name, argv, folder / "log")
        self.pid = self._process.pid
        self._doors = [folder / str(number) for number in range(guests)]
        wait_for(f"{name} to listen", 120, self._ready)

    def _hostd(self, guests):
        config = self.folder / "hostd.json"
        config.write_text(json.dumps(hostd_config(self.folder, guests)))
        return [paths.program("guestlink-hostd"), "--config", config]

    def _ready(self):
        if not self._process.alive():
            raise RuntimeError(f"{self._process.name} ended: {self._process.words()}")
        with socket.socket(socket.AF_UNIX) as sock:
            return self._doors[0].exists() and sock.connect_ex(str(self._doors[-1])) == 0

    def cpu_seconds(self):
        """What its one thread ran so far."""
        return int(pathlib.Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def stop(self):
        return self._process.stop(60)


def load(programs, folder, guests, rounds, held=lambda: None):
    """Runs load.c; held() is called while all guests are still connected."""
    argv = [programs["load"], str(folder), str(guests), str(rounds)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        words = client.stdout.readline().split()
        if not words:
            raise RuntimeError(f"load ended with status {client.wait()}")
        held()
        client.stdin.close()
    return int(words[0]), float(words[1]), [float(word) for word in words[2:]]


def percentile(sorted_us, part):
    """In milliseconds."""
    return round(sorted_us[min(len(sorted_us) - 1, int(len(sorted_us) * part))] / 1e3, 3)


def serve_once(name, run, guests, handshakes, programs):
    """One server's life: all guests boot once, then call again and again."""
    folder = run.sockets / f"{name}-{guests}"
    server = Server(name, folder, guests, programs)
    empty_kib = server.resident_kib()
    seen = {}
    load(programs, folder, guests, 1)  # the boot itself: not what is measured here
    rounds = -(-handshakes // guests)
    before = server.cpu_seconds()
    failed, seconds, latencies = load(
        programs, folder, guests, rounds,
        lambda: seen.update(cpu=server.cpu_seconds() - before, kib=server.resident_kib()))
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)
    if failed:
        raise RuntimeError(f"{name}: {failed} of {guests * rounds} handshakes failed")
    return {"handshakes_per_s": round(guests * rounds / seconds),
            "cpu_us_per_handshake": round(seen["cpu"] * 1e6 / (guests * rounds), 2),
            "p50_ms": percentile(latencies, 0.5), "p90_ms": percentile(latencies, 0.9),
            "p99_ms": percentile(latencies, 0.99), "most_ms": round(latencies[-1] / 1e3, 3),
            "resident_kib_empty": empty_kib, "resident_kib_connected": seen["kib"],
            "kib_per_guest": round((seen["kib"] - empty_kib) / guests, 2)}


def median_of(rows):
    return {key: round(statistics.median(row[key] for row in rows), 3) for key in rows[0]}


def measure(run, count, guests=GUESTS, handshakes=HANDSHAKES):
    programs = compile_all(run.sockets)
    result = {"turns": count, "handshakes": handshakes, "guests": {}}
    for number in guests:
        rows = {"bare": [], "hostd": []}
        for _ in range(count):
            for name, column in rows.items():
                column.append(serve_once(name, run, number, handshakes, programs))
        medians = {name: median_of(column) for name, column in rows.items()}
        medians["cpu_ratio"] = round(medians["hostd"]["cpu_us_per_handshake"] /
                                     medians["bare"]["cpu_us_per_handshake"], 2)
        result["guests"][str(number)] = medians
    result["growth"] = growth(result["guests"])
    return json.loads(json.dumps(result))


def growth(guests):
    """How hostd's figures change from the fewest to the most guests."""
    first, last = list(guests.values())[0]["hostd"], list(guests.values())[-1]["hostd"]
    return {key: round(last[key] / first[key], 2)
            for key in ("handshakes_per_s", "cpu_us_per_handshake")}


def table(result):
    yield f"{result['handshakes']} handshakes, medians of {result['turns']} turns"
    yield (f"{'guests':>6} {'':6} {'a second':>8} {'CPU, us':>8} {'p50, ms':>8} {'p90':>8} "
           f"{'p99':>8} {'most':>8} {'KiB/guest':>9}")
    for number, servers in result["guests"].items():
        for name in ("bare", "hostd"):
            row = servers[name]
            yield (f"{number:>6} {name:6} {row['handshakes_per_s']:8.0f} "
                   f"{row['cpu_us_per_handshake']:8.1f} {row['p50_ms']:8.2f} {row['p90_ms']:8.2f} "
                   f"{row['p99_ms']:8.2f} {row['most_ms']:8.2f} {row['kib_per_guest']:9.1f}")
        yield f"{'':6} {'ratio':6} {'':8} {servers['cpu_ratio']:8.1f}"
    yield (f"hostd, from the fewest guests to the most: CPU per handshake "
           f"x {result['growth']['cpu_us_per_handshake']}")
