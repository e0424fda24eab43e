"""The handshake and the frames: every version and size of struct, every refusal, any pieces."""

import os
import pathlib
import random
import struct

import guestlink_guest as g
from guestlink_guest import Guest

VMS = {}
VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def check_welcome(welcome, status=0, name=None, version=(1, 1)):
    check(welcome["status"] == status, f"status {welcome['status']}, expected {status}")
    got = (welcome["major"], welcome["minor"])
    check(got == version, f"version {got}, expected {version}")
    check(name is None or welcome["name"] == name, f"name {welcome['name']!r}, expected {name!r}")


def check_ping(guest):
    answer = guest.receive_answer(guest.send(g.PING))
    check(answer.type == g.RESULT and answer.fields()["error"] == 0, f"PING answered {answer}")


def greet_with(path, payload, status=0, version=(1, 1)):
    """A handshake with these bytes as CAPABILITIES, and a PING if they are accepted."""
    with Guest(path) as guest:
        welcome = guest.take_welcome(guest.send(g.CAPABILITIES, payload=payload))
        check_welcome(welcome, status, version=version)
        if status == 0:
            check_ping(guest)
        else:
            check(guest.is_closed(), "a refused connection stayed open")


def report(**facts):
    """The bytes of a report of a new boot."""
    fields = {"major": 1, "minor": 1, "features": 0x0B, "memory_bytes": 512 << 20, "page_size": 4096,
              "cpu_count": 2, "boot_id": os.urandom(16), "kernel_release": "6.1.0-second",
              "init_version": "second"}  # fmt: skip
    return g.encode(g.CAPABILITIES, {**fields, **facts})


def case_welcome_names_the_vm(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet(), name=vm)
        check_ping(guest)
    host.wait_for_event("GuestConnected", vm)
    host.wait_for_event("GuestDisconnected", vm)


def case_every_minor_version_is_accepted(host, vm):
    for minor in (0, 1, 2, 255, 256, 65535):
        greet_with(host.path(vm), report(minor=minor), version=(1, min(minor, 1)))


def case_every_other_major_is_refused_with_the_hosts_own_version(host, vm):
    for major in (0, 2, 3, 256, 65535):
        greet_with(host.path(vm), report(major=major, minor=7), status=1)


def case_another_major_needs_eight_bytes_only(host, vm):
    greet_with(host.path(vm), struct.pack("<IHH", 8, 2, 0), status=1)


def case_every_shorter_struct_is_read_with_zeros(host, vm):
    for size in range(8, 176):
        greet_with(host.path(vm), report())  # another boot between, so that facts may differ
        greet_with(host.path(vm), struct.pack("<I", size) + report()[4:size])


def case_longer_structs_and_what_follows_are_ignored(host, vm):
    for size in (177, 180, 1000, 65535, 65536):
        greet_with(host.path(vm), struct.pack("<I", size) + report()[4:].ljust(size - 4, b"\xee"))
    greet_with(host.path(vm), report() + b"text of a later version \0\xff")


def case_bad_struct_sizes_close_without_a_welcome(host, vm):
    sound = report()
    bad = [b"", b"\xb0", sound[:7], struct.pack("<I", 7) + sound[4:], struct.pack("<I", 0) + sound[4:],
           struct.pack("<I", 177) + sound[4:], struct.pack("<I", 0xFFFFFFFF) + sound[4:], sound[:175]]
    for count, payload in enumerate(bad, 1):
        with Guest(host.path(vm)) as guest:
            guest.send(g.CAPABILITIES, payload=payload)
            try:
                raise AssertionError(f"{payload[:8]!r}… was answered {guest.receive()}")
            except g.Closed:
                pass
        host.wait_for_event("ProtocolError", vm, count)


def case_malformed_names_are_refused(host, vm):
    def with_field(offset, raw):
        sound = report()
        return sound[:offset] + raw + sound[offset + len(raw) :]

    bad = [(64, b"a" * 64), (128, b"a" * 32), (64, b"6.1\0x" + bytes(59)), (64, b"\xff" + bytes(63)),
           (64, b"6.1\nforged" + bytes(54)), (128, b"\x1b[2J" + bytes(28)), (128, b"\x7f" + bytes(31)),
           (64, b"\xed\xa0\x80" + bytes(61)), (64, b"\xc3" + bytes(63))]
    for offset, raw in bad:
        greet_with(host.path(vm), with_field(offset, raw), status=3)
    greet_with(host.path(vm), with_field(64, b"a" * 63 + b"\0"))
    greet_with(host.path(vm), with_field(64, bytes(64)))


def case_first_frame_must_be_capabilities_with_an_id(host, vm):
    first = [g.frame_bytes(g.PING, 0, 1), g.frame_bytes(g.READY, 0, 0, bytes(80)),
             g.frame_bytes(g.CAPABILITIES, 0, 0, report()), g.frame_bytes(999, 0, 1),
             g.frame_bytes(g.CAPABILITIES, g.ANSWER, 1, report()), g.frame_bytes(g.WELCOME, 1, 1)]
    for count, frame in enumerate(first, 1):
        with Guest(host.path(vm)) as guest:
            guest.send_bytes(frame)
            try:
                raise AssertionError(f"{frame[:16].hex()} was answered {guest.receive()}")
            except g.Closed:
                pass
        host.wait_for_event("ProtocolError", vm, count)


def case_capabilities_byte_by_byte(host, vm):
    with Guest(host.path(vm)) as guest:
        for byte in g.frame_bytes(g.CAPABILITIES, 0, 1, report()):
            guest.send_bytes(bytes([byte]))
        check_welcome(guest.take_welcome(1))
        check_ping(guest)


def case_frames_glued_and_split_at_random(host, vm):
    generator = random.Random(1)
    with Guest(host.path(vm)) as guest:
        stream = g.frame_bytes(g.CAPABILITIES, 0, 1, report())
        for ident in range(2, 400):
            stream += g.frame_bytes(g.PING, 0, ident, bytes(generator.choice((0, 0, 1, 700))))
            stream += g.frame_bytes(g.LOG_RECORD, 0, 0, g.encode(g.LOG_RECORD, {"text": "glued"}))
        while stream:
            size = generator.choice((1, 3, 15, 16, 17, 100, 5000, 70000))
            guest.send_bytes(stream[:size])
            stream = stream[size:]
        check_welcome(guest.take_welcome(1))
        for ident in range(2, 400):
            guest.receive_answer(ident)


def case_largest_payload_is_taken(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
        ident = guest.send(g.PING, payload=bytes(65536))
        check(guest.receive_answer(ident).fields()["error"] == 0, "PING of 65536 bytes")
        ident = guest.send(998, payload=bytes(65536))
        check(guest.receive_answer(ident).fields()["error"] == g.ENOSYS, "type 998")


def case_unknown_types_are_answered_enosys_or_ignored(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
        for message_type in (0, 5, 15, 28, 31, 40, 999, 65535):
            answer = guest.receive_answer(guest.send(message_type, payload=b"?"))
            check(answer.fields()["error"] == g.ENOSYS, f"type {message_type}: {answer.fields()}")
            guest.send(message_type, payload=b"?", ident=0)
        check_ping(guest)


def case_requests_of_the_host_are_not_for_the_guest_to_send(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
        for message_type in (*range(g.SET_HOSTNAME, g.PING), *range(g.PING + 1, 28), 3):
            answer = guest.receive_answer(guest.send(message_type, payload=b""))
            check(answer.fields()["error"] == g.ENOSYS, f"type {message_type}: {answer.fields()}")
        check_ping(guest)


def case_answers_that_nobody_asked_for_are_ignored(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
        for ident in (0, 77, 0xFFFFFFFF):
            guest.send(g.RESULT, {"error": 5}, ident=ident, flags=g.ANSWER)
            guest.send(g.POOL_USAGE, {}, ident=ident, flags=g.ANSWER)
            guest.send(999, payload=b"", ident=ident, flags=g.ANSWER)
        check_ping(guest)


def case_unknown_flag_bits_are_ignored(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.take_welcome(guest.send(g.CAPABILITIES, guest.facts, flags=0x8000)))
        ident = guest.send(g.PING, flags=0xFFFE)
        check(guest.receive_answer(ident).fields()["error"] == 0, "PING with flags")


def case_events_with_an_id_are_acknowledged(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
        for message_type, fields in (
            (g.CHILD_EXITED, {"process": 9, "status": 3, "pid": 5, "again_ms": g.NOT_AGAIN}),
            (g.FAREWELL, {"how": 0}),
        ):
            answer = guest.receive_answer(guest.send(message_type, fields))
            check(answer.type == g.RESULT and answer.fields()["error"] == 0, f"{answer}")


def read_vector(path):
    lines = (line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines())
    return bytes.fromhex(" ".join(lines))


def closed_by(name, data):
    """True if this refused vector must end an accepted connection (PROTOCOL.md, both rules on what
    is not looked at: answers to nothing, and types that do not go to the host)."""
    if name.startswith(("n_magic", "n_length")):
        return True
    if name.startswith("n_more"):
        return False
    _, message_type, flags, _, _ = g.HEADER.unpack_from(data)
    to_host = (g.CAPABILITIES, g.READY, g.CHILD_EXITED, g.LOG_RECORD, g.PROCESS_OUTPUT,
               g.POOL_EXHAUSTED, g.FAREWELL, g.CLOCK_STEPPED)  # fmt: skip
    return message_type in to_host and not flags & g.ANSWER


def case_every_refused_vector_on_an_accepted_connection(host, vm):
    for path in sorted(VECTORS.glob("n_*.hex")):
        data = read_vector(path)
        with Guest(host.path(vm)) as guest:
            check_welcome(guest.greet())
            guest.send_bytes(data)
            if closed_by(path.stem, data):
                check(guest.is_closed(), f"{path.stem} did not end the connection")
            elif not path.stem.startswith("n_more"):
                check_ping(guest)


def case_every_refused_vector_as_the_first_frame(host, vm):
    for path in sorted(VECTORS.glob("n_*.hex")):
        if path.stem.startswith("n_more"):
            continue
        with Guest(host.path(vm)) as guest:
            guest.send_bytes(read_vector(path))
            status = {"n_version": 1, "n_malform": 3}.get(path.stem[:9])
            if status:
                check_welcome(guest.take_welcome(1), status)
            check(guest.is_closed(), f"{path.stem} did not end the connection")


def case_every_sound_vector_of_a_guest(host, vm):
    for path in sorted(VECTORS.glob("y_*.hex")):
        data = read_vector(path)
        _, message_type, flags, length, ident = g.HEADER.unpack_from(data)
        if message_type == g.CAPABILITIES or len(data) < 16 + length:
            continue
        with Guest(host.path(vm)) as guest:
            check_welcome(guest.greet())
            guest.send_bytes(data)
            if ident and not flags & g.ANSWER:
                guest.receive_answer(ident)
            guest.next_id = 1000
            check_ping(guest)
