"""A process that the lab started: its words go to a file, and it never outlives the lab."""

import atexit
import ctypes
import os
import signal
import subprocess

from wait import TimedOut, patient, wait_for

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_running = []


def _die_with_the_lab():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    def __init__(self, name, argv, log, cwd=None, env=None, die_with_lab=True):
        self.name = name
        self.log = log
        self.argv = [str(word) for word in argv]
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd,
                env=env, preexec_fn=_die_with_the_lab if die_with_lab else None)
        _running.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def status(self):
        """The exit status, minus the signal that ended it, or None while it runs."""
        return self.popen.poll()

    def words(self):
        return self.log.read_text(errors="replace")

    def wait(self, seconds=patient(5)):
        """Waits for the end and returns the status."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimedOut(f"the end of {self.name} (pid {self.pid}): "
                           f"not within {seconds:g} s") from None

    def kill(self, number=signal.SIGKILL):
        if self.alive():
            self.popen.send_signal(number)

    def stop(self, seconds=patient(5)):
        """SIGTERM, and SIGKILL if that does not help in time; returns the status."""
        self.kill(signal.SIGTERM)
        try:
            return self.wait(seconds)
        except TimedOut:
            self.kill()
            return self.wait(patient(5))


def stop_all():
    """Ends whatever of ours still runs, the newest first."""
    while _running:
        process = _running.pop()
        process.kill()
        process.popen.wait()


atexit.register(stop_all)


def children_of(pid):
    """The pids of a process' children, by /proc."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                    after = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(after[1]) == pid:
                found.append(int(entry))
    return found


def pids_with(text):
    """The pids of the processes whose command line holds text: for what hostd started."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as line:
                    argv = line.read().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in argv:
                found.append(int(entry))
    return found


def command_of(pid):
    """"" for one that is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as words:
            return words.read()
    except OSError:
        return ""


def parent_of(pid):
    """0 for one that is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return int(stat.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def kill_pid(pid, number=signal.SIGKILL):
    """Sends a signal to a process that may have ended already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def wait_gone(what, pid, seconds):
    """Waits until there is no process of that pid (a zombie counts as gone)."""
    def gone():
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True
    wait_for(f"the end of {what} (pid {pid})", seconds, gone)
