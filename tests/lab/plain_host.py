"""A host that a scenario plays by itself, frame by frame: for what guestlink-hostd never does, and
for many questions to one guest. protocol/PROTOCOL.md has the layouts; nothing of the C code is
used here."""

import socket
import struct
import time

from listener import calls
from show import need
from wait import TimedOut

CAPABILITIES, WELCOME, GET_CAPABILITIES, RESULT = 1, 2, 3, 4
SET_HOSTNAME, ADD_ENTROPY, MOUNT, UNMOUNT, CONFIGURE_NETWORK = 16, 17, 18, 19, 20
START_PROCESS, SEND_SIGNAL, SHUT_DOWN, PING, PROCESS_INPUT = 21, 22, 23, 24, 25
GET_POOL_USAGE, COMPLETE_BOOT = 26, 27
READY, CHILD_EXITED, LOG_RECORD, PROCESS_OUTPUT, POOL_USAGE = 32, 33, 34, 35, 36
POOL_EXHAUSTED, FAREWELL = 37, 38

POWER_OFF, REBOOT, HALT = 0, 1, 2
PAYLOAD, COMMAND = 0, 1
NEVER, ON_FAILURE, ALWAYS = 0, 1, 2
OUTPUT, INPUT, TERMINAL, UMASK = 1, 2, 4, 8
NOT_AGAIN = 0xffffffff

_TIMES = ("started", "modules", "connected", "sent", "welcomed", "mounted", "network", "payload",
          "ready")


def frame(kind, flags=0, number=0, payload=b""):
    return struct.pack("<4sHHII", b"GLNK", kind, flags, len(payload), number) + payload


def welcome(status=0, major=1, minor=0, name=b"plain"):
    return struct.pack("<IHHIH", 14, major, minor, status, len(name)) + name


def mount(tag, target, timeout_ms=10000, flags=0, transport=0, port=0):
    tag, target = tag.encode(), target.encode()
    return struct.pack("<IIIIHHHH", 24, flags, port, timeout_ms, transport, len(tag), len(target),
                       0) + tag + target


def unmount(target, detach=False):
    target = target.encode()
    return struct.pack("<IIHH", 12, int(detach), len(target), 0) + target


def _items(words):
    return b"".join(struct.pack("<H", len(word.encode())) + word.encode() for word in words)


def network(mac, addresses=(), gateways=(), routes=(), dns=(), mtu=0, remove=False,
            timeout_ms=10000, metric=0, flags=0):
    lists = (addresses, gateways, routes, dns)
    return struct.pack("<II6sHIIHHHHI", 36, int(remove) | flags, bytes.fromhex(mac.replace(":", "")),
                       0, mtu, timeout_ms, *map(len, lists), metric) + b"".join(map(_items, lists))


def process(number, argv, role=COMMAND, restart=NEVER, flags=OUTPUT, uid=0, gid=0, directory="",
            environment=(), minor=1, limits=(), stop_signal=0, stop_timeout_ms=0, memory_max=0,
            pids_max=0, umask=None):
    """minor: of the version that it is written by."""
    flags |= 0 if umask is None else UMASK
    fixed = struct.pack("<IIHHIIIHHHH", 56 if minor else 32, number, role, restart, flags, uid, gid,
                        len(directory.encode()), len(argv), len(environment), 0)
    if minor:
        fixed += struct.pack("<HHIQIHH", stop_signal, len(limits), stop_timeout_ms, memory_max,
                             pids_max, umask or 0, 0)
    return fixed + directory.encode() + _items(argv) + _items(environment) + _items(limits)


def shut_down(how=POWER_OFF, grace_ms=3000):
    return struct.pack("<IHHI", 12, how, 0, grace_ms)


class Exit:
    """What CHILD_EXITED says."""

    def __init__(self, payload):
        (_, self.process, self.role, self.signal, self.status, self.pid, self.restarts,
         self.again_ms, _, self.exited_ns) = struct.unpack_from("<IIHHIIIIIQ", payload)


class PlainHost:
    """Takes a guest's calls; one connection at a time."""

    def __init__(self, guest, seconds, listener=None):
        """seconds: a scenario's lab.seconds, which knows how slow things are here; listener: a
        socket where the guest's calls arrive, if not over vsock."""
        self._listener = listener or calls(guest)
        self._seconds = seconds
        self._peer = None
        self._buffer = b""
        self._next_number = 0
        self.capabilities = b""
        self.answers = {}   # request's number -> (type, payload)
        self.exits = []     # Exit, in the order in which they came
        self.output = {}    # process -> its stdout and stderr so far
        self.ended = {}     # process -> how many of its streams have ended
        self.ready = []     # the times of each READY, by name
        self.logs = []
        self.farewell = None
        self.acknowledges = True

    def accept(self, seconds=60):
        """Waits for a call and its CAPABILITIES; answers nothing yet. Returns its number."""
        self.hang_up()
        self._listener.settimeout(self._seconds(seconds))
        self._peer, _ = self._listener.accept()
        kind, _, number, payload = self._take(seconds)
        need(kind == CAPABILITIES and number != 0, f"the first frame has type {kind}")
        self.capabilities = payload
        self._next_number = 0
        return number

    def serve(self, seconds=60):
        """Waits for a call and welcomes it."""
        number = self.accept(seconds)
        self.send(frame(WELCOME, 1, number, welcome()))
        return self

    def hang_up(self):
        if self._peer:
            self._peer.close()
        self._peer, self._buffer, self.answers = None, b"", {}

    def close(self):
        self.hang_up()
        self._listener.close()

    def send(self, data):
        self._peer.sendall(data)

    def ask(self, kind, payload=b""):
        """Sends a request and returns its number."""
        self._next_number += 1
        self.send(frame(kind, 0, self._next_number, payload))
        return self._next_number

    def answer(self, number, seconds=20):
        """Waits for an answer; returns its type and payload."""
        self.wait(f"the answer to request {number}", lambda: number in self.answers, seconds)
        return self.answers[number]

    def result(self, number, seconds=20):
        """Waits for a RESULT; returns its error and text."""
        kind, payload = self.answer(number, seconds)
        need(kind == RESULT, f"request {number} was answered with type {kind}")
        size, error, length = struct.unpack_from("<IiH", payload)
        return error, payload[size:size + length].decode()

    def do(self, kind, payload=b"", seconds=20):
        """Asks and waits for the RESULT."""
        return self.result(self.ask(kind, payload), seconds)

    def run(self, number, *argv, seconds=20, **more):
        """Runs a command to its end; returns its status and its words."""
        before = sum(e.process == number for e in self.exits)
        error, text = self.do(START_PROCESS, process(number, argv, **more), seconds)
        need(error == 0, f"{argv} was not started: {text}")
        ended = self.wait_exit(number, seconds, before + 1)
        return ended.status, self.output.pop(number, b"").decode(errors="replace")

    def shell(self, script, seconds=20):
        """Runs a shell's script in the guest; returns its status and its words."""
        return self.run(100000 + self._next_number, "/bin/sh", "-c", script, seconds=seconds)

    def pool_usage(self):
        """What POOL_USAGE says: of each pool its name, total, used and high water."""
        kind, payload = self.answer(self.ask(GET_POOL_USAGE))
        need(kind == POOL_USAGE, f"pool usage was answered with type {kind}: {payload!r}")
        at, _, count, _ = struct.unpack_from("<IIHH", payload)
        pools = []
        for _ in range(count):
            total, used, high_water, length = struct.unpack_from("<QQQH", payload, at)
            pools.append((payload[at + 26:at + 26 + length].decode(), total, used, high_water))
            at += 26 + length
        return pools

    def need_alive(self):
        """PID 1 answers a ping, and starts a program."""
        error, text = self.do(PING)
        need(error == 0, f"ping: {error}: {text}")
        status, words = self.shell("echo alive")
        need((status, words) == (0, "alive\n"), f"exec: {status}: {words!r}")

    def wait_exit(self, number, seconds=20, count=1):
        """Waits for the count-th end of a process."""
        self.wait(f"the end of process {number}",
                  lambda: sum(e.process == number for e in self.exits) >= count, seconds)
        return [e for e in self.exits if e.process == number][count - 1]

    def wait(self, what, probe, seconds=20):
        """Takes frames until probe() holds."""
        deadline = time.monotonic() + self._seconds(seconds)
        while not probe():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut(f"{what}: not within {self._seconds(seconds):g} s")
            self._handle(*self._take(left, scaled=True))

    def wait_closed(self, seconds=20):
        """Takes frames until the guest hangs up."""
        try:
            self.wait("the end of the connection", lambda: False, seconds)
        except (ConnectionError, EOFError):
            self.hang_up()

    def settle(self, seconds):
        """Takes whatever comes in that time, which is the same on every machine."""
        end = time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 0:
                self._handle(*self._take(left, scaled=True))
        except TimedOut:
            pass

    def _take(self, seconds, scaled=False):
        self._peer.settimeout(seconds if scaled else self._seconds(seconds))
        while True:
            if len(self._buffer) >= 16:
                magic, kind, flags, length, number = struct.unpack_from("<4sHHII", self._buffer)
                need(magic == b"GLNK" and length <= 65536, f"no frame: {self._buffer[:16]!r}")
                if len(self._buffer) >= 16 + length:
                    payload = self._buffer[16:16 + length]
                    self._buffer = self._buffer[16 + length:]
                    return kind, flags, number, payload
            try:
                data = self._peer.recv(65536)
            except socket.timeout:
                raise TimedOut("a frame of the guest's: not in time") from None
            if not data:
                raise EOFError("the guest hung up")
            self._buffer += data

    def _handle(self, kind, flags, number, payload):
        if flags & 1:
            self.answers[number] = (kind, payload)
            return
        if kind == READY:
            self.ready.append(dict(zip(_TIMES, struct.unpack_from("<9Q", payload, 8))))
        elif kind == CHILD_EXITED:
            self.exits.append(Exit(payload))
        elif kind == PROCESS_OUTPUT:
            self._take_output(payload)
        elif kind == LOG_RECORD:
            self.logs.append(payload[24:].decode(errors="replace"))
        elif kind == FAREWELL:
            self.farewell = struct.unpack_from("<HHII", payload, 4)
        if number and (self.acknowledges or kind == PING):
            self.send(frame(RESULT, 1, number, struct.pack("<IiHH", 12, 0, 0, 0)))

    def _take_output(self, payload):
        size, number, _, length = struct.unpack_from("<IIHH", payload)
        self.output[number] = self.output.get(number, b"") + payload[size:size + length]
        if length == 0:
            self.ended[number] = self.ended.get(number, 0) + 1
