"""hostd runs out of file descriptors: it says so, rests, goes on, and works again when it has some."""

import os
import resource
import subprocess

from hostd import share
from show import need
from wait import wait_for

# How many descriptors it has left, from none to more than a share needs.
HEADROOM = range(0, 14)


def play(lab):
    guest, hostd = lab.serve()
    lab.wait_counting()
    pid = hostd.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    nothing_left(lab, hostd, before)
    added = [with_few(lab, hostd, left, before) for left in HEADROOM]
    need(added[-1], f"{HEADROOM[-1]} descriptors were not enough for a share")
    status, words = lab.control(hostd, "share", "add", "lab", "e",
                                share("e", lab.folder / "e", "/mnt/e")["path"], "/mnt/e")
    need(status == 0, f"share add with all descriptors: {status}: {words}")
    lab.wait_counting()
    lab.need_alive(hostd)
    lab.shut_down(hostd, guest)


def descriptors(pid):
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/fd"))


def leave(pid, left, before):
    """Sets the limit so that so many more can be opened: a new one takes the lowest free number."""
    free, used = -1, set(descriptors(pid))
    limit = 0
    while free < left:
        free += limit not in used
        limit += 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit - 1, before[1]))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def nothing_left(lab, hostd, before):
    """A caller waits, hostd says why and does not spin, and the caller is served in the end."""
    pid = hostd.process.pid
    leave(pid, 0, before)
    used = cpu_seconds(pid)
    caller = subprocess.Popen(hostd.ctl("list"), stdout=subprocess.PIPE, text=True)
    wait_for("hostd to say that it has none left", lab.seconds(10),
             lambda: "Too many open files" in hostd.log())
    lab.wait_counting()
    try:
        caller.wait(2)
        need(False, "a caller was served without a descriptor")
    except subprocess.TimeoutExpired:
        pass
    spent = cpu_seconds(pid) - used
    need(spent < 1, f"hostd spun: {spent:.1f} s of CPU time")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    words = caller.communicate(timeout=lab.seconds(20))[0]
    need(caller.returncode == 0 and "lab" in words, f"the caller: {caller.returncode}: {words}")
    told = hostd.log().count("Too many open files")
    need(told < 5, f"said {told} times")
    lab.say(f"none left: said {told} times, {spent:.2f} s of CPU time; then the caller was served")


def with_few(lab, hostd, left, before):
    """Tries to add a share; whatever becomes of it, nothing is left over once there are more."""
    pid = hostd.process.pid
    path = share("d", lab.folder / "d", "/mnt/d")["path"]
    open_before = len(descriptors(pid))
    leave(pid, left, before)
    caller = subprocess.Popen(hostd.ctl("share", "add", "lab", "d", path, "/mnt/d"),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        caller.wait(lab.seconds(2))
    except subprocess.TimeoutExpired:
        pass
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    words = caller.communicate(timeout=lab.seconds(40))[0].strip()
    need(hostd.process.alive(), f"hostd ended with {left} descriptors left")
    need(caller.returncode == 0 or words, f"{left} left: {caller.returncode}, and no word")
    status, reason = lab.control(hostd, "share", "remove", "lab", "d")
    need(status == 0 or caller.returncode != 0, f"{left} left: share remove: {status}: {reason}")
    wait_for(f"hostd to close what it opened ({left} left)", lab.seconds(20),
             lambda: len(descriptors(pid)) <= open_before)
    lab.say(f"share add with {left} left: {words or 'added'}")
    return caller.returncode == 0
