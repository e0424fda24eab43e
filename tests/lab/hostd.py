"""guestlink-hostd under test: its configuration, its process, its telemetry."""

import json
import os
import pathlib
import signal
import uuid

import paths
import vsock
from process import Process
from wait import patient, wait_for

# Debian 12 has it inside of QEMU's packages, later releases in a package of its own.
VIRTIOFSD = ("/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd")


def virtiofsd():
    for path in VIRTIOFSD:
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(f"no virtiofsd in {' or '.join(VIRTIOFSD)}")


def vm_settings(guest, name="lab", **more):
    """A VM's object in the configuration, for a guest of the lab; more adds and replaces keys."""
    settings = {
        "name": name,
        "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
        **guest.vsock.peer,
        "memory": f"{guest.memory_mib}M",
        "kernel": "custom",
        "swiotlb": "64M",
        "networking": "virtioproxy",
        "hostname": name,
        "device_host": {"type": "qemu", "qmp": str(guest.qmp), "virtiofsd": virtiofsd()},
    }
    settings.update(more)
    return settings


class Hostd:
    def __init__(self, folder, sockets, vms, within=(), **more):
        """folder: for logs; sockets: a folder with a short path; within: a command that it is
        started by; more adds to and replaces the top level's keys."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.telemetry_file = folder / "telemetry.jsonl"
        self.control = sockets / "control.sock"
        self.log_file = folder / "hostd.log"
        self.config_file = folder / "hostd.json"
        self.config = {
            "listen": vsock.VhostVsock.listen if vsock.provider() == "vhost" else [],
            "control": str(self.control),
            "state_dir": str(sockets / "state"),
            "telemetry": {"file": str(self.telemetry_file), "journal": False},
            # What a scenario does not say itself: a slow machine's.
            "timeouts_ms": {"connect": 300000, "capabilities": 150000, "device": 120000,
                            "network": 150000, "payload": 150000},
            "vms": vms,
            **more,
        }
        self.process = None
        self._within = list(within)

    def write_config(self):
        self.config_file.write_text(json.dumps(self.config, indent=2) + "\n")

    def start(self):
        """Starts it and waits until it answers on its control socket."""
        self.write_config()
        self.control.unlink(missing_ok=True)
        wrapper = os.environ.get("LAB_HOSTD_WRAPPER", "").split()
        self.process = Process(
            "guestlink-hostd",
            [*self._within, *wrapper, paths.program("guestlink-hostd"), "--config", self.config_file],
            self.log_file, die_with_lab=True)
        wait_for("hostd's control socket", patient(30),
                 lambda: self.control.exists() or self._ended())
        return self

    def reload(self):
        """Has it read what `config` says now."""
        self.write_config()
        self.process.kill(signal.SIGHUP)

    def _ended(self):
        if not self.process.alive():
            raise RuntimeError(f"guestlink-hostd ended with status {self.process.status()}: "
                               f"{self.log()}")

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def ctl(self, *words):
        """The argv of a guestlinkctl that speaks to this daemon."""
        return [str(paths.program("guestlinkctl")), "--socket", str(self.control), *words]

    def events(self, name=None, **fields):
        """The telemetry so far, oldest first: of this event, with these fields."""
        if not self.telemetry_file.exists():
            return []
        found = []
        # What is behind the last newline is still being written.
        for line in self.telemetry_file.read_text().rpartition("\n")[0].splitlines():
            event = json.loads(line)
            if (name is None or event["event"] == name) and \
                    all(event.get(key) == value for key, value in fields.items()):
                found.append(event)
        return found

    def failures(self, *kinds):
        """What failed of devices: shares and adapters, or the kinds that are named. A remark about
        one that works is not among it."""
        return [event for event in self.events("DeviceFailed")
                if event["error"] != 0 and event["kind"] in (kinds or ("share", "adapter"))]

    def wait_failure(self, seconds, *kinds):
        """Waits for the first of failures()."""
        return wait_for("telemetry event DeviceFailed", seconds,
                        lambda: (self.failures(*kinds)[:1] or [None])[0] or self._ended())

    def wait_event(self, name, seconds, count=1, **fields):
        """Waits for the count-th such event and returns it."""
        what = f"telemetry event {name}" + (f" with {fields}" if fields else "")
        return wait_for(what, seconds,
                        lambda: (self.events(name, **fields)[count - 1:count] or [None])[0]
                        or self._ended())


def share(tag, path, target, **more):
    """A share's object; the host's folder is made empty if it is not there."""
    pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    return {"tag": tag, "path": str(path), "target": target, **more}


def adapter(**more):
    return {"id": "eth0", "mac": "52:54:00:12:34:56", "address": ["10.0.2.15/24"],
            "gateway": "10.0.2.2", "dns": ["10.0.2.3"], "mtu": 1500, **more}
