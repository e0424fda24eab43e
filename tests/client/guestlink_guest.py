"""A guest of guestlink's, written from protocol/PROTOCOL.md alone, in nothing but Python.

It is the second implementation that shows whether the specification says enough. It shares no line
with the C code. Codec first (Frame, encode, decode), then Guest, which plays PID 1 on a socket.
"""

import os
import socket
import struct
import time

MAGIC = b"GLNK"
HEADER = struct.Struct("<4sHHII")
PAYLOAD_MAX = 65536
ANSWER = 1

CAPABILITIES, WELCOME, GET_CAPABILITIES, RESULT = 1, 2, 3, 4
SET_HOSTNAME, ADD_ENTROPY, MOUNT, UNMOUNT, CONFIGURE_NETWORK, START_PROCESS = range(16, 22)
SEND_SIGNAL, SHUT_DOWN, PING, PROCESS_INPUT, GET_POOL_USAGE, COMPLETE_BOOT = range(22, 28)
SET_TIME, RESIZE_TERMINAL, CLOCK_STEPPED = 28, 29, 39
OUTPUT_TAKEN = 30
READY, CHILD_EXITED, LOG_RECORD, PROCESS_OUTPUT, POOL_USAGE, POOL_EXHAUSTED, FAREWELL = range(32, 39)

ENOENT, ENOSYS = 2, 38
NOT_AGAIN = 0xFFFFFFFF


class ProtocolError(Exception):
    """What must end a connection. `reason` is that of the vectors' names: magic, length, …"""

    def __init__(self, reason, detail=""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


# The structs: (field, kind) in order, behind struct_size. Kinds: an integer's struct letter, a
# number of plain bytes, ("name", n) for NUL-padded text, "text", "data" and "list" for the u16 that
# says how much of it stands behind the struct, None for reserved bytes (the field is their number).
CAPABILITIES_FIELDS = [
    ("major", "H"), ("minor", "H"), ("features", "Q"), ("swiotlb_base", "Q"), ("swiotlb_size", "Q"),
    ("memory_bytes", "Q"), ("page_size", "I"), ("cpu_count", "I"), ("boot_id", 16),
    ("kernel_release", ("name", 64)), ("init_version", ("name", 32)), ("started_ns", "Q"),
    ("sent_ns", "Q"),
]  # fmt: skip
FIELDS = {
    CAPABILITIES: CAPABILITIES_FIELDS,
    WELCOME: [("major", "H"), ("minor", "H"), ("status", "I"), ("name", "text")],
    RESULT: [("error", "i"), ("text", "text"), (2, None)],
    SET_HOSTNAME: [("name", "text"), (2, None)],
    ADD_ENTROPY: [("bits", "I"), ("data", "data"), (2, None)],
    MOUNT: [("flags", "I"), ("port", "I"), ("timeout_ms", "I"), ("transport", "H"),
            ("tag", "text"), ("target", "text"), (2, None)],
    UNMOUNT: [("flags", "I"), ("target", "text"), (2, None)],
    CONFIGURE_NETWORK: [("flags", "I"), ("mac", 6), (2, None), ("mtu", "I"), ("timeout_ms", "I"),
                        ("addresses", "list"), ("gateways", "list"), ("routes", "list"),
                        ("dns", "list"), ("metric", "I")],
    START_PROCESS: [("process", "I"), ("role", "H"), ("restart", "H"), ("flags", "I"),
                    ("uid", "I"), ("gid", "I"), ("directory", "text"), ("argv", "list"),
                    ("environment", "list"), (2, None), ("stop_signal", "H"), ("limits", "list"),
                    ("stop_timeout_ms", "I"), ("memory_max", "Q"), ("pids_max", "I"),
                    ("umask", "H"), (2, None), ("rows", "H"), ("columns", "H")],
    SEND_SIGNAL: [("process", "I"), ("signal", "I")],
    SHUT_DOWN: [("how", "H"), (2, None), ("grace_ms", "I")],
    PROCESS_INPUT: [("process", "I"), ("data", "data"), (2, None)],
    SET_TIME: [(4, None), ("realtime_ns", "Q")],
    RESIZE_TERMINAL: [("process", "I"), ("rows", "H"), ("columns", "H")],
    OUTPUT_TAKEN: [("process", "I"), ("bytes", "I")],
    READY: [(4, None)] + [(name + "_ns", "Q") for name in (
        "started", "modules", "connected", "sent", "welcomed", "mounted", "network", "payload",
        "ready")],
    CHILD_EXITED: [("process", "I"), ("role", "H"), ("signal", "H"), ("status", "I"), ("pid", "I"),
                   ("restarts", "I"), ("again_ms", "I"), (4, None), ("exited_ns", "Q")],
    LOG_RECORD: [("dropped", "I"), ("time_ns", "Q"), ("level", "H"), ("text", "text"), (4, None)],
    PROCESS_OUTPUT: [("process", "I"), ("stream", "H"), ("data", "data")],
    POOL_USAGE: [("slot_bytes", "I"), ("pools", "pools"), (2, None)],
    POOL_EXHAUSTED: [(4, None), ("count", "Q"), ("used", "Q"), ("total", "Q"), ("bytes", "Q"),
                     ("time_ns", "Q")],
    FAREWELL: [("how", "H"), ("reason", "H"), ("killed", "I"), ("mounted", "I")],
    CLOCK_STEPPED: [(4, None), ("before_ns", "Q"), ("after_ns", "Q")],
}  # fmt: skip


class Tail:
    """What stands behind the struct."""

    def __init__(self, data):
        self.data = data

    def take(self, size):
        if size > len(self.data):
            raise ProtocolError("text", f"{size} bytes announced, {len(self.data)} there")
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def text(self, size):
        taken = self.take(size)
        if b"\0" in taken:
            raise ProtocolError("text", "NUL in a text")
        try:
            return taken.decode("utf-8", "strict")
        except UnicodeDecodeError as error:
            raise ProtocolError("text", str(error)) from error

    def item(self):
        return self.text(struct.unpack("<H", self.take(2))[0])

    def pool(self):
        total, used, high_water = struct.unpack("<QQQ", self.take(24))
        return {"total": total, "used": used, "high_water": high_water, "name": self.item()}


def kind_size(field, kind):
    if kind is None:
        return field
    if isinstance(kind, int):
        return kind
    if isinstance(kind, tuple):
        return kind[1]
    return struct.calcsize("<" + kind) if len(kind) == 1 else 2


def struct_size(message_type):
    return 4 + sum(kind_size(field, kind) for field, kind in FIELDS[message_type])


def read_name(raw):
    """NUL-padded text: a NUL at the end, nothing behind the first, UTF-8, no control characters."""
    name, nul, rest = raw.partition(b"\0")
    if not nul or rest.strip(b"\0"):
        raise ProtocolError("malformed", repr(raw))
    try:
        text = name.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise ProtocolError("malformed", str(error)) from error
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in text):
        raise ProtocolError("malformed", repr(text))
    return text


def read_tail(kind, count, tail):
    if kind == "text":
        return tail.text(count)
    if kind == "data":
        return tail.take(count)
    if kind == "list":
        return [tail.item() for _ in range(count)]
    if count > 16:
        raise ProtocolError("text", f"{count} pools")
    return [tail.pool() for _ in range(count)]


def decode(message_type, payload):
    """The fields of a payload as a dictionary; raises ProtocolError."""
    if len(payload) < 8:
        raise ProtocolError("struct_size", f"a payload of {len(payload)} bytes")
    size = struct.unpack_from("<I", payload)[0]
    if size < 8 or size > len(payload):
        raise ProtocolError("struct_size", f"{size} in a payload of {len(payload)} bytes")
    if message_type == CAPABILITIES and struct.unpack_from("<H", payload, 4)[0] != 1:
        raise ProtocolError("version", str(struct.unpack_from("<HH", payload, 4)))
    known = struct_size(message_type)
    fixed = payload[4:size].ljust(known, b"\0")
    tail = Tail(payload[size:])
    fields, offset = {}, 0
    for field, kind in FIELDS[message_type]:
        raw = fixed[offset : offset + kind_size(field, kind)]
        offset += len(raw)
        if kind is None:
            continue
        if isinstance(kind, int):
            fields[field] = raw
        elif isinstance(kind, tuple):
            fields[field] = read_name(raw)
        elif len(kind) == 1:
            fields[field] = struct.unpack("<" + kind, raw)[0]
        else:
            fields[field] = read_tail(kind, struct.unpack("<H", raw)[0], tail)
    return fields


def write_item(text):
    raw = text.encode()
    return struct.pack("<H", len(raw)) + raw


def write_tail(kind, value):
    if kind == "text":
        raw = value.encode()
        return len(raw), raw
    if kind == "data":
        return len(value), value
    if kind == "list":
        return len(value), b"".join(write_item(item) for item in value)
    return len(value), b"".join(
        struct.pack("<QQQ", pool["total"], pool["used"], pool["high_water"])
        + write_item(pool["name"])
        for pool in value
    )


def encode(message_type, fields):
    """The payload of a message of 1.1."""
    fixed, tail = struct.pack("<I", struct_size(message_type)), b""
    for field, kind in FIELDS[message_type]:
        if kind is None:
            fixed += bytes(field)
        elif isinstance(kind, int):
            fixed += fields.get(field, b"").ljust(kind, b"\0")
        elif isinstance(kind, tuple):
            fixed += fields.get(field, "").encode()[: kind[1] - 1].ljust(kind[1], b"\0")
        elif len(kind) == 1:
            fixed += struct.pack("<" + kind, fields.get(field, 0))
        else:
            empty = {"text": "", "data": b""}.get(kind, [])
            count, raw = write_tail(kind, fields.get(field, empty))
            fixed += struct.pack("<H", count)
            tail += raw
    return fixed + tail


class Frame:
    def __init__(self, message_type, flags, ident, payload):
        self.type, self.flags, self.id, self.payload = message_type, flags, ident, payload

    def fields(self):
        return decode(self.type, self.payload)

    def __repr__(self):
        return f"<frame type {self.type} flags {self.flags} id {self.id}, {len(self.payload)} bytes>"


def frame_bytes(message_type, flags, ident, payload=b""):
    return HEADER.pack(MAGIC, message_type, flags, len(payload), ident) + payload


class FrameReader:
    """Frames out of bytes that come in any pieces."""

    def __init__(self):
        self.data = b""

    def feed(self, data):
        self.data += data

    def next(self):
        """A frame, or None if more bytes are needed; raises ProtocolError."""
        if not MAGIC.startswith(self.data[:4]):
            raise ProtocolError("magic", repr(self.data[:16]))
        if len(self.data) < HEADER.size:
            return None
        _, message_type, flags, length, ident = HEADER.unpack_from(self.data)
        if length > PAYLOAD_MAX:
            raise ProtocolError("length", str(length))
        if len(self.data) < HEADER.size + length:
            return None
        payload = self.data[HEADER.size : HEADER.size + length]
        self.data = self.data[HEADER.size + length :]
        return Frame(message_type, flags, ident, payload)


class Closed(Exception):
    """The other side ended the connection."""


class Guest:
    """A guest on a Unix socket. Every wait has a deadline; TimeoutError says that it passed."""

    WAIT = 60.0  # what comes, comes in milliseconds, but not on every machine

    def __init__(self, path, boot_id=None, facts=None):
        self.reader = FrameReader()
        self.next_id = 0
        self.facts = {
            "major": 1,
            "minor": 1,
            "features": 0x0B,
            "memory_bytes": 512 << 20,
            "page_size": 4096,
            "cpu_count": 2,
            "boot_id": boot_id or os.urandom(16),
            "kernel_release": "6.1.0-second",
            "init_version": "second",
            "started_ns": 1_000_000_000,
            "sent_ns": time.monotonic_ns(),
        }
        self.facts.update(facts or {})
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(self.WAIT)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_bytes(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed("while sending") from error

    def new_id(self):
        self.next_id += 1
        return self.next_id

    def send(self, message_type, fields=None, ident=None, flags=0, payload=None):
        """Sends a frame; the id is new unless it is given. @return the id"""
        ident = self.new_id() if ident is None else ident
        if payload is None:
            payload = b"" if fields is None else encode(message_type, fields)
        self.send_bytes(frame_bytes(message_type, flags, ident, payload))
        return ident

    def answer(self, frame, error=0, text=""):
        self.send(RESULT, {"error": error, "text": text}, ident=frame.id, flags=ANSWER)

    def receive(self, wait=None):
        """The next frame; raises Closed, TimeoutError."""
        deadline = time.monotonic() + (self.WAIT if wait is None else wait)
        while True:
            frame = self.reader.next()
            if frame:
                return frame
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no frame in the time given")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError as error:
                raise Closed("reset") from error
            except socket.timeout as error:
                raise TimeoutError("no frame in the time given") from error
            finally:
                self.socket.settimeout(self.WAIT)
            if not data:
                raise Closed("end of the stream")
            self.reader.feed(data)

    def receive_answer(self, ident, wait=None):
        """The answer to a request of ours; what the host asks meanwhile is answered 0."""
        deadline = time.monotonic() + (self.WAIT if wait is None else wait)
        while True:
            frame = self.receive(max(deadline - time.monotonic(), 0.001))
            if frame.flags & ANSWER and frame.id == ident:
                return frame
            self.serve(frame)

    def greet(self, facts=None):
        """Sends CAPABILITIES and takes WELCOME. @return its fields, `id` and `answered` besides"""
        ident = self.send(CAPABILITIES, {**self.facts, **(facts or {})})
        return self.take_welcome(ident)

    def take_welcome(self, ident):
        frame = self.receive()
        if frame.type != WELCOME or not frame.flags & ANSWER or frame.id != ident:
            raise ProtocolError("welcome", f"{frame} instead of WELCOME '#{ident}")
        return frame.fields()

    def serve(self, frame):
        """Does what the host asks, as a guest does to which everything succeeds."""
        if frame.flags & ANSWER or frame.id == 0:
            return
        if frame.type == GET_CAPABILITIES:
            self.send(CAPABILITIES, self.facts, ident=frame.id, flags=ANSWER)
        elif frame.type == GET_POOL_USAGE:
            self.answer(frame, ENOENT, "no statistics")
        elif SET_HOSTNAME <= frame.type <= COMPLETE_BOOT:
            if frame.payload:
                frame.fields()  # raises if the host wrote what we cannot read
            self.answer(frame)
            if frame.type == COMPLETE_BOOT:
                self.send(READY, {"ready_ns": time.monotonic_ns()}, ident=0)
        else:
            self.answer(frame, ENOSYS, f"type {frame.type}")

    def serve_until(self, message_type, wait=None):
        """Serves until a frame of that type came and was served. @return all that came"""
        deadline = time.monotonic() + (self.WAIT if wait is None else wait)
        frames = []
        while True:
            frame = self.receive(max(deadline - time.monotonic(), 0.001))
            frames.append(frame)
            self.serve(frame)
            if frame.type == message_type:
                return frames

    def is_closed(self, wait=None):
        """True if the host ends the connection within the wait; frames until then are dropped."""
        deadline = time.monotonic() + (self.WAIT if wait is None else wait)
        try:
            while time.monotonic() < deadline:
                self.receive(max(deadline - time.monotonic(), 0.001))
        except Closed:
            return True
        except TimeoutError:
            pass
        return False
