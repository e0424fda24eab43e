"""Power-on to all devices configured, two shares and one adapter, and whose part of it is whose:
from QEMU's start on the host's clock, and the guest's own clock as GuestReady tells it."""

import statistics
import time

from hostd import adapter, share

TITLE = "power-on to two shares and one adapter configured"


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
    began_us = time.time() * 1e6
    guest.start()
    ready = hostd.wait_event("GuestReady", 120)
    failed = hostd.failures()
    lab.shut_down(hostd, guest, name)
    hostd.process.stop(10)
    if failed:
        raise RuntimeError(f"a device failed: {failed[0]}")
    return parts(ready, began_us)


def parts(ready, began_us):
    """The boot cut where the telemetry cuts it. On the host's clock but for PID 1's own part, which
    is known on the guest's; the two run at one speed."""
    accepted = (ready["host_accepted_us"] - began_us) / 1e3
    init = (ready["connected_ns"] - ready["started_ns"]) / 1e6
    modules = (ready["modules_ns"] - ready["started_ns"]) / 1e6
    configured = max(ready["host_mounts_ms"], ready["host_network_ms"])
    return {
        "QEMU, firmware, kernel, unpacking": accepted - init,
        "PID 1: modules (kernel code)": modules,
        "PID 1: the rest until connected": init - modules,
        "capabilities: arrive, answered": float(ready["host_capabilities_ms"]),
        "hostd, virtiofsd, QEMU: hot-plug": float(ready["host_devices_ms"] -
                                                  ready["host_capabilities_ms"]),
        "guest: probe, mount, configure": float(configured - ready["host_devices_ms"]),
        "total": accepted + configured,
    }


def measure(run, count):
    rows = [boot(run, number) for number in range(count)]
    medians = {key: round(statistics.median(row[key] for row in rows), 2) for key in rows[0]}
    return {"boots": count, "median_ms": medians,
            "part": {key: round(value / medians["total"], 4) for key, value in medians.items()}}


def table(result):
    yield f"medians of {result['boots']} boots"
    for key, value in result["median_ms"].items():
        yield f"{key:34} {value:10.1f} ms {result['part'][key] * 100:6.1f} %"
