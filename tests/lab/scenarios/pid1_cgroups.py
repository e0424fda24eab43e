"""Each program has a control group: bounds, signals and restarts reach all that it started; orphans wait for nobody."""

import struct
import time

import plain_host as ph
from show import need
from wait import wait_for

EINVAL = 22
SLEEPERS = "cat /proc/[0-9]*/comm 2>/dev/null | grep -c sleep"


def play(lab):
    guest = lab.guest("lab", "old", "cgroup_no_v1=all")
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    own(lab, host)
    signals(lab, host)
    bounds(lab, host)
    orphans(lab, host)
    restarts(lab, host)
    hang_up(lab, host)
    stop(lab, host)
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    host.close()
    without(lab, "cgroup_disable=memory", "memory_max")
    without(lab, "cgroup_disable=pids", "pids_max")
    without_all(lab)


def own(lab, host):
    for number, role, name in ((7, ph.COMMAND, "exec-7"), (8, ph.PAYLOAD, "payload")):
        status, words = host.run(number, "/bin/cat", "/proc/self/cgroup", role=role)
        need((status, words) == (0, f"0::/guestlink/{name}\n"), f"{status}: {words}")
    _, words = host.shell("ls /sys/fs/cgroup/guestlink | grep -c -e exec- -e payload")
    need(words == "1\n", f"groups of programs that ended stay: {words}")
    lab.say("each program is in a group of its own, which goes with it")


def signals(lab, host):
    script = "setsid sleep 1000 & setsid sh -c 'trap : TERM; sleep 1000 & wait; sleep 1000' & sleep 1000"
    for signal in (15, 9):
        need(host.do(ph.START_PROCESS, ph.process(10, ["/bin/sh", "-c", script]))[0] == 0, "start")
        wait_sleepers(host, lambda count: count >= 3)
        need(host.do(ph.SEND_SIGNAL, struct.pack("<III", 12, 10, signal))[0] == 0, "signal")
        # What is deaf to SIGTERM goes on, in a session of its own or not.
        wait_sleepers(host, lambda count: count <= (1 if signal == 15 else 0))
        host.wait_exit(10, count=1 if signal == 15 else 2)
        host.shell("killall -9 sleep")
        wait_sleepers(host, lambda count: count == 0)
    lab.say("SIGTERM and SIGKILL reach what called setsid()")


def wait_sleepers(host, holds):
    def probe():
        return holds(int(host.shell(SLEEPERS)[1] or 0))
    deadline = time.monotonic() + 60
    while not probe():
        need(time.monotonic() < deadline, f"sleepers: {host.shell(SLEEPERS)[1]}")
        host.settle(0.1)


def bounds(lab, host):
    status, words = host.run(20, "/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1",
                             memory_max=16 << 20)
    need(status == 137, f"64 MiB with memory_max of 16: {status}: {words}")
    status, words = host.run(21, "/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1")
    need(status == 0, f"without a bound: {status}: {words}")
    fork = "for i in 1 2 3 4 5 6; do sleep 1 & done; wait"
    status, words = host.run(22, "/bin/sh", "-c", fork, pids_max=4)
    need(status == 2 and "can't fork" in words, f"6 children with pids_max 4: {status}: {words}")
    status, words = host.run(23, "/bin/sh", "-c", fork)
    need(status == 0, f"without a bound: {status}: {words}")
    lab.say("memory_max and pids_max hold for the program that they are given to, and no other")


def orphans(lab, host):
    """What is told of a program whose orphans hold its pipes, and when."""
    for what, orphan in (("holds the pipe", "sleep 1000"), ("writes without end", "yes"),
                         ("writes now and then", "while :; do echo word; usleep 20000; done")):
        began = time.monotonic()
        status, words = host.shell(f"({orphan}) & dd if=/dev/zero bs=1k count=60 2>/dev/null",
                                   seconds=60)
        took = time.monotonic() - began
        need(status == 0 and words.count("\0") == 60 << 10, f"{what}: {status}: {len(words)} bytes")
        need(took < lab.seconds(13), f"{what}: told after {took:.1f} s")
        lab.say(f"an orphan that {what}: the exit was told after {took:.1f} s, {len(words)} bytes")
    host.shell("killall -9 sleep yes; for f in /proc/[0-9]*; do "
               "grep -q usleep $f/cmdline 2>/dev/null && kill -9 ${f#/proc/}; done; true")


def restarts(lab, host):
    """Each start leaves something in a session of its own that writes for ever."""
    script = "setsid sh -c 'while :; do echo left; usleep 1000; done' & sleep 1; exit 3"
    error, text = host.do(ph.START_PROCESS, ph.process(30, ["/bin/sh", "-c", script],
                                                       role=ph.PAYLOAD, restart=ph.ALWAYS))
    need(error == 0, text)
    host.wait_exit(30, seconds=60, count=3)
    ends = [e.exited_ns for e in host.exits if e.process == 30]
    need(all(after - before < 8 * 10**9 for before, after in zip(ends, ends[1:])),
         f"a start waited for what the last one left: {ends}")
    host.output.clear()
    _, words = host.shell("grep -l 'echo left' /proc/[0-9]*/cmdline 2>/dev/null | wc -l")
    need(int(words) <= 3, f"{words} processes of former starts are left")
    lab.say("a restart ends what the last start left, and waits for none of it")


def hang_up(lab, host):
    need(host.do(ph.START_PROCESS, ph.process(40, ["/bin/sh", "-c", "setsid sleep 1000 & sleep 1000"])
                 )[0] == 0, "start")
    wait_sleepers(host, lambda count: count >= 2)
    host.hang_up()
    host.serve()
    _, words = host.shell("for i in 1 2 3 4 5 6 7 8 9; do pidof sleep >/dev/null || break; "
                          "usleep 200000; done; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    need("sleep 1000 sleep" not in words, f"a command that nobody waits for goes on: {words}")
    lab.say("a command whose host is gone ends with all that it started")


def stop(lab, host):
    """A terminal's shell is deaf to SIGTERM, and does not last for the whole grace all the same."""
    error, text = host.do(ph.START_PROCESS, ph.process(50, ["/bin/sh", "-i"], flags=ph.TERMINAL))
    need(error == 0, text)
    def deaf():
        return host.shell("grep -l '^SigIgn:.*[4-7c-f]...$' /proc/[0-9]*/status 2>/dev/null")[1]
    wait_for("the shell to be deaf", lab.seconds(20), deaf, 0.2)
    need(host.do(ph.SHUT_DOWN, ph.shut_down(ph.POWER_OFF, 600000))[0] == 0, "shut-down")
    host.wait("FAREWELL", lambda: host.farewell, 30)
    need(host.farewell[2] == 0, f"{host.farewell[2]} programs needed SIGKILL")
    lab.say("a terminal's shell ended by SIGHUP")


def without(lab, words, what):
    """A kernel without a controller: said of what needs it; and a payload's stop."""
    guest = lab.guest(what.replace("_", "-"), "old", words)
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    error, text = host.do(ph.START_PROCESS, ph.process(1, ["/bin/true"],
                                                       **{what: 1 << 30}))
    need(error == EINVAL and f"{what} (cgroup2): Operation not supported" in text, f"{error}: {text}")
    lab.say(f"{words}: {text}")
    script = "trap 'echo quit; sleep 1; echo done; exit 4' QUIT; setsid sleep 1000 & echo up; " \
        "while :; do sleep 0.1; done"
    error, text = host.do(ph.START_PROCESS, ph.process(
        2, ["/bin/sh", "-c", script], role=ph.PAYLOAD, stop_signal=3, stop_timeout_ms=60000))
    need(error == 0, text)
    deaf = what == "pids_max"
    if deaf:  # another one, which is deaf to its signal
        host.do(ph.SEND_SIGNAL, struct.pack("<III", 12, 2, 9))
        host.wait_exit(2)
        error, text = host.do(ph.START_PROCESS, ph.process(
            3, ["/bin/sh", "-c", "trap '' USR1 TERM; echo up; while :; do sleep 0.1; done"], role=ph.PAYLOAD,
            stop_signal=10, stop_timeout_ms=500))
        need(error == 0, text)
    number = 3 if deaf else 2
    host.wait("the payload's word", lambda: b"up" in host.output.get(number, b""))
    need(host.do(ph.SHUT_DOWN, ph.shut_down(ph.POWER_OFF, 100))[0] == 0, "shut-down")
    ended = host.wait_exit(number)
    if deaf:
        need(ended.signal == 9, f"deaf to its stop signal: {vars(ended)}")
    else:
        need(ended.status == 4 and b"quit\ndone" in host.output[number],
             f"its own stop signal, and more time than all else: {vars(ended)}, {host.output[number]}")
    host.wait("FAREWELL", lambda: host.farewell)
    need(host.farewell[2] >= (1 if deaf else 0), f"{host.farewell}")
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    host.close()


def without_all(lab):
    """A kernel without the calls that made mounts movable (Linux 5.2), by which PID 1 reaches the
    groups: programs have none, and signals reach their process groups."""
    guest = lab.guest("none", "old", "lab_calls=428")
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    for what in ("memory_max", "pids_max"):
        error, text = host.do(ph.START_PROCESS, ph.process(1, ["/bin/true"], **{what: 1 << 30}))
        need(error != 0 and what in text, f"{what} without a group: {error}: {text}")
    lab.say(text)
    status, words = host.run(2, "/bin/cat", "/proc/self/cgroup")
    need(status == 0 and "0::/\n" in words, f"{status}: {words}")
    script = "sleep 1000 & setsid sleep 1000 & sleep 1000"
    need(host.do(ph.START_PROCESS, ph.process(3, ["/bin/sh", "-c", script]))[0] == 0, "start")
    wait_sleepers(host, lambda count: count >= 3)
    need(host.do(ph.SEND_SIGNAL, struct.pack("<III", 12, 3, 15))[0] == 0, "signal")
    wait_sleepers(host, lambda count: count == 1)
    need(host.wait_exit(3).signal == 15, "its own end")
    guest.wait_console("cannot use cgroup2: this kernel has none", lab.seconds(10))
    need(host.do(ph.SHUT_DOWN, ph.shut_down(ph.POWER_OFF, 5000))[0] == 0, "shut-down")
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    host.close()
