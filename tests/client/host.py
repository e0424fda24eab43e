"""A real guestlink-hostd in a folder of its own, and what a test wants to know of it."""

import contextlib
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

WAIT = 60.0  # seconds for what must come: it does in milliseconds, but not on every machine


class TooSlow(Exception):
    """What had to be done before a deadline of the daemon's was not: nothing is known of it."""


def wait_until(what, probe, wait=WAIT):
    """Until probe() is true; TimeoutError says what did not come. @return what probe() returned"""
    deadline = time.monotonic() + wait
    while not (got := probe()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {wait:.0f} s")
        time.sleep(0.02)
    return got


class Host:
    """Runs the daemon with one Unix socket for each VM. Every VM's device host is `none`.

    It waits for a handshake as long as a test waits for anything: a guest that is played slowly is
    not one that is silent. impatient() is for tests of that deadline."""

    def __init__(self, binary, names, handshake_timeout_ms=int(WAIT * 1000), limits=None):
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
        self._telemetry = []  # the events of the file's first _read bytes
        self._read, self._inode = 0, None

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
        """Starts the daemon, and waits until it says that it is ready."""
        arguments = [self.binary, "--config", str(self.write_config())]
        path = str(self.folder / "ready")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
            notices.bind(path)
            notices.settimeout(0.1)
            with open(self.stderr_file, "ab") as stderr:
                self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stderr=stderr,
                                                env={**os.environ, "NOTIFY_SOCKET": path})
            try:
                wait_until("READY=1", lambda: self._is_ready(notices))
            except TimeoutError as error:
                raise RuntimeError(f"guestlink-hostd is not ready:\n{self.stderr()}") from error
            finally:
                os.unlink(path)
        return self

    def _is_ready(self, notices):
        if self.process.poll() is not None:
            raise RuntimeError(f"guestlink-hostd did not start:\n{self.stderr()}")
        with contextlib.suppress(socket.timeout):
            return b"READY=1" in notices.recv(4096)
        return False

    def stop(self, how=signal.SIGTERM):
        """Ends the daemon. @return its exit status"""
        if self.process is None:
            return None
        self.process.send_signal(how)
        try:
            status = self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = None
        self.process = None
        return status

    def clean(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stderr_of(self, vm):
        """What was said of one VM."""
        return "\n".join(line for line in self.stderr().splitlines() if f"vm {vm}: " in line)

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
        with contextlib.suppress(FileNotFoundError), open(self.telemetry_file, "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_ino != self._inode or status.st_size < self._read:  # another file
                self._telemetry, self._read, self._inode = [], 0, status.st_ino
            file.seek(self._read)
            lines, newline, _ = file.read().rpartition(b"\n")  # the last may still be written
            self._read += len(lines + newline)
            self._telemetry += [json.loads(line) for line in lines.splitlines()]
        return [
            event
            for event in self._telemetry
            if name in (None, event["event"]) and vm in (None, event.get("vm"))
        ]

    def wait_for_event(self, name, vm=None, count=1):
        """The newest event of that name once there are `count`; TimeoutError."""
        wait_until(f"{count} events {name} of {vm}", lambda: len(self.events(name, vm)) >= count)
        return self.events(name, vm)[-1]

    @contextlib.contextmanager
    def in_time(self):
        """What is done here is to be done before the time of a handshake is over; TooSlow if it
        was not, whatever came of it."""
        end = time.monotonic() + 0.8 * self.handshake_timeout_ms / 1000
        try:
            yield
        except Exception as error:
            if time.monotonic() > end:
                raise TooSlow() from error
            raise
        if time.monotonic() > end:
            raise TooSlow()


def impatient(host, play, names=("one", "two"), limits=None):
    """Calls play() with a daemon of its own that gives a handshake one second; if this machine is
    too slow for that (in_time()), with others that give more."""
    for seconds in (1, 4, 16, 60):
        daemon = Host(host.binary, names, seconds * 1000, limits)
        try:
            daemon.start()
            play(daemon)
            if daemon.stop() != 0:
                raise AssertionError(f"the daemon did not end well:\n{daemon.stderr()[-4000:]}")
            return
        except TooSlow:
            if seconds == 60:
                raise
        finally:
            daemon.clean()


def connect(path):
    """A bare connection."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(WAIT)
    connection.connect(path)
    return connection
