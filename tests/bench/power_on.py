"""Power-on to all devices configured, two shares and one adapter, and what part of it is ours: from
QEMU's start on the host's clock, with the guest's own clock as GuestReady tells it, and the
daemon's processor time."""

import pathlib
import statistics
import time

from hostd import adapter, share

TITLE = "power-on to two shares and one adapter configured"
CONNECT = "PID 1: the rest until connected"
ANSWER = "capabilities: arrive, answered"
PARTS = ("QEMU, firmware, kernel, unpacking", "PID 1: modules (kernel code)", CONNECT, ANSWER,
         "hostd, virtiofsd, QEMU: hot-plug", "guest: probe, mount, configure")
HOSTD = "guestlink-hostd's processor time"


def boot(lab, number):
    """One boot; milliseconds of each part, in order."""
    name = f"power-{number}"
    guest = lab.guest(name, "published", "quiet")
    shares = [share(tag, lab.share_folder(f"{name}-{tag}"), f"/mnt/{tag}") for tag in "cd"]
    hostd = lab.hostd([lab.usual_vm(guest, name, shares=shares, network=[adapter()])])
    hostd.folder = lab.folder / name
    hostd.telemetry_file = hostd.folder / "telemetry.jsonl"
    hostd.config["telemetry"]["file"] = str(hostd.telemetry_file)
    hostd.config["state_dir"] = str(lab.sockets / name / "state")
    hostd.start()
    began_us, before_ms = time.time() * 1e6, ran_ms(hostd)
    guest.start()
    ready = hostd.wait_event("GuestReady", 120)
    hostd_ms = ran_ms(hostd) - before_ms
    failed = hostd.failures()
    lab.shut_down(hostd, guest, name)
    hostd.process.stop(10)
    if failed:
        raise RuntimeError(f"a device failed: {failed[0]}")
    return parts(ready, began_us, hostd_ms)


def ran_ms(hostd):
    """What the daemon's one thread ran so far."""
    return int(pathlib.Path(f"/proc/{hostd.process.pid}/schedstat").read_text().split()[0]) / 1e6


def parts(ready, began_us, hostd_ms):
    """The boot cut where the telemetry cuts it. On the host's clock but for PID 1's own part, which
    is known on the guest's; the two run at one speed."""
    accepted = (ready["host_accepted_us"] - began_us) / 1e3
    init = (ready["connected_ns"] - ready["started_ns"]) / 1e6
    modules = (ready["modules_ns"] - ready["started_ns"]) / 1e6
    configured = max(ready["host_mounts_ms"], ready["host_network_ms"])
    times = (accepted - init, modules, init - modules, float(ready["host_capabilities_ms"]),
             float(ready["host_devices_ms"] - ready["host_capabilities_ms"]),
             float(configured - ready["host_devices_ms"]))
    return dict(zip(PARTS, times)) | {"total": accepted + configured, HOSTD: hostd_ms}


def measure(run, count):
    rows = [boot(run, number) for number in range(count)]
    medians = {key: round(statistics.median(row[key] for row in rows), 2) for key in rows[0]}
    return {"boots": count, "median_ms": medians,
            "part": {key: round(value / medians["total"], 4) for key, value in medians.items()},
            "ours_part": round(sum(medians[key] for key in (CONNECT, ANSWER, HOSTD)) /
                               medians["total"], 4)}


def table(result):
    yield f"medians of {result['boots']} boots"
    for key, value in result["median_ms"].items():
        yield f"{key:34} {value:10.1f} ms {result['part'][key] * 100:6.2f} %"
    yield (f"{'ours':34} {'':13} {result['ours_part'] * 100:6.2f} %  (until connected, answered, "
           "and the daemon's processor time)")
