"""Guests that mean harm: none of them may cost another guest, or the daemon, anything."""

import contextlib
import os
import random
import select
import socket
import time

import guestlink_guest as g
from cases_boot import WITH_DEVICES
from cases_wire import VECTORS, check, check_ping, check_welcome, read_vector
from guestlink_guest import Guest
from host import Host, connect

VMS = {"mutated_frames_never_end_the_daemon": WITH_DEVICES}
SILENT = 1000
FLOOD = 20000
SLACK = 1.5  # seconds that a deadline may be late on a busy machine


def other(host, vm):
    """A good guest on a VM of its own, to be asked whether it still is served."""
    guest = Guest(host.path("one"), facts={"kernel_release": f"6.1-{len(vm)}"})
    check_welcome(guest.greet())
    return guest


def wait_closed(connections, wait):
    """How many of these sockets the daemon has closed within the wait."""
    poll = select.poll()
    alive = {connection.fileno(): connection for connection in connections}
    for descriptor in alive:
        poll.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + wait
    while alive and time.monotonic() < deadline:
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


def case_slow_drip_does_not_extend_the_handshake(host, vm):
    frame = g.frame_bytes(g.CAPABILITIES, 0, 1, g.encode(g.CAPABILITIES, {"major": 1}))
    timeout = host.handshake_timeout_ms / 1000
    with other(host, vm) as good:
        start = time.monotonic()
        connection = connect(host.path(vm))
        with connection:
            for byte in frame:
                try:
                    connection.sendall(bytes([byte]))
                except (BrokenPipeError, ConnectionResetError):
                    break
                if select.select([connection], [], [], 0.05)[0]:
                    break
            took = time.monotonic() - start
            check(connection.recv(1) == b"", "the drip was answered")
        check(timeout * 0.9 <= took <= timeout + SLACK, f"closed after {took:.2f} s")
        host.wait_for_event("HandshakeTimeout", vm)
        check_ping(good)


def case_silence_ends_with_the_handshake_timeout(host, vm):
    start = time.monotonic()
    with connect(host.path(vm)) as connection:
        check(wait_closed([connection], 10) == 1, "a silent connection stayed")
    took = time.monotonic() - start
    timeout = host.handshake_timeout_ms / 1000
    check(timeout * 0.9 <= took <= timeout + SLACK, f"closed after {took:.2f} s")


def case_accepted_guest_may_be_silent(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
        time.sleep(host.handshake_timeout_ms / 1000 + 0.5)
        check_ping(guest)


def case_too_many_connections_are_refused(host, vm):
    """Silent ones take the VM's places: the one that speaks is told so, or closed unheard."""
    silent = [connect(host.path(vm)) for _ in range(4)]
    try:
        with Guest(host.path(vm)) as guest:
            check_welcome(guest.greet(), 4)
        check(wait_closed(silent, 10) == 4, "silent connections stayed")
        with Guest(host.path(vm)) as guest:
            check_welcome(guest.greet())
    finally:
        for connection in silent:
            connection.close()


def case_thousand_connections_that_say_nothing(host, vm):
    descriptors = host.descriptors()
    silent = []
    try:
        with other(host, vm) as good:
            for _ in range(SILENT):
                silent.append(connect(host.path(vm)))
            check_ping(good)
            with Guest(host.path("two")) as guest:  # another VM is not kept out
                check_welcome(guest.greet())
            timeout = host.handshake_timeout_ms / 1000
            gone = wait_closed(silent, timeout + SLACK + 5)
            check(gone == SILENT, f"{gone} of {SILENT} were closed")
            check_ping(good)
    finally:
        for connection in silent:
            connection.close()
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
    time.sleep(0.2)
    left = host.descriptors() - descriptors
    check(left <= 2, f"{left} descriptors more than before")


def case_thousand_silent_handshakes_at_one_time(host, vm):
    """Nothing is over a limit here: the daemon holds all of them until their time is over."""
    crowd = Host(host.binary, [f"vm{i}" for i in range(SILENT // 50 + 1)], limits={
        "connections": 4096, "connections_per_vm": 64})  # fmt: skip
    silent = []
    try:
        crowd.start()
        before, start = crowd.resident_kib(), time.monotonic()
        for name in list(crowd.vms)[1:]:
            silent += [connect(crowd.path(name)) for _ in range(50)]
        with Guest(crowd.path("vm0")) as guest:
            check_welcome(guest.greet())
            check_ping(guest)
        check(wait_closed(silent, 0.1) == 0, "closed before their time")
        each = (crowd.resident_kib() - before) / SILENT
        check(each < 8, f"{each:.1f} KiB for each silent connection")
        timeout = crowd.handshake_timeout_ms / 1000
        gone = wait_closed(silent, timeout + SLACK + 5)
        took = time.monotonic() - start
        check(gone == SILENT, f"{gone} of {SILENT} were closed")
        check(took < timeout + SLACK, f"the last was closed after {took:.2f} s")
        check(crowd.stop() == 0, "the daemon did not end well")
    finally:
        for connection in silent:
            connection.close()
        crowd.clean()


def case_strangers_keep_no_guest_out(host, vm):
    """Whoever belongs to no VM is refused anyway, and must not use up what guests need."""
    small = Host(host.binary, ["vm0", "vm1"], limits={"connections": 64}, handshake_timeout_ms=3000)
    strangers = []
    try:
        small.start()
        strangers = [connect(small.anyone) for _ in range(300)]
        for name in ("vm0", "vm1"):
            with Guest(small.path(name)) as guest:
                check_welcome(guest.greet())
                check_ping(guest)
        check(wait_closed(strangers, 10) == 300, "strangers stayed")
        with Guest(small.anyone) as guest:
            check_welcome(guest.greet(), 2)
    finally:
        for connection in strangers:
            connection.close()
        small.clean()


def case_half_frames_of_many_are_bounded(host, vm):
    """Each announces 64 KiB and sends all but a byte of it."""
    before = host.resident_kib()
    part = g.frame_bytes(g.CAPABILITIES, 0, 1, bytes(65536))[:-1]
    connections = []
    try:
        for _ in range(64):
            connection = connect(host.path(vm))
            connection.setblocking(False)
            try:
                connection.send(part)
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                pass
            connections.append(connection)
        time.sleep(0.3)
        grown = host.resident_kib() - before
        check(grown < 16384, f"{grown} KiB more")
        with other(host, vm) as good:
            check_ping(good)
        check(wait_closed(connections, 10) == 64, "half frames kept their connections")
    finally:
        for connection in connections:
            connection.close()


def case_half_closed_handshake_ends(host, vm):
    with connect(host.path(vm)) as connection:
        connection.sendall(g.frame_bytes(g.CAPABILITIES, 0, 1)[:10])
        connection.shutdown(socket.SHUT_WR)
        check(wait_closed([connection], 10) == 1, "half-closed and kept")


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
        guest.socket.settimeout(5)
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
    before = len(host.events("GuestLog", vm))
    with Guest(host.path(vm)) as guest, other(host, vm) as good:
        check_welcome(guest.greet())
        record = g.frame_bytes(g.LOG_RECORD, 0, 0, g.encode(g.LOG_RECORD, {"text": "x" * 200}))
        for _ in range(20):
            guest.send_bytes(record * 1000)
        check_ping(guest)
        check_ping(good)
    dropped = host.wait_for_event("EventsDropped", vm)["count"]
    lines = len(host.events("GuestLog", vm)) - before
    check(lines <= 20000 * 0.5, f"{lines} of 20000 records are in telemetry")
    check(lines + dropped >= 20000, f"{lines} lines and {dropped} dropped of 20000")


def case_text_of_a_guest_cannot_forge_lines(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
        guest.send(g.LOG_RECORD, {"level": 1, "text": 'a"}\n{"event":"Forged"}\x1b[31m'}, ident=0)
        check_ping(guest)
    host.wait_for_event("GuestLog", vm)
    check(not host.events("Forged"), "a forged line")
    check("\x1b" not in host.stderr(), "an escape sequence reached stderr")


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
        deadline = time.monotonic() + 5
        while guest.socket and time.monotonic() < deadline:
            try:
                check_welcome(guest.greet())
                break
            except (AssertionError, g.Closed, OSError):  # the storm is still being cleared away
                guest.close()
                time.sleep(0.1)
                guest = Guest(host.path(vm))
        check_ping(guest)
    time.sleep(0.2)
    left = host.descriptors() - descriptors
    check(left <= 2, f"{left} descriptors more than before")


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
