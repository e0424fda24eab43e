"""Guests that mean harm: none of them may cost another guest, or the daemon, anything."""

import contextlib
import itertools
import os
import random
import select
import socket
import subprocess
import sys
import time

import guestlink_guest as g
from cases_boot import WITH_DEVICES
from cases_control import Call
from cases_wire import VECTORS, check, check_ping, check_welcome, read_vector
from guestlink_guest import Guest
from host import WAIT, Host, connect, impatient, wait_until

VMS = {"mutated_frames_never_end_the_daemon": WITH_DEVICES,
       "what_nobody_sees_reaches_nobody": WITH_DEVICES}
SILENT = 1000
FLOOD = 20000


def other(host, vm="two"):
    """A good guest on a VM of its own, to be asked whether it still is served."""
    guest = Guest(host.path("one"), facts={"kernel_release": f"6.1-{len(vm)}"})
    check_welcome(guest.greet())
    return guest


def wait_closed(connections, wait=WAIT, meanwhile=lambda: None):
    """How many of these sockets the daemon has closed within the wait."""
    poll = select.poll()
    alive = {connection.fileno(): connection for connection in connections}
    for descriptor in alive:
        poll.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + wait
    while alive and time.monotonic() < deadline:
        meanwhile()
        for descriptor, _ in poll.poll(100):
            try:
                ended = not alive[descriptor].recv(65536)
            except ConnectionResetError:
                ended = True
            if ended:
                poll.unregister(descriptor)
                del alive[descriptor]
    return len(connections) - len(alive)


def case_unknown_vm_is_refused(host, _vm):
    """A socket that belongs to no VM: its guests are known to nobody."""
    with Guest(host.anyone) as guest:
        check_welcome(guest.greet(), 2)
        check(guest.is_closed(), "refused and not closed")
    with Guest(host.anyone) as guest:  # and whatever they say
        check_welcome(guest.take_welcome(guest.send(g.CAPABILITIES, payload=b"\xff" * 9)), 2)


def case_new_connection_replaces_the_old_one(host, vm):
    with Guest(host.path(vm)) as first:
        check_welcome(first.greet())
        check_ping(first)
        with Guest(host.path(vm)) as second:
            check_ping(first)  # not before its CAPABILITIES are accepted
            check_welcome(second.greet())
            check(first.is_closed(), "two accepted connections of one VM")
            check_ping(second)


def case_connection_that_is_refused_disturbs_nobody(host, vm):
    with Guest(host.path(vm)) as first:
        check_welcome(first.greet())
        for bad in ({"major": 2}, {"kernel_release": "a\nb"}):
            with Guest(host.path(vm), facts=bad) as second:
                check_welcome(second.greet(), 1 if "major" in bad else 3)
        with Guest(host.path(vm)) as second:
            second.send_bytes(b"GET / HTTP/1.0\r\n\r\n")
            check(second.is_closed(), "HTTP")
        with Guest(host.path(vm)):
            check_ping(first)
        check_ping(first)


def drip(connection, data, pause):
    """Sends byte by byte until the other side closes. @return whether it did before the last"""
    for byte in data:
        try:
            connection.sendall(bytes([byte]))
        except (BrokenPipeError, ConnectionResetError):
            return True
        if wait_closed([connection], pause):
            return True
    return False


def case_handshake_ends_in_its_time_however_it_is_spent(host, _vm):
    """In silence, or dripping in; a guest that was accepted before may be silent for longer."""
    frame = g.frame_bytes(g.CAPABILITIES, 0, 1, g.encode(g.CAPABILITIES, {"major": 1}))

    def play(daemon):
        timeout = daemon.handshake_timeout_ms / 1000
        with daemon.in_time():
            good = other(daemon)
        start = time.monotonic()
        with good, connect(daemon.path("two")) as silent, connect(daemon.path("two")) as dripping:
            check(drip(dripping, frame, timeout / 20), "a drip has as long as it likes")
            took = time.monotonic() - start
            check(wait_closed([silent]) == 1, "a silent connection stayed")
            check(took >= timeout * 0.9, f"closed after {took:.2f} s of {timeout} s")
            daemon.wait_for_event("HandshakeTimeout", "two", count=2)
            check_ping(good)

    impatient(host, play)


# What programs without privilege say that would keep a guest's PID 1 out of its own socket.
CROWDS = {
    "nothing": b"",
    "one byte": b"G",
    "another byte": b"\0",
    "half a header": g.frame_bytes(g.CAPABILITIES, 0, 1)[:8],
    "half a frame": g.frame_bytes(g.CAPABILITIES, 0, 1, bytes(176))[:100],
    "another version": g.frame_bytes(g.CAPABILITIES, 0, 1, b"\x08\0\0\0\x02\0\0\0"),
}


def case_crowd_keeps_no_guest_out(host, vm):
    """Each of them takes all places that the VM has, and would keep them for a minute."""
    for what, words in CROWDS.items():
        with contextlib.ExitStack() as stack:
            crowd = [stack.enter_context(connect(host.path(vm))) for _ in range(200)]
            for connection in crowd:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(words)
            for _ in range(3):
                with Guest(host.path(vm)) as guest:
                    try:
                        check_welcome(guest.greet())
                    except (AssertionError, g.Closed, OSError) as error:
                        raise AssertionError(f"kept out by a crowd that says {what}") from error
                    check_ping(guest)
                    crowd.append(stack.enter_context(connect(host.path(vm))))


# Connects as often as it can, says a byte each, and keeps as many as it may; until it is ended.
STORM = """
import socket, sys
kept = []
while True:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(sys.argv[1])
        connection.send(b"G")
    except OSError:
        pass
    kept.append(connection)
    if len(kept) > 500:
        kept.pop(0).close()
"""


@contextlib.contextmanager
def storm(path, programs=4):
    """That many programs that do nothing else."""
    with contextlib.ExitStack() as stack:
        for _ in range(programs):
            process = stack.enter_context(
                subprocess.Popen([sys.executable, "-c", STORM, path], stderr=subprocess.DEVNULL))
            stack.callback(process.kill)
        yield


def greet_in_a_storm(path):
    """As PID 1 does: it calls again after a refusal or an end. @return how often it called"""
    deadline = time.monotonic() + WAIT
    for calls in itertools.count(1):
        try:
            with Guest(path) as guest:
                check_welcome(guest.greet())
                check_ping(guest)
            return calls
        except (AssertionError, g.Closed, OSError):
            check(time.monotonic() < deadline, f"kept out of {calls} calls")
            time.sleep(0.05)


def case_storm_of_calls_keeps_no_guest_out(host, vm):
    before = len(host.events("ProtocolError", vm))
    with other(host, vm) as good, storm(host.path(vm)):
        wait_until("storm", lambda: len(host.events("ProtocolError", vm)) > before)
        for _ in range(10):
            greet_in_a_storm(host.path(vm))
            check_ping(good)


def case_vms_that_are_loud_keep_no_other_out(host, _vm):
    """Together they may fill what all VMs have."""
    names = [f"vm{i}" for i in range(8)]

    def play(daemon):
        with contextlib.ExitStack() as stack:
            with daemon.in_time():
                for _ in range(5):
                    for name in names[1:] * 32:
                        stack.enter_context(connect(daemon.path(name)))
                    with Guest(daemon.path("vm0")) as guest:
                        check_welcome(guest.greet())
                        check_ping(guest)

    impatient(host, play, names, {"connections": 16, "connections_per_vm": 32})


def case_accepted_guests_over_the_limit_are_told(host, _vm):
    """Whoever is served is not disturbed: the one that comes last is told that there is no room."""
    names = [f"vm{i}" for i in range(4)]

    def play(daemon):
        with contextlib.ExitStack() as stack:
            with daemon.in_time():
                served = [stack.enter_context(Guest(daemon.path(name))) for name in names[1:]]
                for guest in served:
                    check_welcome(guest.greet())
                with Guest(daemon.path("vm0")) as guest:
                    check_welcome(guest.greet(), 4)
                for guest in served:
                    check_ping(guest)

    impatient(host, play, names, {"connections": 3})


def wait_for_descriptors(daemon, before):
    wait_until("descriptors closed", lambda: daemon.descriptors() <= before + 2)


def case_thousand_connections_that_say_nothing(host, _vm):
    def play(daemon):
        descriptors = daemon.descriptors()
        with daemon.in_time():
            good = other(daemon)
        with good, contextlib.ExitStack() as stack:
            silent = [stack.enter_context(connect(daemon.path("three"))) for _ in range(SILENT)]
            check_ping(good)
            with daemon.in_time(), Guest(daemon.path("two")) as guest:  # it is not kept out
                check_welcome(guest.greet())
            gone = wait_closed(silent)
            check(gone == SILENT, f"{gone} of {SILENT} were closed")
            check_ping(good)
        with daemon.in_time(), Guest(daemon.path("three")) as guest:
            check_welcome(guest.greet())
        wait_for_descriptors(daemon, descriptors)

    impatient(host, play, ("one", "two", "three"))


def case_thousand_silent_handshakes_at_one_time(host, _vm):
    """Nothing is over a limit here: the daemon holds all of them until their time is over."""
    names = [f"vm{i}" for i in range(SILENT // 50 + 1)]

    def play(crowd):
        before = crowd.resident_kib()
        with contextlib.ExitStack() as stack:
            with crowd.in_time():
                silent = [stack.enter_context(connect(crowd.path(name)))
                          for name in names[1:] for _ in range(50)]  # fmt: skip
                with Guest(crowd.path("vm0")) as guest:
                    check_welcome(guest.greet())
                    check_ping(guest)
                check(wait_closed(silent, 0.05) == 0, "closed before their time")
                each = (crowd.resident_kib() - before) / SILENT
            check(each < 8, f"{each:.1f} KiB for each silent connection")
            gone = wait_closed(silent)
            check(gone == SILENT, f"{gone} of {SILENT} were closed")

    impatient(host, play, names, {"connections": 4096, "connections_per_vm": 64})


def case_strangers_keep_no_guest_out(host, _vm):
    """Whoever belongs to no VM is refused anyway, and must not use up what guests need."""

    def play(small):
        with contextlib.ExitStack() as stack:
            with small.in_time():
                strangers = [stack.enter_context(connect(small.anyone)) for _ in range(300)]
                for name in ("one", "two"):
                    with Guest(small.path(name)) as guest:
                        check_welcome(guest.greet())
                        check_ping(guest)
            check(wait_closed(strangers) == 300, "strangers stayed")
            with small.in_time(), Guest(small.anyone) as guest:
                check_welcome(guest.greet(), 2)

    impatient(host, play, limits={"connections": 64})


def case_half_frames_of_many_are_bounded(host, _vm):
    """Each announces 64 KiB and sends all but a byte of it."""
    part = g.frame_bytes(g.CAPABILITIES, 0, 1, bytes(65536))[:-1]

    def play(daemon):
        with daemon.in_time():
            good = other(daemon)
        with good, contextlib.ExitStack() as stack:
            sizes, connections = [daemon.resident_kib()], []
            for _ in range(64):
                connection = stack.enter_context(connect(daemon.path("two")))
                connection.setblocking(False)
                with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                    connection.send(part)
                connections.append(connection)
            check_ping(good)
            gone = wait_closed(connections, WAIT, lambda: sizes.append(daemon.resident_kib()))
            check(gone == 64, "half frames kept their connections")
            grown = max(sizes) - sizes[0]
            check(grown < 16384, f"{grown} KiB more")
            check_ping(good)

    impatient(host, play)


def case_half_closed_handshake_ends(host, vm):
    with connect(host.path(vm)) as connection:
        connection.sendall(g.frame_bytes(g.CAPABILITIES, 0, 1)[:10])
        connection.shutdown(socket.SHUT_WR)
        check(wait_closed([connection]) == 1, "half-closed and kept")


def case_half_closed_guest_is_gone_and_may_come_back(host, vm):
    boot = os.urandom(16)
    with Guest(host.path(vm), boot) as guest:
        check_welcome(guest.greet())
        guest.socket.shutdown(socket.SHUT_WR)
        check(guest.is_closed(), "half-closed and kept")
    with Guest(host.path(vm), boot) as guest:
        check_welcome(guest.greet())
        check_ping(guest)
    with Guest(host.path(vm), boot) as guest:
        check_welcome(guest.greet())
        guest.socket.shutdown(socket.SHUT_RD)  # the other half: its end comes with the close
        time.sleep(0.1)
    with Guest(host.path(vm), boot) as guest:
        check_welcome(guest.greet())


def case_flood_of_pings_is_answered_to_who_reads(host, vm):
    with Guest(host.path(vm)) as guest, other(host, vm) as good:
        check_welcome(guest.greet())
        guest.next_id = 1000
        for start in range(0, FLOOD, 500):
            ids = [guest.new_id() for _ in range(500)]
            guest.send_bytes(b"".join(g.frame_bytes(g.PING, 0, ident) for ident in ids))
            for ident in ids:
                guest.receive_answer(ident)
            if start % 5000 == 0:
                check_ping(good)
        check_ping(good)


def case_guest_that_does_not_read_is_closed(host, vm):
    before = host.resident_kib()
    with Guest(host.path(vm)) as guest, other(host, vm) as good:
        check_welcome(guest.greet())
        block = g.frame_bytes(g.PING, 0, 5) * 1000
        try:
            for _ in range(2000):
                guest.socket.sendall(block)
            raise AssertionError("2000000 answers were held, or thrown away")
        except (BrokenPipeError, ConnectionResetError):
            pass
        except socket.timeout as error:
            raise AssertionError("the daemon neither reads nor closes") from error
        check_ping(good)
    host.wait_for_event("GuestDisconnected", vm)
    grown = host.resident_kib() - before
    check(grown < 4096, f"{grown} KiB more")


def case_flood_of_events_is_bounded_in_telemetry(host, vm):
    rate, burst = (host.limits["guest_events_" + name] for name in ("per_s", "burst"))
    start = time.monotonic()
    with Guest(host.path(vm)) as guest, other(host, vm) as good:
        check_welcome(guest.greet())
        record = g.frame_bytes(g.LOG_RECORD, 0, 0, g.encode(g.LOG_RECORD, {"text": "x" * 200}))
        for _ in range(20):
            guest.send_bytes(record * 1000)
        check_ping(guest)
        check_ping(good)
    took = time.monotonic() - start

    def count():
        dropped = sum(event["count"] for event in host.events("EventsDropped", vm))
        return len(host.events("GuestLog", vm)), dropped

    wait_until("20000 records told or counted", lambda: sum(count()) >= 20000)
    lines, most = count()[0], burst + rate * (took + 1)
    check(lines <= most, f"{lines} of 20000 records are in telemetry, expected {most:.0f}")


def shout(path, data):
    """A connection that sends that and is gone, or closed for it."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError), connect(path) as connection:
        connection.sendall(data)
        connection.recv(64)


def stuff(path):
    """A guest that is accepted, and reads nothing of what it has the daemon say."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, g.Closed), Guest(path) as guest:
        guest.greet()
        while True:
            guest.send_bytes(g.frame_bytes(g.PING, 0, 5) * 4000)


def end_well(guest):
    """What a guest says whose payload dies."""
    for message_type, fields in (
        (g.POOL_EXHAUSTED, {"count": 1, "used": 2, "total": 3}),
        (g.CHILD_EXITED, {"process": 1, "status": 3, "pid": 5, "again_ms": g.NOT_AGAIN}),
        (g.FAREWELL, {"how": 0}),
    ):
        guest.receive_answer(guest.send(message_type, fields))


FLOODS = {
    "one byte": lambda path: shout(path, b"x"),
    "garbage": lambda path: shout(path, os.urandom(64)),
    "too long a frame": lambda path: shout(path, b"GLNK\1\0\0\0\xff\xff\xff\xff\1\0\0\0"),
    "not a report": lambda path: shout(path, g.frame_bytes(g.CAPABILITIES, 0, 1, b"\xff" * 200)),
    "nothing": lambda path: connect(path).close(),
}


def case_no_flood_mutes_a_guest_or_another(host, _vm):
    """With the limits that an operator has who sets none: what counts of a guest is told, though
    every kind of line is caused without end; and the lines are no more than a bound."""
    daemon = Host(host.binary, ("one", "two"),
                  limits={"guest_events_per_s": 10, "guest_events_burst": 200})
    try:
        daemon.start()
        start = time.monotonic()
        for flood in FLOODS.values():
            for path in (daemon.path("one"), daemon.anyone):
                for _ in range(300):
                    flood(path)
        for _ in range(100):
            stuff(daemon.path("one"))
        with Guest(daemon.path("one")) as guest, Guest(daemon.path("two")) as good:
            check_welcome(guest.greet())
            record = g.frame_bytes(g.LOG_RECORD, 0, 0, g.encode(g.LOG_RECORD, {"text": "x"}))
            guest.send_bytes(record * 3000)
            check_welcome(good.greet())
            good.serve_until(g.COMPLETE_BOOT)
            good.send(g.LOG_RECORD, {"level": 4, "text": "a word"}, ident=0)
            for one in (guest, good):
                end_well(one)
        for name in ("one", "two"):
            for event in ("SwiotlbPoolExhausted", "ChildExit", "GuestFarewell"):
                daemon.wait_for_event(event, name)
        wait_until("the guest's own disconnection",
                   lambda: any(e["farewell"] for e in daemon.events("GuestDisconnected", "two")))
        for event in ("GuestConnected", "GuestReady", "GuestLog"):
            daemon.wait_for_event(event, "two")
        for reason in ("refusal-rate", "stranger-rate", "reset-rate", "guest-log-rate"):
            wait_until(f"EventsDropped of {reason}", lambda reason=reason: any(
                event["reason"] == reason for event in daemon.events("EventsDropped")))
        # what may come at once, and what comes back in a second, of all kinds of VM and nobody
        most = 600 + 60 * (time.monotonic() - start)
        lines = {"telemetry": len(daemon.events()), "stderr": daemon.stderr().count("\n")}
        check(max(lines.values()) <= most, f"{lines}, expected {most:.0f} at most")
        check(daemon.stop() == 0, "the daemon did not end well")
    finally:
        daemon.clean()


def case_output_drowns_nothing(host, _vm):
    """With an operator's usual limits, of a payload that prints 20,000 lines beside a log that says
    as many, and dies: every event that counts, what it printed last, and of the log as much as
    without the output; the lines are bounded by their bytes."""
    daemon = Host(host.binary, ("one",), limits={"guest_events_per_s": 10, "guest_events_burst": 200})
    words = b"".join(b"line %d\n" % i for i in range(20000)) + b"\0caf\xe9: \xff\nlast words"
    fields = {"process": 1, "stream": 1}
    try:
        daemon.start()
        with Guest(daemon.path("one")) as guest:
            check_welcome(guest.greet())
            guest.serve_until(g.COMPLETE_BOOT)
            start = time.monotonic()
            record = g.frame_bytes(g.LOG_RECORD, 0, 0, g.encode(g.LOG_RECORD, {"text": "kernel"}))
            for at in range(0, len(words), 16384):
                guest.send(g.PROCESS_OUTPUT, {**fields, "data": words[at:at + 16384]}, ident=0)
                guest.send_bytes(record * 1000)
            end_well(guest)
        ended = daemon.wait_for_event("ChildExit", "one")
        took = time.monotonic() - start
        check(ended["output"].endswith("\n caf\ufffd: \ufffd\nlast words"), f"{ended}")
        check(2048 < len(ended["output"]) <= 4096, f"{len(ended['output'])} bytes of output")
        check(ended["output"].startswith("line "), f"{ended}")
        for event in ("GuestReady", "GuestFarewell"):
            daemon.wait_for_event(event, "one")
        daemon.wait_for_event("GuestDisconnected", "one")
        log = daemon.stderr().splitlines()
        shown = [line for line in log if "payload: " in line]
        exit_line = next(at for at, line in enumerate(log) if "exited with status 3" in line)
        check("payload: last words" in log[exit_line - 1], log[exit_line - 1])
        check("payload: line 19999" in log[exit_line - 3], log[exit_line - 3])
        check(any("dropped" in line for line in shown), f"{shown[-20:]}")
        cost = sum(len(line.partition("payload: ")[2]) + 64 for line in shown[:-11])
        check(40000 < cost < 65536 + 4096 * (took + 1), f"{cost} bytes are in the log")
        check(len(daemon.events("GuestLog")) >= 200, f"{len(daemon.events('GuestLog'))} of its log")
        check(daemon.stop() == 0, "the daemon did not end well")
    finally:
        daemon.clean()


def case_what_little_is_printed_is_told_once(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
        data = {"process": 1, "stream": 2, "data": b"a word\n"}
        guest.send(g.PROCESS_OUTPUT, data, ident=0)
        end_well(guest)
        host.wait_for_event("GuestFarewell", vm)
    check(host.wait_for_event("ChildExit", vm)["output"] == "a word\n", "not the output")
    check(host.stderr().count("payload: a word") == 1, "not once in the log")
    check("payload: dropped" not in host.stderr(), "something is said to be missing")


def case_text_of_a_guest_cannot_forge_lines(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
        guest.send(g.LOG_RECORD, {"level": 1, "text": 'a"}\n{"event":"Forged"}\x1b[31m'}, ident=0)
        check_ping(guest)
    host.wait_for_event("GuestLog", vm)
    check(not host.events("Forged"), "a forged line")
    check("\x1b" not in host.stderr(), "an escape sequence reached stderr")


# C1 (CSI, NEL), directions, no width, line separators, a byte order mark, tags
HIDDEN = "\x9b\x85\u200e\u202e\u2066\u2069\u061c\u200b\u2028\u2029\ufeff\U000e0041"


def case_what_nobody_sees_reaches_nobody(host, vm):
    """Neither in telemetry, however it is read, nor in the log, nor in what the control socket
    tells is a character that changes how others look, or has no picture of its own."""
    facts = {"kernel_release": "6.1" + HIDDEN, "init_version": "v\u202e1"}
    with Guest(host.path(vm), facts=facts) as guest:
        check_welcome(guest.greet())
        guest.send(g.LOG_RECORD, {"level": 4, "text": "log" + HIDDEN}, ident=0)
        while True:
            frame = guest.receive()
            if frame.type == g.MOUNT:
                guest.answer(frame, 5, "mount" + HIDDEN)
            else:
                guest.serve(frame)
            if frame.type == g.COMPLETE_BOOT:
                break
        with Call(host, "Show", vm=vm) as call:
            shown = str(call.result())
    host.wait_for_event("GuestDisconnected", vm)
    told = host.telemetry_file.read_text(encoding="utf-8") + str(host.events(vm=vm))
    for what, text in (("telemetry", told), ("log", host.stderr()), ("control", shown)):
        seen = [f"U+{ord(c):04X}" for c in HIDDEN if c in text]
        check(not seen, f"{what} has {seen}")
    for event, key in (("GuestLog", "text"), ("MountShare", "text"), ("GuestConnected", "release")):
        check("?" in host.wait_for_event(event, vm)[key], f"{event} lacks what was said")


def case_connections_that_come_and_go(host, vm):
    descriptors = host.descriptors()
    with other(host, vm) as good:
        for count in range(1000):
            connection = connect(host.path(vm))
            if count % 2:
                with contextlib.suppress(BrokenPipeError):  # over the limit: closed unheard
                    connection.sendall(b"GLNK\x01\0")
            connection.close()
        check_ping(good)
    with Guest(host.path(vm)) as guest:
        deadline = time.monotonic() + WAIT
        while guest.socket and time.monotonic() < deadline:
            try:
                check_welcome(guest.greet())
                break
            except (AssertionError, g.Closed, OSError):  # the storm is still being cleared away
                guest.close()
                time.sleep(0.1)
                guest = Guest(host.path(vm))
        check_ping(guest)
    wait_for_descriptors(host, descriptors)


def case_guest_that_never_answers_hurts_only_itself(host, vm):
    with Guest(host.path(vm)) as mute, other(host, vm) as good:
        check_welcome(mute.greet())
        for _ in range(20):
            check_ping(good)
        mute.send(g.PING, ident=5)
        check(mute.receive_answer(5).fields()["error"] == 0, "its own PING")


def mutate(generator, data):
    """A few bytes changed, doubled, cut out or put in."""
    data = bytearray(data)
    for _ in range(generator.choice((0, 1, 1, 2, 5))):
        at = generator.randrange(len(data) + 1)
        how = generator.randrange(4)
        if how == 0 and at < len(data):
            data[at] = generator.choice((0, 1, 0x7F, 0x80, 0xFF, generator.randrange(256)))
        elif how == 1:
            data[at:at] = bytes(generator.randrange(1, 9))
        elif how == 2:
            del data[at : at + generator.randrange(1, 9)]
        else:
            data[at:at] = data[at : at + 16]
    return bytes(data)


def near_frame(generator, vector):
    """A vector's frame with another payload and, often, another id; now and then all of it other."""
    _, message_type, flags, _, ident = g.HEADER.unpack_from(vector)
    if generator.randrange(20) == 0:
        return mutate(generator, vector)
    if flags & g.ANSWER:
        ident = generator.randrange(16)  # the host's ids are small: some of these are outstanding
    return g.frame_bytes(message_type, flags, ident, mutate(generator, vector[16:]))


def case_mutated_frames_never_end_the_daemon(host, vm):
    """Frames near to sound ones, in any order, from a guest that is accepted."""
    generator = random.Random(host.rounds)
    vectors = [read_vector(path) for path in sorted(VECTORS.glob("y_*.hex"))]
    vectors = [v for v in vectors if g.HEADER.unpack_from(v)[1] not in (g.CAPABILITIES, 999)]
    boot = os.urandom(16)
    with other(host, vm) as good:
        for _ in range(host.rounds):
            with Guest(host.path(vm), boot) as guest:
                check_welcome(guest.greet())
                try:
                    for _ in range(generator.randrange(1, 60)):
                        guest.send_bytes(near_frame(generator, generator.choice(vectors)))
                except g.Closed:
                    pass
        check_ping(good)
    with Guest(host.path(vm), boot) as guest:
        check_welcome(guest.greet())
        check_ping(guest)
