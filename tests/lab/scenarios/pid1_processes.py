"""Programs: environment, user, terminal, restarts, signals, streams, full tables, and the end."""

import struct
import time

import plain_host as ph
from show import need
from wait import wait_for

EAGAIN, EEXIST, E2BIG, EINVAL, ENOENT, EACCES, ESRCH, EPIPE, EALREADY = \
    11, 17, 7, 22, 2, 13, 3, 32, 114
LOOK = """echo "$GREETING; $(pwd); $(id -u) $(id -g) $(id -G); $HOME; ${PATH:+path}"
env | grep -c -i -e swiotlb -e guestlink -e lab_
cut -d ' ' -f 3,5,6,7 </proc/self/stat
ls /proc/self/fd | tr '\\n' ' '; cat /proc/self/oom_score_adj"""


def play(lab):
    guest = lab.guest("lab", "old", "UNKNOWN=word other.word=1")
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    surroundings(lab, host)
    environment(lab, host)
    directory(lab, host)
    console(lab, host)
    refused(lab, host)
    streams(lab, host)
    slow_reader(lab, host)
    terminal(lab, host, guest)
    restarts(lab, host)
    signals(lab, host)
    logged(lab, guest)
    orphan_holds_pipe(lab, host)
    full(lab, host)
    calm(lab, host)
    end(lab, host, guest)


def surroundings(lab, host):
    status, words = host.run(1, "/bin/sh", "-c", LOOK, directory="/root", uid=1000, gid=1001,
                             environment=("GREETING=hello", "lab=x"))
    lines = words.splitlines()
    need(status == 0, f"{status}: {words}")
    need(lines[0] == "hello; /root; 1000 1001 1001; /; path", lines[0])
    need(lines[1] == "0", f"PID 1's own variables are in it: {words}")
    need(lines[3].split()[:4] == ["0", "1", "2", "3"] and lines[3].endswith(" 0"),
         f"open files, OOM score: {lines[3]}")
    status, words = host.run(1, "/bin/grep", "-e", "SigBlk", "-e", "SigIgn", "/proc/self/status")
    need(words.split()[1::2] == ["0" * 16] * 2, f"signals: {words}")
    lab.say(f"as asked: {lines[0]}")


def environment(lab, host):
    """All of it, as PROTOCOL.md and guestlink-init(8) say."""
    kernels = {"TERM=linux", "UNKNOWN=word"}
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    host.shell("mkdir -p /root")
    for more, expected in (
            ({}, {path, "HOME=/root", *kernels}),
            ({"uid": 1000}, {path, "HOME=/", *kernels}),
            ({"environment": ("PATH=/bin", "HOME=/x", "UNKNOWN=mine", "TERM=dumb", "A=b", "x.y=z")},
             {"PATH=/bin", "HOME=/x", "UNKNOWN=mine", "TERM=dumb", "A=b", "x.y=z"})):
        status, words = host.run(1, "env", **more)
        need(status == 0 and set(words.split()) == expected, f"{more}: {words.split()}")
    lab.say("the environment is the documents' own")


def directory(lab, host):
    """A user's own link does not let its program into a folder that the user cannot enter."""
    host.shell("mkdir -p /root/open; chmod 700 /root; mkdir -m 777 /tmp/own")
    status, words = host.run(1, "ln", "-s", "/root/open", "/tmp/own/work", uid=1000)
    need(status == 0, f"no link: {words}")
    error, text = host.do(ph.START_PROCESS, ph.process(
        1, ["/bin/ls"], uid=1000, directory="/tmp/own/work"))
    need(error == EINVAL and "working directory: Permission denied" in text, f"{error}: {text}")
    status, words = host.run(1, "/bin/pwd", directory="/tmp/own/work")
    need(status == 0 and words.strip() == "/root/open", f"root itself: {status}: {words}")
    host.shell("chmod 755 /root")
    lab.say(f"not entered by a link: {text}")


def console(lab, host):
    """What is typed on the console is for the program whose terminal it is."""
    for flags, mode in ((0, "1"), (ph.TERMINAL, "2")):
        host.run(1, "/bin/sh", "-c", "grep flags /proc/self/fdinfo/2 >/tmp/flags", flags=flags)
        _, words = host.shell("cat /tmp/flags")
        need(words.strip().endswith(mode), f"flags {flags}: standard error has {words}")
    lab.say("only a program with a terminal can read the console")


def refused(lab, host):
    def start(expected, number, argv, word="", **more):
        error, text = host.do(ph.START_PROCESS, ph.process(number, argv, **more))
        need(error == expected and word in text, f"{argv}, {more}: {error}: {text}")
        return text
    texts = [start(ENOENT, 2, ["no-such-program"], "exec"),
             start(EACCES, 3, ["/etc/guestlink/modules"], "exec"),
             start(EINVAL, 4, ["/bin/true"], "working directory: No such file", directory="/nowhere")]
    start(EINVAL, 5, [])
    start(EINVAL, 0, ["/bin/true"])
    start(EINVAL, 5, ["/bin/true"], environment=("NO_EQUALS",))
    start(EINVAL, 5, ["/bin/true"], role=7)
    start(EINVAL, 5, ["/bin/true"], restart=ph.ALWAYS)
    start(E2BIG, 5, ["/bin/true"] + [""] * 32600)  # a frame has room for a few more than PID 1
    start(EACCES, 5, ["/bin"])
    need(not {exited.process for exited in host.exits} & {0, 2, 3, 4, 5},
         "an exit of what never began")
    lab.say("; ".join(texts))


def input_of(process, data):
    return struct.pack("<IIHH", 12, process, len(data), 0) + data


def slow_reader(lab, host):
    """Input is answered when the program took it, and not before; or when it never will."""
    for number, then, error in ((12, "touch /tmp/go", 0), (13, "kill -9 $(pidof sleep)", EPIPE)):
        script = "exec sleep 1000"
        if error == 0:
            script = "while [ ! -e /tmp/go ]; do sleep 0.1; done; exec cat"
        host.do(ph.START_PROCESS, ph.process(number, ["/bin/sh", "-c", script],
                                             flags=ph.OUTPUT | ph.INPUT))
        chunk = input_of(number, bytes(16384))
        for _ in range(4):  # a pipe's 64 KiB
            need(host.do(ph.PROCESS_INPUT, chunk)[0] == 0, "input that the pipe has room for")
        waiting = host.ask(ph.PROCESS_INPUT, chunk)
        need(host.do(ph.PROCESS_INPUT, chunk)[0] == EAGAIN, "one more than may be outstanding")
        host.settle(1)
        need(waiting not in host.answers, "input is answered before it is taken")
        host.shell(then)
        need(host.result(waiting)[0] == error, f"{then}: not answered {error}")
    need(host.do(ph.PROCESS_INPUT, input_of(12, b""))[0] == 0, "the end of the input")
    need(host.wait_exit(12).status == 0 and host.wait_exit(13).status == 137, "other ends")
    need(len(host.output.pop(12)) == 5 * 16384, "bytes lost")
    lab.say("input is answered when it is taken, or never will be")


def streams(lab, host):
    error, text = host.do(ph.START_PROCESS, ph.process(10, ["/bin/sh", "-c", "cat; echo e >&2"],
                                                       flags=ph.OUTPUT | ph.INPUT))
    need(error == 0, text)
    def feed(data):
        return host.do(ph.PROCESS_INPUT, input_of(10, data))
    sent = 0
    for number in range(40):
        data = bytes([number]) * 16384
        need(feed(data)[0] == 0, "input")
        sent += len(data)
    need(feed(b"")[0] == 0, "the end of the input")
    need(feed(b"x")[0] in (EPIPE, ESRCH), "input behind its end")
    need(host.wait_exit(10).status == 0 and host.ended[10] == 2, "not both streams ended")
    need(host.output[10].count(b"\x07") == 16384 and len(host.output[10]) == sent + 2, "bytes lost")
    lab.say(f"{sent} bytes in and out again, in order")
    host.ask(ph.START_PROCESS, ph.process(11, ["/bin/cat", "/dev/zero"]))
    host.wait("output", lambda: len(host.output.get(11, b"")) > 1 << 20)
    time.sleep(1)  # nobody reads: PID 1's room for output is full
    need(host.do(ph.PING)[0] == 0, "ping")
    host.do(ph.SEND_SIGNAL, struct.pack("<III", 12, 11, 9))
    need(host.wait_exit(11).status == 137, "it did not die of SIGKILL")
    host.output.clear()
    lab.say("endless output with nobody reading: PID 1 answers")


def terminal(lab, host, guest):
    status, words = host.run(20, "/bin/sh", "-c", "tty >/tmp/tty; stty -a </dev/tty >>/tmp/tty 2>&1",
                             flags=ph.TERMINAL)
    status, words = host.shell("cat /tmp/tty")
    need(words.startswith("/dev/console\n") and "speed" in words, f"{status}: {words}")
    host.run(21, "/bin/echo", "this goes to the console", flags=0)
    guest.wait_console("^this goes to the console", lab.seconds(5))
    lab.say("it has the console as its terminal, with job control")


# Fails three times and then ends well; ends well three times and then stays, deaf to SIGTERM.
COUNT = "n=$(cat /tmp/{0} 2>/dev/null || echo 0); echo $((n + 1)) >/tmp/{0}; "
FAILING = COUNT.format("failing") + "test $n -ge 3"
STAYING = COUNT.format("staying") + "test $n -lt 3 || { trap '' TERM; while :; do sleep 1; done; }"


def restarts(lab, host):
    for number, restart, script in ((30, ph.ON_FAILURE, FAILING), (31, ph.ALWAYS, STAYING)):
        error, text = host.do(ph.START_PROCESS, ph.process(
            number, ["/bin/sh", "-c", script], role=ph.PAYLOAD, restart=restart))
        need(error == 0, text)
        host.wait_exit(number, count=2)
        error, text = host.do(ph.START_PROCESS, ph.process(39, ["/bin/true"], role=ph.PAYLOAD))
        need(error == EALREADY, f"another payload: {error}: {text}")
        host.wait_exit(number, count=4 if restart == ph.ON_FAILURE else 3)
        ends = [e for e in host.exits if e.process == number]
        pauses = [e.again_ms for e in ends]
        expected = [100, 200, 400] + ([ph.NOT_AGAIN] if restart == ph.ON_FAILURE else [])
        need(pauses == expected, f"pauses {pauses}")
        need([e.restarts for e in ends] == list(range(len(ends))), "restarts are not counted")
        for before, after in zip(ends, ends[1:]):
            need(after.exited_ns - before.exited_ns >= before.again_ms * 1000000, "too early")
        lab.say(f"restart={restart}: statuses {[e.status for e in ends]}, pauses {pauses} ms")


def signals(lab, host):
    for number, signal in enumerate((1, 2, 15, 10, 64), 40):
        need(host.do(ph.START_PROCESS, ph.process(number, ["/bin/sleep", "1000"]))[0] == 0, "sleep")
        error, text = host.do(ph.SEND_SIGNAL, struct.pack("<III", 12, number, signal))
        need(error == 0, text)
        ended = host.wait_exit(number)
        need((ended.signal, ended.status) == (signal, 128 + signal), f"{vars(ended)}")
    for number, signal, expected in ((40, 15, ESRCH), (31, 0, EINVAL), (31, 65, EINVAL),
                                     (0, 9, ESRCH), (1 << 31, 9, ESRCH)):
        error, text = host.do(ph.SEND_SIGNAL, struct.pack("<III", 12, number, signal))
        need(error == expected, f"signal {signal} to process {number}: {error}: {text}")
    lab.say("signals 1, 2, 15, 10 and 64 were sent and reported; bad ones refused")


def logged(lab, guest):
    """Every end is in the kernel's log, with its cause."""
    for text in (r"payload 30 \(pid \d+\): exit status 1",
                 r"command 42 \(pid \d+\): killed by signal 15"):
        guest.wait_console(f"guestlink-init: {text}", lab.seconds(5))
    lab.say("exits, signals and restarts are in the kernel's log")


def orphan_holds_pipe(lab, host):
    began = time.monotonic()
    status, words = host.shell("(sleep 1000 &) ; echo done")
    took = time.monotonic() - began
    need((status, words) == (0, "done\n") and took < lab.seconds(5), f"{took:.1f} s: {words}")
    lab.say(f"a grandchild holds the pipe open: the exit was told after {took:.1f} s")
    status, words = host.shell("yes & echo done", seconds=60)
    need(status == 0 and "done" in words, f"{status}: {words[:40]}")
    # A pipe holds 1 MiB at most; what was written before the exit came besides.
    need(len(words) < 3 << 19, f"{len(words)} bytes were awaited")
    lab.say(f"one writes without end: the exit was told after {len(words)} bytes")


def full(lab, host):
    """More processes than PID 1 keeps track of."""
    asked = [host.ask(ph.START_PROCESS, ph.process(200 + n, ["/bin/sleep", "1000"], flags=0))
             for n in range(70)]
    errors = [host.result(number)[0] for number in asked]
    need(errors.count(0) == 63 and errors.count(EAGAIN) == 7, f"{errors}")
    error, text = host.do(ph.START_PROCESS, ph.process(200, ["/bin/true"]))
    need(error == EEXIST, f"a number in use: {error}: {text}")
    need(host.do(ph.PING)[0] == 0, "ping")
    for n in range(63):
        host.ask(ph.SEND_SIGNAL, struct.pack("<III", 12, 200 + n, 9))
    for n in range(63):
        host.wait_exit(200 + n)
    host.need_alive()
    status, words = host.shell("ls /proc/1/fd | wc -l; grep -c . /proc/1/maps")
    lab.say(f"64 processes at once and 7 refused; afterwards PID 1 has {words.split()[0]} files "
            f"open ({status})")
    need(int(words.split()[0]) <= 14, "PID 1 keeps files open")


# What time it is, and when each began that is deaf to SIGTERM: the payload and its child.
AGE = """cut -d ' ' -f 1 /proc/uptime
for status in $(grep -l '^SigIgn:.*4...$' /proc/[0-9]*/status); do
    cut -d ' ' -f 22 ${status%us}
done 2>/dev/null"""


def calm(lab, host):
    """A payload that ran for 10 s before it ended is started again as if for the first time."""
    def old_enough():
        now, *began = host.shell(AGE)[1].split()
        return began and float(now) - min(map(int, began)) / 100 > 11
    wait_for("the payload to have run for 11 s", lab.seconds(20), old_enough, 0.5)
    host.do(ph.SEND_SIGNAL, struct.pack("<III", 12, 31, 9))
    ended = host.wait_exit(31, count=4)
    need((ended.signal, ended.again_ms) == (9, 100), f"{vars(ended)}")
    lab.say("a payload that ran for 10 s: the pause is 100 ms again")
    wait_for("the payload to be deaf again", lab.seconds(20), lambda: host.shell(
        "grep -l '^SigIgn:.*4...$' /proc/[0-9]*/status")[1], 0.2)


def end(lab, host, guest):
    """The payload is deaf to SIGTERM: SIGKILL comes in time, and asking again moves nothing."""
    began = time.monotonic()
    need(host.do(ph.SHUT_DOWN, ph.shut_down(ph.POWER_OFF, 5000))[0] == 0, "shut-down")
    host.settle(0.3)
    error, text = host.do(ph.SHUT_DOWN, ph.shut_down(ph.REBOOT, 60000))
    need((error, text) == (0, "already in progress"), f"asked again: {error}: {text}")
    error, text = host.do(ph.START_PROCESS, ph.process(900, ["/bin/true"]))
    need(error == 108, f"a process while it ends: {error}: {text}")
    need(host.do(ph.PING)[0] == 0, "ping")
    host.wait("FAREWELL", lambda: host.farewell)
    took = time.monotonic() - began
    how, reason, killed, mounted = host.farewell
    need((how, reason, mounted) == (ph.POWER_OFF, 0, 0) and killed >= 1, f"{host.farewell}")
    need(4.9 < took < lab.seconds(8), f"the farewell came after {took:.1f} s")
    need(host.wait_exit(31, count=5).signal == 9, "the payload did not die of SIGKILL")
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    lab.say(f"ended after {took:.1f} s; {killed} needed SIGKILL; asking again changed nothing")
