"""A real guestlink-hostd in a folder of its own, and what a test wants to know of it."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid

START_WAIT = 10.0  # until its sockets are there
STOP_WAIT = 10.0


class Host:
    """Runs the daemon with one Unix socket for each VM. Every VM's device host is `none`."""

    def __init__(self, binary, names, handshake_timeout_ms=1000, limits=None):
        self.binary = str(pathlib.Path(binary).resolve())
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="glnk-"))
        self.process = None
        self.vms = {name: self.vm(name) for name in names}
        self.handshake_timeout_ms = handshake_timeout_ms
        self.rounds = 0  # for a case that tries at random
        self.limits = {"guest_events_per_s": 1000, "guest_events_burst": 2000, **(limits or {})}
        self.telemetry_file = self.folder / "telemetry.jsonl"
        self.stderr_file = self.folder / "stderr"
        self.anyone = str(self.folder / "anyone.sock")

    def vm(self, name, **more):
        return {
            "name": name,
            "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
            "socket": self.path(name),
            "memory": "512M",
            "swiotlb": "off",
            "device_host": {"type": "none"},
            **more,
        }

    def path(self, name):
        return str(self.folder / f"{name}_50000")

    def write_config(self):
        config = {
            "listen": ["unix:" + self.anyone],
            "control": str(self.folder / "control.sock"),
            "control_group": None,
            "state_dir": str(self.folder / "state"),
            "telemetry": {"file": str(self.telemetry_file), "journal": False},
            "handshake_timeout_ms": self.handshake_timeout_ms,
            "limits": self.limits,
            "vms": list(self.vms.values()),
        }
        path = self.folder / "config.json"
        path.write_text(json.dumps(config, indent=1), encoding="utf-8")
        return path

    def start(self):
        arguments = [self.binary, "--config", str(self.write_config())]
        with open(self.stderr_file, "ab") as stderr:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stderr=stderr)
        deadline = time.monotonic() + START_WAIT
        missing = [vm["socket"] for vm in self.vms.values()]
        while missing:
            missing = [path for path in missing if not os.path.exists(path)]
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"guestlink-hostd did not start:\n{self.stderr()}")
            time.sleep(0.02)
        return self

    def stop(self, how=signal.SIGTERM):
        """Ends the daemon. @return its exit status"""
        if self.process is None:
            return None
        self.process.send_signal(how)
        try:
            status = self.process.wait(STOP_WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = None
        self.process = None
        return status

    def clean(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stderr(self):
        return self.stderr_file.read_text(encoding="utf-8", errors="replace")

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.partition("VmRSS:")[2].split()[0])

    def events(self, name=None, vm=None):
        """Telemetry so far, of a name, of a VM."""
        if not self.telemetry_file.exists():
            return []
        lines = self.telemetry_file.read_text(encoding="utf-8").splitlines()
        events = [json.loads(line) for line in lines]
        return [
            event
            for event in events
            if name in (None, event["event"]) and vm in (None, event.get("vm"))
        ]

    def wait_for_event(self, name, vm=None, count=1, wait=5.0):
        """The newest event of that name once there are `count`; TimeoutError."""
        deadline = time.monotonic() + wait
        while True:
            events = self.events(name, vm)
            if len(events) >= count:
                return events[-1]
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(events)} of {count} events {name} of {vm}")
            time.sleep(0.02)


def connect(path):
    """A bare connection."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(10)
    connection.connect(path)
    return connection
